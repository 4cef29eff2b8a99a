"""Shows each image that a plan would copy to the gates, before anything of it reaches the target.

1. The image is fetched into a folder on this machine, through the engine, as to any other target.
2. Each gate gets a folder of its own with that image, and says whether it passes.
3. What was fetched is hashed again. What passed is copied on from there; the others leave the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from transload.app.attesting import Attestation, Attesting
from transload.app.belonging import brought_beside
from transload.app.cleaning import ATTESTED
from transload.app.gates import Gate, Gates, kept, look
from transload.app.job import BODIES
from transload.app.mirror import Prepared
from transload.app.staging import BesideTarget, StagedSource, Staging, staging
from transload.app.stores import Stores
from transload.clock import SYSTEM_CLOCK
from transload.errors import DiskFull, GateRefused, LocalError, Refused, TransloadError
from transload.events import Counting, Event, Listener, StepDone
from transload.files import local_errors, read_file
from transload.limits import GATE_OUTPUT_BYTES
from transload.oci import Descriptor, Digest
from transload.planning import ManifestStep, Plan, Referrers, make_plan
from transload.planning.leaving import only, without
from transload.planning.plan import PlannedImage
from transload.ports import Source, Target
from transload.report.gated import GateResult
from transload.threads import Cancellation
from transload.transfer import Outcome, run
from transload.values import define, evolve, field


@define(kw_only=True)
class _Said:
    """What the gates said of an image: their results, and the files with what those wrote that let it pass.

    `error` is why it could not be fetched.
    """

    results: list[GateResult] = field(factory=list)
    outputs: list[Path] = field(factory=list)
    at_s: list[float] = field(factory=list)
    error: TransloadError | None = None

    def error_of(self, name: str) -> TransloadError | None:
        """Why the image, which is called `name` at a target, does not go there."""
        refused = [result for result in self.results if not result.passed]
        return refusal(name, refused[0]) if refused else self.error


@define(kw_only=True)
class Gating:
    """The gates of a run. It may have several targets: each image is shown once, and what is said holds for all."""

    gates: Gates
    stores: Stores
    cancellation: Cancellation
    bodies: int = BODIES
    _place: Staging | None = field(default=None, init=False)
    _said: dict[tuple[str, ...], _Said] = field(factory=dict, init=False)

    def passed(self, prepared: Prepared, *, again: bool = False) -> Prepared:
        """The same run without the images that gates refuse. The plan must have been made of `prepared.request`.

        A refused image fails with `GateRefused`, one that cannot be fetched with its own error. What was fetched is
        read from where it lies. With `again`, attestations that a bundle may have already are taken as they are.

        Raises `DiskFull` before anything is fetched if there is too little room for it, `LocalError`, `Interrupted`,
        what signing raises.
        """
        plan, prefix = prepared.plan, prepared.location.prefix
        said = {
            number: self._said.setdefault(_key(image, prefix), _Said())
            for number, image in enumerate(plan.images)
            if image.goals
        }
        new = [number for number, of_image in said.items() if not (of_image.results or of_image.error)]
        if new:
            self._show(prepared, new, said)
        labels = {number: plan.images[number].label for number in said}
        errors = {number: error for number in labels if (error := self._error(plan, number, said[number]))}
        results = {labels[number]: tuple(of_image.results) for number, of_image in said.items() if of_image.results}
        sources = prepared.sources
        if self._place is not None:
            pool = self._place.pool
            sources = {name: StagedSource(s, pool) if _keeps(s) else s for name, s in sources.items()}
        passed = evolve(prepared, plan=without(plan, errors), sources=sources, gates=results)
        if not self.gates.attest or not _takes_attestations(prepared):
            return passed
        attestations, notes = self._attested(passed, said, again=again)
        return evolve(passed, attestations=attestations, notes=(*prepared.notes, *notes))

    @staticmethod
    def _error(plan: Plan, number: int, said: _Said) -> TransloadError | None:
        """Why an image does not go to the target. What comes beside it is not shown, so that must be no image."""
        image = plan.images[number]
        hidden = next((beside for beside in brought_beside(plan, image) if beside.is_runnable), None)
        if hidden is None:
            return said.error_of(image.label)
        return said.error_of(image.label) or GateRefused(
            f"{hidden.digest.short}, which refers to it and would come with it, is an image too, and gates do not see "
            "what comes with another one",
            subject=image.label,
            hint="--no-referrers brings the image without anything that refers to it",
        )

    def _show(self, prepared: Prepared, shown: list[int], said: Mapping[int, _Said]) -> None:
        assert prepared.request is not None  # noqa: S101 - the caller says so
        plan, request, stores = prepared.plan, prepared.request, self.stores
        if self._place is None:
            held = ExitStack()
            stores.at_end(held.close)
            self._place = held.enter_context(staging(stores.state))
        place = self._place
        items = tuple(request.items[number] for number in shown)
        beside = _beside(plan, prepared.sources, prepared.target)
        narrowed = evolve(request, items=items, referrers=Referrers.UNASKED, recheck=False)
        staged = make_plan(narrowed, beside, place.pool, cancellation=self.cancellation)
        keeps = {locator for locator, source in prepared.sources.items() if _keeps(source)}
        run_ = _Run(
            place=place, gates=self.gates, stores=stores, cancellation=self.cancellation, bodies=self.bodies, said=said
        )
        run_.check_room(staged, keeps)
        counting = Counting(stores.working, "gating", len(shown))
        for position, number in enumerate(shown):
            self.cancellation.check()
            run_.image(number, plan.images[number], only(staged, position), beside)
            if staged.images[position].source_store not in keeps:
                place.drop(_blobs(only(staged, position)))
            counting.add()

    def _attested(
        self, passed: Prepared, said: Mapping[int, _Said], *, again: bool
    ) -> tuple[tuple[Attestation, ...], list[str]]:
        """The attestations of what passed, those that earlier runs could not attach, and notes on missing ones."""
        is_bundle = passed.location.kind == "bundle"
        folder = self._folder()
        if folder is None:
            return (), []
        attesting = Attesting(
            folder=folder,
            target=passed.location.locator if is_bundle else passed.target.locator,
            signer=self.gates.signer,
            again=again,
            stays=is_bundle,
        )
        made: list[Attestation] = []
        notes: list[str] = []
        for number, image in enumerate(passed.plan.images):
            if number in said and image.error is None:
                of_image = said[number]
                for result, path, at_s in zip(of_image.results, of_image.outputs, of_image.at_s, strict=True):
                    with local_errors("reading", path):
                        output = read_file(path, GATE_OUTPUT_BYTES)
                    written, problem = attesting.write(number, image, result, output, at_s)
                    made += written
                    notes += [f"no bill of materials is attached to {image.label}: {problem}"] if problem else []
            elif image.status == "unchanged" and not is_bundle:
                made += attesting.waiting(number, image, (gate.text for gate in self.gates.gates))
        return tuple(made), notes

    def _folder(self) -> Path | None:
        """Where statements lie until they are attached: in the state folder, else as long as this run only."""
        if self.stores.state is not None:
            return self.stores.state / ATTESTED
        return None if self._place is None else self._place.folder / ATTESTED


def _key(image: PlannedImage, prefix: str) -> tuple[str, ...]:
    """What an image is known by at all targets, which may have prefixes of their own."""
    name = image.label.removeprefix(f"{prefix}/") if prefix else image.label
    return (image.source_store, str(image.source), str(image.digest), name)


def _keeps(source: Source) -> bool:
    """Whether what is fetched from a source stays in the staging folder until it is copied on."""
    return source.request_costs is not None


def _takes_attestations(prepared: Prepared) -> bool:
    return prepared.location.kind == "bundle" or prepared.target.refers is not None


def _beside(plan: Plan, sources: Mapping[str, Source], target: Target) -> Mapping[str, Source]:
    """Local sources with the target beside them, for what differential bundles leave out."""
    places = [step.origin for step in plan.blob_steps() if step.origin is not None and step.after is None]
    places += [image.target.repository for image in plan.images]
    return {
        locator: source if _keeps(source) else BesideTarget(source, target, places)
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
    said: Mapping[int, _Said]

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
        """Fetch one image and show it to the gates; note what they say, or why it could not be fetched."""
        said = self.said[number]
        error = staged.images[0].error or self._fetched(staged, sources)
        if error is None and staged.images[0].digest != image.digest:
            error = Refused(
                f"{image.source} stands for other content than when the plan was made",
                subject=str(image.source),
                side="source",
                hint="run the same command again",
            )
        if error is not None:
            said.error = error
            return
        for position, gate in enumerate(self.gates.gates, 1):
            if not self._looked(gate, position, image, staged, said):
                return

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

    def _looked(self, gate: Gate, position: int, image: PlannedImage, staged: Plan, said: _Said) -> bool:
        """Whether a gate lets the image pass; what it says is noted."""
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
        said.results.append(kept(result, output, self.gates.output, image.target, digest, position))
        if result.passed:
            said.outputs.append(self.place.keep(output))
            said.at_s.append(SYSTEM_CLOCK.wall_s())
        return result.passed


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
