"""Shows each image that a plan would copy to the gates, before anything of it reaches the target.

1. The image is fetched into a folder on this machine, through the engine, as to any other target.
2. Each gate gets a folder of its own with that image, and says whether it passes.
3. What was fetched is hashed again. What passed is copied on from there; the others leave the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from attrs import define, evolve, field, frozen

from transload.app.gates import Gate, Gates, kept, look
from transload.app.staging import BesideTarget, StagedSource, Staging, staging
from transload.app.stores import Stores
from transload.errors import DiskFull, GateRefused, LocalError, Refused, TransloadError
from transload.events import Counting, Event, Listener, StepDone
from transload.oci import Descriptor, Digest
from transload.planning import ManifestStep, Plan, Referrers, Request, make_plan
from transload.planning.leaving import only, without
from transload.planning.plan import PlannedImage
from transload.ports import Source, Target
from transload.report.gated import GateResult
from transload.threads import Cancellation
from transload.transfer import Outcome, run


@frozen(kw_only=True)
class Gated:
    """A plan without the images that were refused, what to read it from, and what the gates said, by target name."""

    plan: Plan
    sources: Mapping[str, Source]
    results: Mapping[str, tuple[GateResult, ...]] = field(factory=dict)


def gated(
    plan: Plan,
    request: Request,
    sources: Mapping[str, Source],
    target: Target,
    gates: Gates,
    stores: Stores,
    cancellation: Cancellation,
    bodies: int = 8,
) -> Gated:
    """Show the new and changed images of `plan`, which was made of `request`, to the gates.

    A refused image fails with `GateRefused`, one that cannot be fetched with its own error. Raises `DiskFull` before
    anything is fetched if there is too little room for it, `LocalError`, `Interrupted`.
    """
    shown = [number for number, image in enumerate(plan.images) if image.goals]
    if not shown:
        return Gated(plan=plan, sources=sources)
    held = ExitStack()
    stores.at_end(held.close)
    place = held.enter_context(staging(stores.state))
    run_ = _Run(place=place, gates=gates, stores=stores, cancellation=cancellation, bodies=bodies)
    items = tuple(request.items[number] for number in shown)
    beside = _beside(plan, sources, target)
    staged = make_plan(
        evolve(request, items=items, referrers=Referrers.UNASKED, recheck=False),
        beside,
        place.pool,
        cancellation=cancellation,
    )
    keeps = {locator for locator, source in sources.items() if source.request_costs is not None}
    run_.check_room(staged, keeps)
    counting = Counting(stores.working, "gating", len(shown))
    for position, number in enumerate(shown):
        cancellation.check()
        run_.image(number, plan.images[number], only(staged, position), beside)
        if staged.images[position].source_store not in keeps:
            place.drop(_blobs(only(staged, position)))
        counting.add()
    kept_sources = {name: StagedSource(s, place.pool) if name in keeps else s for name, s in sources.items()}
    return Gated(plan=without(plan, run_.errors), sources=kept_sources, results=run_.results)


def _beside(plan: Plan, sources: Mapping[str, Source], target: Target) -> Mapping[str, Source]:
    """Local sources with the target beside them, for what differential bundles leave out."""
    places = [step.origin for step in plan.blob_steps() if step.origin is not None and step.after is None]
    places += [image.target.repository for image in plan.images]
    return {
        locator: source if source.request_costs is not None else BesideTarget(source, target, places)
        for locator, source in sources.items()
    }


def _blobs(plan: Plan) -> tuple[Descriptor, ...]:
    """Every blob and manifest that a staging plan stores, each once."""
    manifests = (plan.manifests[step.digest].descriptor for step in plan.steps if isinstance(step, ManifestStep))
    blobs = {blob.digest: blob for blob in (*(step.descriptor for step in plan.blob_steps()), *manifests)}
    return tuple(blobs.values())


@define(kw_only=True)
class _Run:
    """The work on one image after the other."""

    place: Staging
    gates: Gates
    stores: Stores
    cancellation: Cancellation
    bodies: int
    errors: dict[int, TransloadError] = field(factory=dict)
    results: dict[str, tuple[GateResult, ...]] = field(factory=dict)

    def check_room(self, staged: Plan, keeps: set[str]) -> None:
        """Raise `DiskFull`, with the numbers: what comes from a registry stays until it is copied on."""
        each = [(image, _blobs(only(staged, number))) for number, image in enumerate(staged.images)]
        staying = {blob.digest: blob for image, blobs in each if image.source_store in keeps for blob in blobs}
        passing = [blobs for image, blobs in each if image.source_store not in keeps]
        largest = max(passing, key=lambda blobs: sum(blob.size for blob in blobs), default=())
        try:
            self.place.pool.check_space((*staying.values(), *largest))
        except DiskFull as error:
            raise _of_staging(error) from error

    def image(self, number: int, image: PlannedImage, staged: Plan, sources: Mapping[str, Source]) -> None:
        """Fetch one image and show it to the gates; note how it ended."""
        error = staged.images[0].error or self._fetched(staged, sources)
        if error is None and staged.images[0].digest != image.digest:
            error = Refused(
                f"{image.source} stands for other content than when the plan was made",
                subject=str(image.source),
                side="source",
                hint="run the same command again",
            )
        if error is None:
            error = self._judged(image, staged)
        if error is not None:
            self.errors[number] = error

    def _fetched(self, staged: Plan, sources: Mapping[str, Source]) -> TransloadError | None:
        counting = Counting(self.stores.working, "staging", staged.copied.bytes)

        def listen(event: Event) -> None:
            if isinstance(event, StepDone):
                counting.add(event.size)

        outcome = self._run(staged, sources, listen)
        self.cancellation.check()
        error = outcome.images[0].error
        if isinstance(error, LocalError) and error.side == "target":
            raise _of_staging(error)
        return error

    def _run(self, staged: Plan, sources: Mapping[str, Source], listen: Listener) -> Outcome:
        foreign = any(blob.descriptor.is_foreign for blob in staged.blob_steps())
        return run(
            staged,
            sources,
            self.place.pool,
            listen=listen,
            cancellation=self.cancellation,
            bodies=min(self.bodies, self.stores.most_bodies),
            recheck=True,  # what images share was fetched for the first of them
            publishers=self.stores.publishers if foreign else None,
            give_up_after_s=self.stores.patience_s,
        )

    def _judged(self, image: PlannedImage, staged: Plan) -> GateRefused | None:
        """What the gates say, one after the other, until one refuses."""
        results: list[GateResult] = []
        for number, gate in enumerate(self.gates.gates, 1):
            results.append(self._looked(gate, number, image, staged))
            self.results[image.label] = tuple(results)
            if not results[-1].passed:
                return refusal(image.label, results[-1])
        return None

    def _looked(self, gate: Gate, number: int, image: PlannedImage, staged: Plan) -> GateResult:
        digest = _digest(image)
        blobs = _blobs(staged)
        root = staged.manifests[digest]
        with self.place.image(image.target, root, (blob.digest for blob in blobs)) as folder:
            command = gate.command(folder, image.target, digest)
            environment, check = self.stores.environment, self.cancellation.check
            result, output = look(gate, command, self.gates.timeout_s, environment, check)
        changed = self.place.changed(blobs)
        if changed is not None and result.passed:
            result = evolve(result, problem=f"it changed what it was given ({changed.digest.short})")
        return kept(result, output, self.gates.output, image.target, digest, number)


def _digest(image: PlannedImage) -> Digest:
    assert image.digest is not None  # noqa: S101 - an image with steps has a digest
    return image.digest


def refusal(name: str, result: GateResult) -> GateRefused:
    """The error of an image that a gate refused, with the first lines of what the program wrote."""
    program = result.command.split()[0].rpartition("/")[2]
    said = f": {' / '.join(result.lines)}" if result.lines else ""
    return GateRefused(
        f"the gate {program} does not let it pass: {result.problem}{said}",
        subject=name,
        hint=f"what the gate wrote is in {result.file}" if result.file else "--gate-output DIR keeps all that it wrote",
    )


def _of_staging(error: LocalError) -> LocalError:
    """The same error, saying that it is about the folder for the gates, which is on no side."""
    room = "free room there, or set TRANSLOAD_STATE_DIR to a folder on a larger disk"
    return type(error)(
        f"fetching images for the gates: {error.message}",
        subject=error.subject,
        hint=room if isinstance(error, DiskFull) else error.hint,
    )
