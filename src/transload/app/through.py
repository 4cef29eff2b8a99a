"""`--through docker`: the vendor script's own way. An engine pulls, tags and pushes, with its own proxy."""

from __future__ import annotations

from transload.app.engines import open_api
from transload.app.job import Job, Through
from transload.app.location import Location
from transload.app.mirror import Prepared
from transload.app.selection import select
from transload.app.stores import Stores
from transload.clock import SYSTEM_CLOCK
from transload.engines.api import EngineApi
from transload.engines.relay import Relayed, relay
from transload.errors import (
    AccessError,
    ContentDiffers,
    Interrupted,
    NotFound,
    TransloadError,
    Unreachable,
    UsageError,
    at_side,
)
from transload.events import ImageDone, Listener, RunFinished, RunStarted
from transload.net.address import Origin
from transload.net.probe import connecting_s
from transload.oci import Name, Reference
from transload.planning import Item, Plan
from transload.planning.plan import PlannedImage
from transload.threads import Cancellation
from transload.transfer import ImageOutcome, Outcome
from transload.values import evolve, frozen

_CONNECT_S = 5.0
_REFUSED = ("allow_missing", "referrers", "foreign_layers", "recheck", "values_folder")


def prepare_through(job: Job, through: Through, stores: Stores, cancellation: Cancellation) -> Prepared:
    """Select the images, and let the engine copy them. The registries are not asked about them; the engine has to run.

    Raises `UsageError` for what an engine cannot do, `Unreachable` without an engine, and as `select` does.
    """
    _check(job)
    selection = select(job, stores, cancellation)
    for item in selection.items:
        _check_item(item, job)
    engine = open_api(through.engine, stores.environment, cancellation.check)
    engine.value("GET", "/version", doing=f"asking {through.engine}")
    images = tuple(
        PlannedImage(source_store=item.source_store, source=item.source, target=item.target, status="new")
        for item in selection.items
    )
    relaying = _Relaying(
        job=job,
        through=through,
        engine=engine,
        items=selection.items,
        stores=stores,
        cancellation=cancellation,
    )
    return Prepared(
        plan=Plan(target=job.target.locator, images=images, steps=(), manifests={}),
        sources=selection.sources,
        target=stores.target(job.target),
        location=job.target,
        notes=(*selection.notes, _note(job, through)),
        choices=selection.choices,
        instead=relaying.run,
    )


def _check(job: Job) -> None:
    if job.target.kind != "registry":
        raise UsageError(f"an engine pushes to a registry, and {job.target} is none", hint="leave --through out")
    for name in job.asked(_REFUSED):
        flag = f"--{name.replace('_', '-')}"
        raise UsageError(f"{flag} is nothing that an engine can do", hint=f"leave {flag} or --through out")


def _check_item(item: Item, job: Job) -> None:
    if Location.parse(item.source_store).kind != "registry":
        raise UsageError(
            f"an engine pulls from registries, and {item.source_store} is none",
            subject=str(item.source),
            hint="leave --through out",
        )
    if item.target.tag is None:
        raise UsageError(
            f"an engine pushes tags only, and {item.target} has none",
            subject=str(item.target),
            hint=f"give it a tag: '{item.source_store}/{item.source} -> {item.target.repository}:TAG'",
        )
    if len(item.platforms or job.platforms) > 1:
        raise UsageError(
            f"an engine copies one platform of an image, and {item.source} is wanted for several",
            hint="name one with --platform, or leave --through out",
        )


def _note(job: Job, through: Through) -> str:
    """What this way cannot keep."""
    which = str(job.platforms[0]) if job.platforms else "its own"
    return (
        f"{through.engine} copies one platform ({which}), no index and no signatures, and makes new manifests: "
        "digests differ from the published ones"
    )


@frozen
class _Relaying:
    """The run, image after image."""

    job: Job
    through: Through
    engine: EngineApi
    items: tuple[Item, ...]
    stores: Stores
    cancellation: Cancellation

    def run(self, listen: Listener) -> Outcome:
        """Copy every image. A failure is one of its image, also where it was too big; without the engine, all end."""
        started_s = SYSTEM_CLOCK.monotonic_s()
        listen(RunStarted(len(self.items), 0, 0))
        outcomes: list[ImageOutcome] = []
        ended: TransloadError | None = None
        try:
            for number, item in enumerate(self.items):
                outcome = ImageOutcome(done=True, error=ended, tried=False) if ended else self._image(item)
                ended = outcome.error if self._is_the_end(outcome.error) else None
                outcomes.append(outcome)
                listen(ImageDone(number, outcome.error, outcome.tried))
            outcomes = self._verified(outcomes)
        except Interrupted:
            pass
        left = len(self.items) - len(outcomes)
        duration_s = SYSTEM_CLOCK.monotonic_s() - started_s
        listen(RunFinished(duration_s, interrupted=left > 0))
        unfinished = [ImageOutcome(done=False, error=None)] * left
        return Outcome((*outcomes, *unfinished), left > 0, duration_s)

    def _image(self, item: Item) -> ImageOutcome:
        self.cancellation.check()
        source, target = Reference(item.source_store, item.source), Reference(self.job.target.value, item.target)
        try:
            image = Relayed(
                source=source,
                target=target,
                source_login=self.stores.login("source", source.registry, source.name.repository),
                target_login=self.stores.login("target", target.registry, target.name.repository),
                platform=next(iter(item.platforms or self.job.platforms), None),
            )
            digest = relay(self.engine, image, keep=self.through.keep, check=self.cancellation.check)
        except Interrupted:
            raise
        except TransloadError as error:
            return ImageOutcome(done=True, error=error)
        return ImageOutcome(done=True, error=None, digest=digest)

    def _is_the_end(self, error: TransloadError | None) -> bool:
        """Whether the engine does not answer, so that no other image will be copied either."""
        return type(error) is Unreachable and error.subject == str(self.engine.address)

    # --- what the target says afterwards

    def _verified(self, outcomes: list[ImageOutcome]) -> list[ImageOutcome]:
        """The same, failed where the target has other content than the engine says. Not every site lets us ask."""
        if not any(outcome.digest for outcome in outcomes):
            return outcomes
        try:
            self._check_way()
            return [self._asked(item, outcome) for item, outcome in zip(self.items, outcomes, strict=True)]
        except (Unreachable, AccessError) as error:
            self.stores.notice(
                f"not verified, because transload itself cannot ask {self.job.target.value} ({error.message}): "
                f"the digests are those that {self.through.engine} reported"
            )
            return outcomes

    def _check_way(self) -> None:
        """Raises `Unreachable` quickly for a host that only the engine can reach."""
        host = self.job.target.value
        origin = Origin.of(f"https://{host}")
        is_reached = connecting_s(origin.host, origin.port, _CONNECT_S) is not None
        if not (is_reached or self.stores.environment.proxies):
            raise Unreachable(f"there is no connection to {host}")

    def _asked(self, item: Item, outcome: ImageOutcome) -> ImageOutcome:
        if outcome.digest is None:
            return outcome
        name = Name(item.target.repository, item.target.tag)
        try:
            with at_side("target"):
                digest = self.stores.target(self.job.target).resolve(name).digest
        except NotFound as error:
            return evolve(outcome, error=error)
        if digest == outcome.digest:
            return outcome
        differs = ContentDiffers(
            f"{self.through.engine} pushed {outcome.digest.short} as {name}, and the target has {digest.short}",
            subject=str(name),
            side="target",
            hint="see who else pushes this tag, and run the same again",
        )
        return evolve(outcome, error=differs)
