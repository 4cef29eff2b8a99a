"""Loads the images of a carried store into an engine of this machine, straight from the volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from transload.app.detect import CarriedStore, select_carried, signature_notes, volume_notes
from transload.app.job import Job
from transload.app.loadnames import full_names
from transload.app.location import Location
from transload.app.platformchoice import Part, engine_image
from transload.app.stores import Stores
from transload.engines.api import printable
from transload.engines.archive import EngineImage, archive_of
from transload.engines.engine import Engine
from transload.errors import (
    ContentDiffers,
    DigestMismatch,
    Interrupted,
    PrerequisiteMissing,
    ServerTrouble,
    TransloadError,
    UsageError,
    as_result,
)
from transload.events import ActivityListener, Counting
from transload.oci import Descriptor, Digest, Manifest, Platform, Reference
from transload.planning import Item
from transload.ports import Chunk, Source
from transload.report.exitcodes import of_run
from transload.report.problem import Problem
from transload.report.texts import count
from transload.threads import Cancellation
from transload.values import evolve, field, frozen

_DIFFERENTIAL = "a differential bundle is completed by what its target has: push it to the registry; or pack a full one"
_DAMAGED = "copy it again from where it was made; transload verify names what is damaged"

LoadStatus = Literal["loaded", "updated", "present", "left-out", "failed"]
"""`updated`: the name stood for something else before. `present`: it was there. `left-out`: no engine can hold it."""


@frozen(kw_only=True)
class LoadWish:
    """What is to be loaded: only these `images` (all, if empty), for this platform, under these names.

    Without `platform` it is that of the engine; with `whole`, every platform that is carried. `under` is a registry
    with a prefix that goes before the names in the store; without it, images keep the names of their source.
    """

    images: tuple[str, ...] = ()
    platform: Platform | None = None
    whole: bool = False
    under: Location | None = None

    def check(self) -> None:
        """Raises `UsageError` if the parts do not go together."""
        if self.whole and self.platform:
            raise UsageError(
                f"all platforms are wanted, and only {self.platform}", hint="leave --platform or --all-platforms out"
            )


@frozen(kw_only=True)
class LoadedImage:
    """How one image ended. `name` is the full name that pods ask for, `source` its name in the store that was read.

    `identity` is what the engine calls it (docker and podman: the digest of its config), `digest` that of its manifest
    or index; `bytes` is how much was sent.
    """

    name: str
    source: str
    status: LoadStatus
    digest: Digest | None = None
    identity: str | None = None
    bytes: int = 0
    error: TransloadError | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """One entry of `images`."""
        return {
            "name": self.name,
            "source": self.source,
            "status": self.status,
            "digest": self.digest,
            "identity": self.identity,
            "bytes": self.bytes,
            "problem": Problem.of(self.error).to_json() if self.error else None,
        }


@frozen(kw_only=True)
class Loaded:
    """How a load ended: each image in the order of the store. `engine` is what took them, `address` where it is."""

    engine: str
    address: str
    images: tuple[LoadedImage, ...]
    notes: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """How many bytes of blobs were sent to the engine."""
        return sum(image.bytes for image in self.images)

    @property
    def failures(self) -> tuple[LoadedImage, ...]:
        """The images that failed."""
        return tuple(image for image in self.images if image.status == "failed")

    @property
    def good(self) -> bool:
        """Whether every image that an engine can hold is there."""
        return not self.failures

    @property
    def exit_code(self) -> int:
        """What the process ends with (docs/formats/json-output.md, "Exit codes")."""
        interrupted = any(isinstance(image.error, Interrupted) for image in self.images)
        codes = [
            image.error.exit_code if image.error and image.status == "failed" else 0
            for image in self.images
            if image.status != "left-out"
        ]
        return of_run(codes, Interrupted.exit_code if interrupted else None)

    def to_json(self) -> dict[str, Any]:
        """The `loaded` object of docs/formats/json-output.md."""
        return {
            "engine": self.engine,
            "address": self.address,
            "good": self.good,
            "bytes": self.bytes,
            "images": [image.to_json() for image in self.images],
            "notes": list(self.notes),
        }


def load_carried(
    carried: CarriedStore,
    wish: LoadWish,
    engine: Engine,
    stores: Stores,
    cancellation: Cancellation,
    tell: Callable[[LoadedImage], None] = lambda _image: None,
) -> Loaded:
    """Give the engine every image that is wanted and that it does not have; `tell` hears of each.

    Images are loaded one after the other: what fails with one does not touch the others. Raises what concerns the
    whole: `SelectionEmpty`, `ImageUnknown`, `TargetConflict`, `ReferenceInvalid`, and what `Engine.identity` raises.
    """
    job = Job(sets=(), target=wish.under or Location("oci", ""), images=wish.images)
    selection = select_carried(carried, job, stores.working)
    names, notes = full_names(selection.items, carried, wish.under)
    loading = Loading(carried.source, engine, wish, cancellation, working=stores.working)
    images = loading.all(selection.items, names, tell)
    if carried.bundle:
        notes = (*signature_notes(carried.bundle), *volume_notes(carried.bundle), *notes)
    left_out = sum(image.status == "left-out" for image in images)
    if left_out:
        it = "is no image" if left_out == 1 else "are no images"
        notes = (*notes, f"{left_out} of {count(len(images), 'entry')} {it} that an engine can hold: left out")
    return Loaded(engine=engine.title, address=str(engine.address), images=tuple(images), notes=tuple(notes))


@frozen
class Wanted:
    """An image that is to be loaded from `repository`, and what the engine had under its name.

    `unsent` is its result if nothing is sent.
    """

    unsent: LoadedImage
    repository: str
    image: EngineImage
    before: str | None


class Loading:
    """One load: what the engine has got so far."""

    def __init__(
        self, source: Source, engine: Engine, wish: LoadWish, cancellation: Cancellation, working: ActivityListener
    ) -> None:
        self._source = source
        self._engine = engine
        self._cancellation = cancellation
        self._working = working
        self._loaded: list[Manifest] = []
        self._part = Part(
            platform=wish.platform or engine.platform,
            asked=wish.platform is not None,
            whole=wish.whole,
            with_index=engine.keeps_indexes,
        )

    def all(
        self, items: Sequence[Item], names: Sequence[Reference], tell: Callable[[LoadedImage], None]
    ) -> list[LoadedImage]:
        """Look at every image first, so that it is known how much there is to send; then send what is missing."""
        looked = [self.looked(item, name) for item, name in zip(items, names, strict=True)]
        total = sum(blob.size for image in looked if isinstance(image, Wanted) for blob in image.image.blobs)
        counting = Counting(self._working, "loading", total, possible=not total)
        results = []
        for image in looked:
            result = self.sent(image, counting) if isinstance(image, Wanted) else image
            tell(result)
            results.append(result)
        return results

    def looked(self, item: Item, name: Reference) -> LoadedImage | Wanted:
        """What is to be sent for an image, or how it ends if nothing is."""
        result = LoadedImage(name=str(name), source=str(item.source), status="failed")
        try:
            self._cancellation.check()
            root = self._source.fetch(item.source)
            image = engine_image(self._source, item, name, root, self._part)
        except TransloadError as error:
            if isinstance(error, PrerequisiteMissing):
                return self._left_out(item, name, evolve(result, error=error))
            return evolve(result, error=as_result(error))
        result = evolve(result, digest=root.digest)
        if image is None:
            return evolve(result, status="left-out")
        before = self._engine.identity(name)
        if before in image.known_as and self._is_whole(image, before):
            return evolve(result, status="present", identity=before)
        refusal = self._engine.why_not(image)
        if refusal is not None:
            return evolve(result, error=refusal)
        return Wanted(result, item.source.repository, image, before)

    def _left_out(self, item: Item, name: Reference, failed: LoadedImage) -> LoadedImage:
        """How an image ends that a differential bundle does not carry: it may be there, from the bundle before."""
        digest = self._source.resolve(item.source).digest
        if self._engine.keeps_indexes and self._engine.identity(name) == digest:
            return evolve(failed, status="present", digest=digest, identity=digest, error=None)
        message = f"{item.source} was left out of this differential bundle: {digest.short}"
        return evolve(failed, error=PrerequisiteMissing(message, subject=str(name), hint=_DIFFERENTIAL))

    def _is_whole(self, image: EngineImage, identity: str | None) -> bool:
        """Whether the engine has all of it: containerd may have an index with the images of other platforms."""
        if not self._engine.keeps_indexes:
            return True
        return identity == image.root.digest and image.digests == self._engine.held(image, ())

    def sent(self, wanted: Wanted, counting: Counting) -> LoadedImage:
        """Send it; how it ended."""
        image, before, result = wanted.image, wanted.before, wanted.unsent
        sent = _Sent(self._source, wanted.repository, self._cancellation, counting)
        try:
            self._cancellation.check()
            identity = self._given(image, sent)
        except TransloadError as error:
            if isinstance(error, DigestMismatch):
                error.message = f"damaged content: {error.message}"
                error.hint = error.hint or _DAMAGED
            return evolve(result, error=as_result(error), bytes=sent.bytes)
        self._loaded += image.images
        return evolve(result, status="updated" if before else "loaded", identity=identity, bytes=sent.bytes)

    def _given(self, image: EngineImage, sent: _Sent) -> str:
        """Give the image to the engine, without what it has; whole, if that has gone meanwhile. How it is called."""
        held = self._engine.held(image, self._loaded)
        try:
            identity = self._give(image, sent, held)
        except ServerTrouble:
            if not held:
                raise
            identity = self._give(image, sent, frozenset())
        if identity in image.known_as and not self._is_whole(image, identity):
            identity = self._give(image, sent, frozenset())
        if identity not in image.known_as or not self._is_whole(image, identity):
            raise _another(image, identity, self._engine)
        return identity or ""

    def _give(self, image: EngineImage, sent: _Sent, held: frozenset[Digest]) -> str | None:
        for blob in image.blobs:
            if blob.digest not in held and not self._source.exists(sent.repository, blob):
                raise _lacking(image, blob)
        sent.skip(blob for blob in image.blobs if blob.digest in held)
        self._engine.load(image, archive_of(image, sent.open, held))
        return self._engine.identity(image.name)


class _Sent:
    """Reads blobs for an archive, and counts what was read."""

    def __init__(self, source: Source, repository: str, cancellation: Cancellation, counting: Counting) -> None:
        self.repository = repository
        self.bytes = 0
        self._source = source
        self._cancellation = cancellation
        self._counting = counting

    def skip(self, blobs: Iterator[Descriptor]) -> None:
        """Count blobs that the engine has as done."""
        self._counting.add(sum(blob.size for blob in blobs))

    @contextmanager
    def open(self, blob: Descriptor) -> Iterator[Iterator[Chunk]]:
        """See `archive.OpenBlob`."""
        with self._source.open(self.repository, blob) as chunks:
            yield map(self._counted, chunks)

    def _counted(self, chunk: Chunk) -> Chunk:
        self._cancellation.check()
        self.bytes += len(chunk)
        self._counting.add(len(chunk))
        return chunk


def _another(image: EngineImage, identity: str | None, engine: Engine) -> ContentDiffers:
    what = f"has {printable(identity)} under this name" if identity else "does not have it"
    return ContentDiffers(
        f"{image.name} was loaded, but {engine.title} {what}",
        subject=str(image.name),
        hint="something else may have changed the name meanwhile: load it again",
    )


def _lacking(image: EngineImage, blob: Descriptor) -> PrerequisiteMissing:
    return PrerequisiteMissing(
        f"{image.name} needs content that is not carried here: {blob.digest.short}",
        subject=str(image.name),
        hint=_DIFFERENTIAL,
    )
