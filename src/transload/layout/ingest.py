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
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path

from transload.clock import Clock
from transload.errors import Busy, CorruptError, SizeMismatch
from transload.files import local_errors
from transload.layout.locks import claimed
from transload.oci import Descriptor, Digest, Verifier
from transload.ports import Chunk

_CHUNK = 1 << 20
_FORGOTTEN_S = 24 * 3600.0  # a second writer's file as old as this was left by a process that was killed


@contextmanager
def ingesting(folder: Path, place: Path, descriptor: Descriptor) -> Iterator[LayoutIngest]:
    """Begin a blob that belongs to `place`, or take it up again; `folder` is where unfinished blobs lie."""
    with _own_file(folder, descriptor.digest) as (path, keep):
        ingest = LayoutIngest(path, place, descriptor)
        try:
            yield ingest
        finally:
            ingest.leave(keep=keep)


def sweep(folder: Path, clock: Clock) -> None:
    """Delete the files of second writers that were killed long ago."""
    with local_errors("cleaning", folder):
        for path in folder.glob("*.second"):
            with suppress(FileNotFoundError):  # its writer has just finished
                if clock.wall_s() - path.stat().st_mtime > _FORGOTTEN_S:
                    path.unlink()


class LayoutIngest:
    """See `transload.ports.Ingest`."""

    def __init__(self, path: Path, place: Path, descriptor: Descriptor) -> None:
        self._path = path
        self._place = place
        self._size = descriptor.size
        self._verifier = Verifier(descriptor.digest, descriptor.size)
        with local_errors("opening", path):
            self._file = FileIO(path, "a+")
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
        buffer = memoryview(bytearray(min(_CHUNK, self._size)))
        while count := self._file.readinto(buffer):
            self._verifier.update(buffer[:count])

    @property
    def offset(self) -> int:
        """See `Ingest`."""
        return self._verifier.seen

    def receive(self, chunks: Iterable[Chunk]) -> None:
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
        with local_errors("writing", self._place):
            os.fsync(self._file.fileno())
            self._file.close()
            try:
                self._path.replace(self._place)
            except FileNotFoundError:  # the first blob of its algorithm
                self._place.parent.mkdir(parents=True, exist_ok=True)
                self._path.replace(self._place)

    def _check_file(self) -> None:
        """The hash is of the bytes that came; a write that failed may have left fewer of them in the file."""
        found = os.fstat(self._file.fileno()).st_size
        if found != self._size:
            raise SizeMismatch(f"{self._path} has {found} bytes, {self._size} were received", subject=str(self._path))

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
                self._path.unlink(missing_ok=True)


@contextmanager
def _own_file(folder: Path, digest: Digest) -> Iterator[tuple[Path, bool]]:
    """A path that nobody else writes to, and whether what is left there will be found again."""
    path = folder / f"{digest.algorithm}-{digest.encoded}"
    with ExitStack() as stack:
        try:
            stack.enter_context(claimed(folder / f"{path.name}.lock"))
        except Busy:
            path, keep = folder / f"{path.name}.{os.urandom(8).hex()}.second", False
        else:
            keep = True
        yield path, keep
