"""Proves that a target holds what it should: compares and reads manifests, asks for blobs or hashes them again."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from transload.errors import (
    AccessError,
    BlobUnknown,
    ContentDiffers,
    CorruptError,
    DigestMismatch,
    Interrupted,
    LocalError,
    ManifestUnknown,
    NotFound,
    Refused,
    SizeMismatch,
    TransloadError,
    Truncated,
    Unreachable,
    VolumeMissing,
    as_result,
    at_side,
)
from transload.events import ActivityListener, Counting, ignore
from transload.graph import Node, grow, walk
from transload.oci import Descriptor, Digest, Manifest, Name, Verifier
from transload.planning.expected import expect_survey
from transload.planning.narrowing import wanted_children
from transload.planning.parts import NOTHING_LEFT_OUT, LeftOut
from transload.planning.request import Item, Narrowing, Request
from transload.planning.survey import Surveyed, Surveyor
from transload.ports import Doubts, Source, Target
from transload.threads import Cancellation, in_parallel
from transload.transfer.readonce import ReadOnce
from transload.values import evolve, field, frozen

Verdict = Literal["identical", "sound", "differs", "absent", "damaged", "unproved", "unchecked"]
"""`sound`: complete, with nothing to compare it with. `unproved`: the source could not be asked, or lacks it.

