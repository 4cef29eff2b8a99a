"""A blob on its way into a layout: a file beside the blobs, moved among them when its digest is verified.

Invariants, whenever the process ends:
1. a file under `blobs/` was whole, hashed and flushed before it got its name;
2. a file under `.transload/ingest/` has one writer, which holds its lock or is the only one that knows its name;
3. the bytes of a parked file are used only after they were hashed again.

A second writer of the same blob, here or in another process, does not wait for the first, which may be slow or stuck.
It writes a file of its own, which is not kept without commit. The price is that some bytes are copied twice.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from itertools import count

from transload.clock import Clock
from transload.errors import Busy, LocksMissing, SizeMismatch
from transload.files import Folder, chunks_of, local_errors, write_all
from transload.hashedingest import HashedIngest
from transload.limits import SERVED_UPLOAD_IDLE_S
from transload.locks import claimed
from transload.oci import Descriptor, Digest
from transload.ports import Chunk
from transload.wording import number_of

_FORGOTTEN_S = SERVED_UPLOAD_IDLE_S  # a writer's own file that is older is from a process that was killed
LOCK = ".lock"
OWN = ".second"
"""The end of the name of a file with one writer, which is not kept without commit."""
_GROUP = "group-"
"""The beginning of the names of files that one process writes together, and of their lock."""


@contextmanager
def ingesting(
    folder: Folder, blobs: Folder, descriptor: Descriptor, arrived: Callable[[Digest], None] = lambda _digest: None
) -> Iterator[LayoutIngest]:
    """Begin a blob that belongs in `blobs`, or continue it. Unfinished blobs are kept in `folder`.

    `arrived` is called when it is committed.
    """
    with _held(folder) as held, _own_file(held, descriptor.digest) as (name, keep):
        ingest = LayoutIngest(held, name, blobs, descriptor, arrived=arrived)
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
    """Delete the own files and the locks of writers that were killed long ago, and the files of groups at once."""
    with local_errors("cleaning", folder.path):
        _sweep_groups(folder)
        for name in folder.entries():
            status = folder.status(name) if name.endswith((OWN, LOCK)) else None  # None too if its writer is done now
            if status is None or clock.wall_s() - status.st_mtime <= _FORGOTTEN_S:
                continue
            if name.endswith(LOCK) and stat.S_ISREG(status.st_mode):
                with suppress(Busy, LocksMissing), claimed(folder, name):
                    pass  # one that nobody holds goes with the end of the block
            elif name.endswith(OWN) and not stat.S_ISDIR(status.st_mode):
                folder.unlink(name)


def _sweep_groups(folder: Folder) -> None:
    """Delete the files of each group whose lock nobody holds: its writer took the lock before it wrote the first."""
    groups: dict[str, list[str]] = {}
    for name in folder.entries():
        group, dot, member = name.partition(".")
        if dot and group.startswith(_GROUP) and member.endswith((OWN, LOCK[1:])):
            groups.setdefault(group, []).append(name)
    for group, names in groups.items():
        with suppress(Busy, LocksMissing), claimed(folder, f"{group}{LOCK}"):
            for name in names:
                status = folder.status(name) if name.endswith(OWN) else None
                if status is not None and not stat.S_ISDIR(status.st_mode):
                    folder.unlink(name)


@contextmanager
def grouped(folder: Folder) -> Iterator[Callable[[], str]]:
    """Gives new names for files with only one writer, all of one group: if it is killed, the next `sweep` deletes them.

    Where there are no locks, they are deleted when they are old.
    """
    group = f"{_GROUP}{os.urandom(8).hex()}"
    with ExitStack() as stack:
        try:
            stack.enter_context(claimed(folder, f"{group}{LOCK}"))
        except LocksMissing:
            yield lambda: own_name("alone")
        else:
            numbers = count()
            yield lambda: f"{group}.{next(numbers)}{OWN}"


def parked_name(digest: Digest) -> str:
    """The file name of an unfinished blob."""
    return f"{digest.algorithm}-{digest.encoded}"


def digest_of_parked(name: str) -> str:
    """The digest of the unfinished blob in a file of this name; of other files anything that is no digest."""
    return name.replace("-", ":", 1)


def own_name(stem: str) -> str:
    """A new name for a file with only one writer. `sweep` deletes the file if it is left over."""
    return f"{stem}.{os.urandom(8).hex()}{OWN}"


def adopt(folder: Folder, name: str, blobs: Folder, descriptor: Descriptor) -> None:
    """Make a blob of a file in `folder` whose digest was checked already. Raises `SizeMismatch`, `LocalError`."""
    with local_errors("opening", folder.path / name):
        file = folder.open(name, "r+")
    with file:
        _settle(file, folder, name, blobs, descriptor)


def _settle(file: FileIO, folder: Folder, name: str, blobs: Folder, descriptor: Descriptor) -> None:
    """Flush and close a file whose digest was checked, and move it to the blobs.

    The size is compared too: the hash is of the bytes received, and a failed write may have stored fewer of them.
    """
    with local_errors("writing", folder.path / name):
        size = os.fstat(file.fileno()).st_size
        if size != descriptor.size:
            raise SizeMismatch(
                f"blob {descriptor.digest.short} has {number_of(size, 'byte')} on the disk, "
                f"{descriptor.size} were received",
                subject=descriptor.digest,
            )
        os.fsync(file.fileno())
        file.close()
        try:
            folder.move(name, blobs, descriptor.digest.encoded)
        except FileNotFoundError:  # the first blob of its algorithm
            blobs.make()
            folder.move(name, blobs, descriptor.digest.encoded)


class LayoutIngest(HashedIngest):
    """A blob in a file of its own, until the file is moved to the blobs."""

    def __init__(
        self, folder: Folder, name: str, blobs: Folder, descriptor: Descriptor, *, arrived: Callable[[Digest], None]
    ) -> None:
        super().__init__(descriptor.digest, descriptor.size)
        self._arrived = arrived
        self._folder, self._name = folder, name
        self._path = folder.path / name
        self._blobs = blobs
        self._descriptor = descriptor
        with local_errors("opening", self._path):
            self._file = folder.open(name, "a+")
            try:
                self._take_up()
            except BaseException:
                self._file.close()
                raise

    def _take_up(self) -> None:
        """Hash the bytes of an earlier writer. If they are more than the whole blob, drop them."""
        if os.fstat(self._file.fileno()).st_size > self._descriptor.size:
            self._file.truncate(0)
        self._file.seek(0)
        for chunk in chunks_of(self._file, self._path, self._descriptor.size):
            self._verifier.update(chunk)

    def _append(self, chunk: Chunk) -> None:
        with local_errors("writing", self._path):
            write_all(self._file, chunk)

    def _settle(self) -> None:
        _settle(self._file, self._folder, self._name, self._blobs, self._descriptor)
        self._arrived(self._descriptor.digest)

    def abandon(self) -> None:
        """Drop what has arrived."""
        self.leave(keep=False)

    def leave(self, *, keep: bool) -> None:
        """Close the file, if it is open. Delete it if it is empty or `keep` is False."""
        if self._file.closed:
            return
        with local_errors("writing", self._path):
            try:
                empty = os.fstat(self._file.fileno()).st_size == 0
            finally:
                self._file.close()
            if empty or not keep:
                self._folder.unlink(self._name)


@contextmanager
def _own_file(folder: Folder, digest: Digest) -> Iterator[tuple[str, bool]]:
    """The name of a file with no other writer, and whether a later ingest will find it again."""
    name = parked_name(digest)
    with ExitStack() as stack:
        try:
            stack.enter_context(claimed(folder, f"{name}{LOCK}"))
        except (Busy, LocksMissing):
            name, keep = own_name(name), False
        else:
            keep = True
        yield name, keep
