"""Reads each blob once for several targets: each target has a run of its own, and its sources are views from here.

A blob is kept in a temporary file until every target that needs it has it, or has given up. The files have a limit on
their number and their bytes. Above it, a file that few targets still need gives way to one that more need; if there is
none, a target reads from the source itself. Both cost a request more, and never a wait for another target.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from transload.allowance import files_allowed
from transload.errors import Interrupted, LocalError
from transload.events import Event, Listener, StepDone, StepFailed
from transload.files import free_bytes
from transload.limits import SPOOLED_BLOBS, SPOOLED_BYTES
from transload.oci import Descriptor, Digest
from transload.passing import PassedOn
from transload.planning import Plan
from transload.planning.plan import Share
from transload.ports import Chunk, Source
from transload.transfer.blobs import Opens
from transload.transfer.spooled import SpooledBlob
from transload.values import define, field, frozen

_Key = tuple[str, Digest]


@frozen(kw_only=True)
class SpoolRoom:
    """How many bytes and how many blobs may be in temporary files at a time, and in which folder."""

    folder: Path
    bytes: int
    blobs: int

    @classmethod
    def of(cls, folder: Path) -> SpoolRoom:
        """What there is in `folder`, which is made if it does not exist."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            free = free_bytes(folder)
        except (OSError, LocalError):  # without it, each target reads for itself
            free = 0
        return cls.within(folder, free, files_allowed())

    @classmethod
    def within(cls, folder: Path, free: int, files: int | None) -> SpoolRoom:
        """As much as the limits allow, at most half of the `free` bytes, and a quarter of the `files` that may be open.

        >>> SpoolRoom.within(Path("folder"), 1000, 100)
        SpoolRoom(folder=PosixPath('folder'), bytes=500, blobs=25)
        """
        blobs = SPOOLED_BLOBS if files is None else min(SPOOLED_BLOBS, files // 4)
        return cls(folder=folder, bytes=min(SPOOLED_BYTES, free // 2), blobs=blobs)


@define(eq=False)
class _Kept:
    """A blob in its file. `readers` read it now, `served` are the targets that have read it to its end."""

    blob: SpooledBlob
    readers: int = 0
    served: set[int] = field(factory=set)
    dropped: bool = False

    @property
    def size(self) -> int:
        return self.blob.descriptor.size - self.blob.base


class SharedReading:
    """What `targets` runs read in common; they are numbered from 0. Safe for threads.

    As long as the plan of a target is not known, it may need everything. Leave the block when all runs have ended.
    """

    def __init__(self, targets: int, room: SpoolRoom) -> None:
        self._room = room
        self._needs: list[set[Digest] | None] = [None] * targets
        self._kept: dict[_Key, _Kept] = {}
        self._read: set[_Key] = set()
        self._again = Share()
        self._used = self._peak = 0
        self._disk_is_full = False
        self._lock = threading.Lock()

    def __enter__(self) -> SharedReading:
        return self

    def __exit__(self, *_: object) -> None:
        for target in range(len(self._needs)):
            self.leave(target)

    @property
    def targets(self) -> int:
        """How many runs read together."""
        return len(self._needs)

    @property
    def read_again(self) -> Share:
        """The blobs that were read from the source once more, and how many bytes that was at most."""
        return self._again

    @property
    def peak_bytes(self) -> int:
        """How many bytes were in temporary files at a time, at most."""
        return self._peak

    def expect(self, target: int, plan: Plan) -> None:
        """The plan of a target is known: what it does not need is not kept for it."""
        self._set(target, {step.descriptor.digest for step in plan.blob_steps()})

    def leave(self, target: int) -> None:
        """A target reads nothing more: its run has ended, or never begins."""
        self._set(target, set())

    def seen_by(self, target: int, source: Source) -> Source:
        """The source as the run to this target sees it. A local source is read by each run for itself."""
        return source if source.request_costs is None else _SharedSource(self, target, source)

    def opened_by(self, target: int, publishers: Opens) -> Opens:
        """The same for what is only opened: the publishers of foreign layers."""
        return _SharedOpens(self, target, publishers, "publisher")

    def listening(self, target: int, plan: Plan) -> Listener:
        """A listener for the run of a target: what it has, or has given up, is not kept for it any more.

        A blob that a target has in one repository is mounted in the others. One that a repository refuses is tried in
        the next.
        """
        blobs = {step.id: step.descriptor.digest for step in plan.blob_steps()}
        left = Counter(blobs.values())

        def listen(event: Event) -> None:
            if isinstance(event, (StepDone, StepFailed)) and event.step in blobs:
                digest = blobs[event.step]
                left[digest] -= 1
                if isinstance(event, StepDone) or not left[digest]:
                    self._settle(target, digest)

        return listen

    @contextmanager
    def reading(
        self, target: int, opens: Opens, locator: str, repository: str, descriptor: Descriptor, offset: int
    ) -> Iterator[Iterator[Chunk]]:
        """The bytes of a blob from `offset` on, of the file if there is one, or else of the source."""
        key = (locator, descriptor.digest)
        kept = self._join(target, key, descriptor, offset)

        def opening(position: int, length: int | None = None) -> AbstractContextManager[Iterator[Chunk]]:
            if kept is not None and kept.blob.lost:
                self._go_without(key, descriptor.size - position)
            return opens.open(repository, descriptor, position, length)

        if kept is None:
            with opening(offset) as chunks:
                yield chunks
            return
        stops = False
        try:
            kept.blob.begin(offset, opening)
            yield self._noting_the_end(kept, target, kept.blob.read(offset, opening), offset)
        except Interrupted:
            stops = True
            raise
        finally:
            if not stops:  # a target that fails leaves no half blob behind, for which the next one would ask again
                kept.blob.bring(opening, lambda: kept.readers == 1 and self._others_need(target, descriptor.digest))
            self._part(kept)

    # --- parts

    @staticmethod
    def _noting_the_end(kept: _Kept, target: int, chunks: Iterator[Chunk], position: int) -> Iterator[Chunk]:
        for chunk in chunks:
            position += len(chunk)
            if position >= kept.blob.descriptor.size:  # not after the loop, which few readers end
                kept.served.add(target)
            yield chunk

    def _go_without(self, key: _Key, size: int) -> None:
        """The disk took no more: from now on every target reads for itself."""
        with self._lock:
            self._disk_is_full = True
            self._count(key, size)

    def _join(self, target: int, key: _Key, descriptor: Descriptor, offset: int) -> _Kept | None:
        """The blob's file, with one more reader; None if the target must read for itself."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return self._begin(target, key, descriptor, offset)
            kept.readers += 1
        # A target that has had all of it and comes again found it damaged, or lost it: then the file must be right.
        if target not in kept.served or kept.blob.is_right():
            return kept
        self._part(kept, drop=True)
        return self._join(target, key, descriptor, offset)

    def _begin(self, target: int, key: _Key, descriptor: Descriptor, offset: int) -> _Kept | None:
        size = descriptor.size - offset
        wanted = self._others_need(target, descriptor.digest)
        self._count(key, size)
        if not wanted or not (self._has_room(size) or self._has_made_room(size, descriptor.digest)):
            return None
        try:
            kept = _Kept(SpooledBlob(descriptor, offset, self._room.folder), readers=1)
        except LocalError:
            return None
        self._kept[key] = kept
        self._used += size
        self._peak = max(self._peak, self._used)
        return kept

    def _has_made_room(self, size: int, digest: Digest) -> bool:
        """Let files go that nobody reads and that fewer targets need than this blob: those of slow and silent ones."""
        wanted = self._needed_by(digest)
        idle = [kept for kept in self._kept.values() if not kept.readers]
        worth = sorted(((self._needed_by(kept.blob.descriptor.digest), at) for at, kept in enumerate(idle)))
        going = [idle[at] for needed_by, at in worth if needed_by < wanted]
        if self._used - sum(kept.size for kept in going) + size > self._room.bytes:
            return False
        while going and not self._has_room(size):
            self._drop(going.pop(0))
        return self._has_room(size)

    def _needed_by(self, digest: Digest) -> int:
        return sum(needs is None or digest in needs for needs in self._needs)

    def _others_need(self, target: int, digest: Digest) -> bool:
        others = (needs for number, needs in enumerate(self._needs) if number != target)
        return any(needs is None or digest in needs for needs in others)

    def _has_room(self, size: int) -> bool:
        room = self._room
        return not self._disk_is_full and self._used + size <= room.bytes and len(self._kept) < room.blobs

    def _count(self, key: _Key, size: int) -> None:
        """Count a reading of the source, and whether it is another one of the same blob."""
        if key in self._read:
            self._again = self._again.plus(size)
        self._read.add(key)

    def _part(self, kept: _Kept, *, drop: bool = False) -> None:
        """One reader less. `drop`: the next one begins a new file."""
        with self._lock:
            kept.readers -= 1
            if drop:
                self._drop(kept)
            elif not kept.readers:
                if kept.dropped:
                    self._close(kept)
                else:
                    kept.blob.leave()

    def _set(self, target: int, needs: set[Digest]) -> None:
        with self._lock:
            self._needs[target] = needs
            self._sweep(list(self._kept.values()))

    def _settle(self, target: int, digest: Digest) -> None:
        with self._lock:
            needs = self._needs[target]
            if needs is not None:
                needs.discard(digest)
            self._sweep([kept for (_, of), kept in self._kept.items() if of == digest])

    def _sweep(self, candidates: list[_Kept]) -> None:
        for kept in candidates:
            digest = kept.blob.descriptor.digest
            if not any(needs is None or digest in needs for needs in self._needs):
                self._drop(kept)

    def _drop(self, kept: _Kept) -> None:
        """Forget the blob; its file ends with its last reader."""
        if not kept.dropped:
            kept.dropped = True
            self._kept = {key: other for key, other in self._kept.items() if other is not kept}
        if not kept.readers:
            self._close(kept)

    def _close(self, kept: _Kept) -> None:
        self._used -= kept.size
        kept.blob.close()


class _SharedOpens:
    """Reads through a `SharedReading`."""

    def __init__(self, shared: SharedReading, target: int, opens: Opens, locator: str) -> None:
        self._shared = shared
        self._target = target
        self._opens = opens
        self._locator = locator

    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AbstractContextManager[Iterator[Chunk]]:
        """See `Reads`."""
        keeps = getattr(self._opens, "keeps", None)  # see `planning.askedonce`
        if length is not None or (keeps is not None and keeps(descriptor)):
            return self._opens.open(repository, descriptor, offset, length)
        return self._shared.reading(self._target, self._opens, self._locator, repository, descriptor, offset)


class _SharedSource(_SharedOpens, PassedOn):
    """A source whose blobs are read through a `SharedReading`; everything else is its own."""

    def __init__(self, shared: SharedReading, target: int, source: Source) -> None:
        _SharedOpens.__init__(self, shared, target, source, source.locator)
        PassedOn.__init__(self, source)

    reads_many: None = None  # what is shared is read by `open`
