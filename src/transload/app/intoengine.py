"""An engine as the target: `mirror SET --to docker:` gives it images of any source, as `load` does with a bundle."""

from __future__ import annotations

from typing import Any

from transload.app.job import Job
from transload.app.loading import LoadedImage, Loading, LoadWish, Wanted
from transload.app.location import Location
from transload.app.mirror import Prepared, source_notes
from transload.app.nodeengine import EngineChoice, open_engine
from transload.app.selection import select
from transload.app.stores import Stores
from transload.clock import SYSTEM_CLOCK
from transload.engines.engine import Engine
from transload.errors import Interrupted, NotFound, Refused, TransloadError, UsageError
from transload.events import Counting, ImageDone, Listener, RunFinished, RunStarted, ignore
from transload.oci import Reference
from transload.planning import Item, Plan
from transload.planning.plan import PlannedImage, Share
from transload.threads import Cancellation
from transload.transfer import ImageOutcome, Outcome
from transload.values import frozen

_REFUSED = ("referrers", "foreign_layers", "recheck", "values_folder")


def prepare_into(job: Job, stores: Stores, cancellation: Cancellation) -> Prepared:
    """Select the images, read their manifests, and ask the engine what it has. Moves no layers.

    Raises `UsageError` for what an engine cannot hold, `Unreachable` without an engine, and as `select` does.
    """
    for name in job.asked(_REFUSED):
        flag = f"--{name.replace('_', '-')}"
        raise UsageError(f"{flag} is nothing that an engine can do", hint=f"leave {flag} out")
    if len(job.platforms) > 1:
        raise UsageError("an engine keeps one platform of an image, and several are wanted", hint="name one")
    selection = select(job, stores, cancellation)
    names = [_full_name(item, job.target) for item in selection.items]
    choice = EngineChoice(kind="docker" if job.target.kind == "docker" else "podman")
    engine = open_engine(choice, stores.environment, cancellation.check)
    wish = LoadWish(platform=next(iter(job.platforms), None))
    loadings = {
        locator: Loading(source, engine, wish, cancellation, working=ignore)
        for locator, source in selection.sources.items()
    }
    looked = [loadings[item.source_store].looked(item, name) for item, name in zip(selection.items, names, strict=True)]
    images = tuple(_planned(item, image, job) for item, image in zip(selection.items, looked, strict=True))
    inside: Any = stores.source(job.target)  # it can only be read; what writes is `_Giving`
    giving = _Giving(images, tuple(looked), loadings, cancellation)
    return Prepared(
        plan=Plan(target=job.target.locator, images=images, steps=(), manifests={}),
        sources=selection.sources,
        target=inside,
        location=job.target,
        notes=(*selection.notes, *source_notes(selection.sources), _note(engine, job)),
        choices=selection.choices,
        instead=giving.run,
    )


def _full_name(item: Item, target: Location) -> Reference:
    """What the engine calls it: as where it is published, or below the registry that was named."""
    if target.value:
        return Reference(target.value, item.target)
    source = Location.parse(item.source_store)
    if not source.value or not (source.kind == "registry" or source.is_engine):
        raise UsageError(
            f"{item.source_store} does not say of which registry {item.source} is",
            subject=str(item.source),
            hint=f"name one: --to {target.kind}:HOST[/PREFIX]; for a bundle: transload load BUNDLE --{target.kind}",
        )
    return Reference(source.value, item.target)


def _note(engine: Engine, job: Job) -> str:
    which = job.platforms[0] if job.platforms else engine.platform
    return f"{engine.title} keeps one platform of each image ({which}), and no signatures"


def _planned(item: Item, looked: LoadedImage | Wanted, job: Job) -> PlannedImage:
    common: dict[str, Any] = {"source_store": item.source_store, "source": item.source, "target": item.target}
    if isinstance(looked, Wanted):
        blobs = looked.image.blobs
        copied = Share(len(blobs), sum(blob.size for blob in blobs))
        digest = looked.unsent.digest
        return PlannedImage(
            **common,
            status="changed" if looked.before else "new",
            copied=copied,
            digest=digest,
            source_digest=digest,
        )
    error = looked.error
    if looked.status == "left-out":
        error = Refused(f"{item.source} is no image that an engine can hold", subject=str(item.source))
    if error is None:
        return PlannedImage(**common, status="unchanged", digest=looked.digest, source_digest=looked.digest)
    missing = isinstance(error, NotFound)
    excused = missing and (item.optional or job.allow_missing)
    return PlannedImage(**common, status="missing" if missing else "failed", error=error, excused=excused)


@frozen
class _Giving:
    """The run, image after image."""

    images: tuple[PlannedImage, ...]
    looked: tuple[LoadedImage | Wanted, ...]
    loadings: dict[str, Loading]
    cancellation: Cancellation

    def run(self, listen: Listener) -> Outcome:
        """Give every image to the engine."""
        started_s = SYSTEM_CLOCK.monotonic_s()
        listen(RunStarted(len(self.images), 0, 0))
        outcomes: list[ImageOutcome] = []
        for number, image in enumerate(self.images):
            error = self._given(image, self.looked[number])
            if isinstance(error, Interrupted) or self.cancellation.cancelled:
                break
            outcomes.append(ImageOutcome(done=True, error=error))
            listen(ImageDone(number, error))
        left = len(self.images) - len(outcomes)
        duration_s = SYSTEM_CLOCK.monotonic_s() - started_s
        listen(RunFinished(duration_s, interrupted=left > 0))
        unfinished = [ImageOutcome(done=False, error=None)] * left
        return Outcome((*outcomes, *unfinished), left > 0, duration_s)

    def _given(self, image: PlannedImage, looked: LoadedImage | Wanted) -> TransloadError | None:
        if not isinstance(looked, Wanted):
            return image.error
        return self.loadings[image.source_store].sent(looked, Counting(ignore, "loading", possible=True)).error