`unchecked`: the target could not be asked for all of it, and what it did answer was right.
"""
# Errors that say nothing about the content, only that it could not be read. A body that always breaks off and a
# missing volume belong to them: nobody has seen the rest of the content.
_NOT_ASKED = (Unreachable, AccessError, LocalError, Interrupted, Truncated, VolumeMissing)


# A run takes an image at a registry for complete, since registries refuse a manifest without the blobs that it needs.
_WAY = "mirror or push it again with --recheck: what the target has lost is then found, and sent again"
_WAY_IN_FOLDERS = "mirror or push to the folder again: what is missing in it is brought again"
_WAY_OF_DAMAGED = "it is noted in the folder: mirror or push to it again, and the blob is brought again"
_WAY_WITHOUT_NOTE = "this cannot be noted there ({}): copy the folder again, or mirror into another one"
_WAY_OF_REGISTRIES = "a registry does not take content again that it has: have it deleted there, then use --recheck"


def is_wrong(error: TransloadError) -> bool:
    """Whether an error during a check means that content is wrong or missing, not that it was out of reach."""
    return not isinstance(error, _NOT_ASKED) and type(error) is not Refused


@frozen
class Proof:
    """The verdict on one name at the target. Counts are of what was checked below it, sizes in bytes.

    `digest` is that of the manifest at the target, None if there is none; `root` describes that manifest, if all below
    it was checked. `published` is what the source publishes: another manifest where the target should have only some
    platforms of it. `parts` are the manifests that were read, as far as that was done here. `verdict` says what was
    found (see `Verdict`), and `error` why it is not a good one.
    """

    name: Name
    verdict: Verdict
    digest: Digest | None = field(default=None, kw_only=True)
    manifests: int = field(default=0, kw_only=True)
    blobs: int = field(default=0, kw_only=True)
    bytes: int = field(default=0, kw_only=True)
    error: TransloadError | None = field(default=None, eq=False, kw_only=True)
    root: Descriptor | None = field(default=None, eq=False, kw_only=True)
    published: Descriptor | None = field(default=None, eq=False, kw_only=True)
    parts: tuple[Digest, ...] = field(default=(), eq=False, kw_only=True, repr=False)

    @property
    def good(self) -> bool:
        """Whether it is as it should be."""
        return self.verdict in {"identical", "sound"}

    @property
    def wrong(self) -> bool:
        """Whether it is known to be wrong. What could not be checked is neither `wrong` nor `good`."""
        return self.verdict in {"differs", "absent", "damaged"}

    @property
    def unpublished(self) -> bool:
        """Whether there is nothing to compare it with, since the source lacks it."""
        return self.verdict == "unproved" and isinstance(self.error, NotFound)


class Prover:
    """Proves names of one store. With `deep`, every blob is read and hashed, each content once."""

    def __init__(
        self,
        store: Source,
        *,
        deep: bool,
        threads: int = 8,
        cancellation: Cancellation | None = None,
        counting: Counting | None = None,
    ) -> None:
        self._store = store
        self._deep = deep
        self._threads = threads
        self._cancellation = cancellation or Cancellation()
        self._hashed: dict[Digest, threading.Lock] = {}
        self._sound: set[Digest] = set()
        self._counting = counting
        self._lock = threading.Lock()

    def prove(self, name: Name, left_out: LeftOut = NOTHING_LEFT_OUT) -> Proof:
        """Check everything below `name`. `left_out` says which children of an index are missing on purpose."""
        try:
            with at_side("target"):
                root = self._read(name, left_out)
                nodes = list(walk(root))
                blobs = {blob.digest: blob for node in nodes for blob in node.manifest.blobs if not blob.is_foreign}
                pairs = [(name.repository, blob) for blob in blobs.values()]
                self._check_blobs(pairs)
        except NotFound as error:
            missing_root = isinstance(error, ManifestUnknown) and error.subject == str(name)
            return Proof(name, "absent" if missing_root else "damaged", error=as_result(error))
        except TransloadError as error:
            if is_wrong(error) and getattr(self._store, "doubts", None) is not None:
                error.hint = error.hint or _WAY_IN_FOLDERS
            return Proof(name, "damaged" if is_wrong(error) else "unchecked", error=as_result(error))
        size = sum(blob.size for blob in blobs.values())
        held, parts = root.manifest.descriptor, tuple(node.manifest.digest for node in nodes)
        found = Proof(name, "sound", digest=held.digest, manifests=len(nodes), blobs=len(blobs), bytes=size, root=held)
        return evolve(found, parts=parts)

    def _read(self, name: Name, left_out: LeftOut) -> Node:
        return grow(
            left_out.meet(self._store.fetch(name)),
            lambda child: left_out.meet(self._store.fetch(name.at(child.digest))),
            lambda child: child not in left_out,
        )

    def look(self, name: Name) -> Digest | Proof:
        """Ask again for a name that did not resolve: the digest if a GET finds it, else why there is none."""
        try:
            with at_side("target"):
                return self._store.fetch(name).digest
        except TransloadError as error:
            if not isinstance(error, NotFound):
                return Proof(name, "damaged" if is_wrong(error) else "unchecked", error=as_result(error))
        absent = ManifestUnknown(f"the target has no {name}", subject=str(name), side="target", hint="mirror it first")
        return Proof(name, "absent", error=absent)

    def _check_blobs(self, pairs: list[tuple[str, Descriptor]]) -> None:
        """Raises what is wrong with a blob. If no blob is wrong, raises why one could not be checked."""

        def check(pair: tuple[str, Descriptor]) -> TransloadError | None:
            try:
                self._check_blob(*pair)
            except TransloadError as error:
                if is_wrong(error) or isinstance(error, Interrupted):
                    raise
                return error
            return None

        for error in in_parallel(check, pairs, self._threads, self._cancellation):
            if error is not None:
                raise error

    def _check_blob(self, repository: str, blob: Descriptor) -> None:
        with self._lock:
            lock = self._hashed.setdefault(blob.digest, threading.Lock())
        if self._deep:
            with lock:
                if blob.digest not in self._sound:
                    self._hash(repository, blob)
                    self._sound.add(blob.digest)
                    return
        if not self._store.exists(repository, blob):
            raise BlobUnknown(
                f"{repository} lacks blob {blob.digest.short} of {blob.size} bytes",
                subject=blob.digest,
                hint=_WAY_IN_FOLDERS if getattr(self._store, "paths", None) else _WAY,
            )

    def _hash(self, repository: str, blob: Descriptor) -> None:
        """Read a blob and check it. What a server sent may have been damaged on the way: it is read once more."""
        try:
            self._hash_once(repository, blob)
        except CorruptError:
            if self._store.request_costs is None:
                raise
            self._hash_once(repository, blob)

    def _hash_once(self, repository: str, blob: Descriptor) -> None:
        try:
            self._compare(repository, blob)
        except (DigestMismatch, SizeMismatch, Truncated) as error:
            error.hint = self._way_on(blob) or error.hint
            raise

    def _way_on(self, blob: Descriptor) -> str | None:
        """How a damaged blob can be mended, after it was noted in its store, if the store keeps such notes."""
        doubts: Doubts | None = getattr(self._store, "doubts", None)
        if doubts is None:
            return None if self._store.request_costs is None else _WAY_OF_REGISTRIES
        try:
            doubts.note(blob.digest)
        except LocalError as error:
            return _WAY_WITHOUT_NOTE.format(error)
        return _WAY_OF_DAMAGED

    def _compare(self, repository: str, blob: Descriptor) -> None:
        verifier = Verifier(blob.digest, blob.size)
        with self._store.open(repository, blob) as chunks:
            for chunk in chunks:
                self._cancellation.check()
                verifier.update(chunk)
                if self._counting:
                    self._counting.read(len(chunk))
        verifier.check()


def compare(
    request: Request,
    sources: Mapping[str, Source],
    target: Target,
    *,
    deep: bool = False,
    threads: int = 8,
    cancellation: Cancellation | None = None,
    working: ActivityListener = ignore,
) -> tuple[Proof, ...]:
    """Compare every item of `request` with what the target holds under its name, and check that it is complete.

    The verdict is `differs` for an image that is not the source's, `absent` for one that is missing. Raises errors of
    the target as a whole (`Unreachable`, `CredentialsRejected`).
    """
    cancellation = cancellation or Cancellation()
    expect_survey(request.items, sources, target)
    read: Any = ReadOnce(target)  # as a target
    surveyor = Surveyor(request, sources, read)
    survey = Counting(working, "surveying", len(request.items)).around(surveyor.survey)
    surveyed = in_parallel(survey, request.items, threads, cancellation)
    counting = Counting(working, "proving", len(surveyed))
    prover = Prover(read, deep=deep, threads=threads, cancellation=cancellation, counting=counting)

    def compared(image: Surveyed) -> Proof:
        return _compared(image, prover, _may_lack(image, request, sources))

    return tuple(map(counting.around(compared), surveyed))


def _compared(image: Surveyed, prover: Prover, left_out: LeftOut) -> Proof:
    name = _target_name(image.item, image)
    if image.error is not None:
        return Proof(name, "unproved", error=image.error)
    held = image.at_target.digest if image.at_target else prover.look(name)
    if isinstance(held, Proof):
        return held
    if image.digest != held and image.root is not None:
        digest = image.root.manifest.digest
        differs = ContentDiffers(
            f"{name} is {held} at the target, but {digest} at the source",
            subject=str(name),
            hint="mirror it again, or see who pushed something else under this name",
        )
        return Proof(name, "differs", digest=held, error=differs)
    proof = prover.prove(name, left_out)
    companions = [companion for companion in _companion_proofs(image, prover) if not companion.good]
    lacking = next((companion for companion in companions if companion.wrong), companions[0] if companions else None)
    if proof.good and lacking is not None:
        return evolve(proof, verdict="damaged" if lacking.wrong else lacking.verdict, error=lacking.error)
    return evolve(proof, verdict="identical", published=image.published) if proof.good else proof


def _companion_proofs(image: Surveyed, prover: Prover) -> Iterable[Proof]:
    repository = image.item.target.repository
    return (prover.prove(Name(repository, None, companion.node.manifest.digest)) for companion in image.extras)


def _target_name(item: Item, image: Surveyed) -> Name:
    digest = image.digest or image.source_digest or item.source.digest
    return Name(item.target.repository, item.target.tag, None if item.target.tag else digest)


def _may_lack(image: Surveyed, request: Request, sources: Mapping[str, Source]) -> LeftOut:
    """The children that may be missing: those not wanted of a sparse index, those its source lacks on purpose."""
    item = image.item
    platforms = item.platforms or request.platforms
    narrowed = platforms and request.narrowing is Narrowing.SPARSE

    def unwanted(index: Manifest) -> Iterable[Digest]:
        if not narrowed or index.digest != image.digest:
            return ()
        return {child.digest for child in index.manifests} - wanted_children(index, platforms)

    return LeftOut(sources.get(item.source_store), item.source.repository, unwanted)
