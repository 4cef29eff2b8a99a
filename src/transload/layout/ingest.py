"""A blob on its way into a layout: a file beside the blobs, moved among them when its digest is proved.

Invariants, whatever moment the process ends at:
1. a file under `blobs/` was whole, hashed and flushed before it got its name;
2. a file under `.transload/ingest/` has one writer, who holds its lock;
3. what lies there is believed only after it was hashed again.

A second writer of the same blob, here or in another process, does not wait: it writes a file of its own, which is not
kept when it gives up. Waiting would tie its fate to a stranger who may be slow or stuck; a few bytes too many do not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from transload.clock import Clock
from transload.errors import Busy, CorruptError, SizeMismatch
from transload.files import Folder, chunks_of, local_errors
from transload.layout.locks import claimed
from transload.oci import Descriptor, Digest, Verifier
from transload.ports import Chunk

_FORGOTTEN_S = 24 * 3600.0  # a second writer's file as old as this was left by a process that was killed


@contextmanager
def ingesting(folder: Folder, blobs: Folder, descriptor: Descriptor) -> Iterator[LayoutIngest]:
    """Begin a blob that belongs among `blobs`, or take it up again; `folder` is where unfinished blobs lie."""
    with _held(folder) as held, _own_file(held, descriptor.digest) as (name, keep):
        ingest = LayoutIngest(held, name, blobs, descriptor)
        try:
            yield ingest
        finally:
            ingest.leave(keep=keep)


@contextmanager
def _held(folder: Folder) -> Iterator[Folder]:
    with ExitStack() as stack:
        with local_errors("opening", folder.path):
            held = stack.enter_context(folder.held())
        yield held


def sweep(folder: Folder, clock: Clock) -> None:
    """Delete the files of second writers that were killed long ago."""
    with local_errors("cleaning", folder.path):
        for name in folder.entries():
            if not name.endswith(".second"):
                continue
            status = folder.status(name)  # None if its writer has just finished
            if status is not None and clock.wall_s() - status.st_mtime > _FORGOTTEN_S:
                folder.unlink(name)


def parked_name(digest: Digest) -> str:
    """What an unfinished blob is called."""
    return f"{digest.algorithm}-{digest.encoded}"


class LayoutIngest:
    """See `transload.ports.Ingest`."""

    def __init__(self, folder: Folder, name: str, blobs: Folder, descriptor: Descriptor) -> None:
        self._folder, self._name = folder, name
        self._path = folder.path / name
        self._blobs = blobs
        self._digest, self._size = descriptor.digest, descriptor.size
        self._verifier = Verifier(descriptor.digest, descriptor.size)
        with local_errors("opening", self._path):
            self._file = folder.open(name, "a+")
            try:
                self._take_up()
            except BaseException:
                self._file.close()
                raise

    def _take_up(self) -> None:
        """Hash what an earlier writer left; more than the whole blob cannot be its beginning."""
        if os.fstat(self._file.fileno()).st_size > self._size:
            self._file.truncate(0)
        self._file.seek(0)
        for chunk in chunks_of(self._file, self._path, self._size):
            self._verifier.update(chunk)

    @property
    def offset(self) -> int:
        """See `Ingest`."""
        return self._verifier.seen

    def write(self, chunks: Iterable[Chunk]) -> None:
        """See `Ingest`; each chunk is hashed and written as it comes."""
        for chunk in chunks:
            try:
                self._verifier.update(chunk)
            except CorruptError:
                self.abandon()
                raise
            with local_errors("writing", self._path):
                rest = memoryview(chunk)
                while rest:
                    rest = rest[self._file.write(rest) :]

    def commit(self) -> None:
        """See `Ingest`; content that is wrong is dropped, since taking it up again would be wrong too."""
        try:
            self._verifier.check()
            self._check_file()
        except CorruptError:
            self.abandon()
            raise
        with local_errors("writing", self._path):
            os.fsync(self._file.fileno())
            self._file.close()
            try:
                self._folder.move(self._name, self._blobs, self._digest.encoded)
            except FileNotFoundError:  # the first blob of its algorithm
                self._blobs.make()
                self._folder.move(self._name, self._blobs, self._digest.encoded)

    def _check_file(self) -> None:
        """The hash is of the bytes that came; a write that failed may have left fewer of them in the file."""
        found = os.fstat(self._file.fileno()).st_size
        if found != self._size:
            raise SizeMismatch(
                f"blob {self._digest.short} has {found} bytes on the disk, {self._size} were received",
                subject=self._digest,
            )

    def abandon(self) -> None:
        """See `Ingest`."""
        self.leave(keep=False)

    def leave(self, *, keep: bool) -> None:
        """Close the file unless that was done; an empty one, and one that is not to be kept, is deleted."""
        if self._file.closed:
            return
        with local_errors("writing", self._path):
            empty = os.fstat(self._file.fileno()).st_size == 0
            self._file.close()
            if empty or not keep:
                self._folder.unlink(self._name)


@contextmanager
def _own_file(folder: Folder, digest: Digest) -> Iterator[tuple[str, bool]]:
    """The name of a file that nobody else writes to, and whether what is left there will be found again."""
    name = parked_name(digest)
    with ExitStack() as stack:
        try:
            stack.enter_context(claimed(folder, f"{name}.lock"))
        except Busy:
            name, keep = f"{name}.{os.urandom(8).hex()}.second", False
        else:
            keep = True
        yield name, keep
