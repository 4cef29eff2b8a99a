"""Where the bytes of an upload lie until its digest comes: in memory or a file of this process, or in the store."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from transload.errors import Interrupted, LocksMissing
from transload.files import Folder, chunks_of, local_errors, lock, write_all
from transload.limits import SERVED_UPLOADS_MEMORY_BYTES
from transload.oci import Descriptor
from transload.ports import Spools

IN_MEMORY_BYTES = 1 << 20
_CATCH_UP_BYTES = 8 << 20  # of what an earlier server received, hashed with each batch that is written


class UploadGone(Exception):
    """The file of an upload is not there any more, or it is none that we would have made."""


class UploadMoved(Exception):
    """Another server has written to the same upload."""


class Room:
    """An amount of memory, in bytes, that several threads share."""

    def __init__(self, size: int = SERVED_UPLOADS_MEMORY_BYTES) -> None:
        self._left = size
        self._lock = threading.Lock()

    def take(self, count: int) -> bool:
        """Take `count` bytes if there is room for them; whether there was."""
        with self._lock:
            fits = count <= self._left
            self._left -= count if fits else 0
            return fits

    def give(self, count: int) -> None:
        """Give `count` bytes back."""
        with self._lock:
            self._left += count


class Spool:
    """The bytes of an upload: in memory while they are few, then in a file. Used by one thread at a time.

    The file is open only for a read or a write: a thousand waiting sessions would use up all files that the process may
    open, and connections need files too. With `spools`, the store adopts the file: it is made where the store wants it,
    and the bytes are hashed (sha256) as they come. Other stores hash the bytes themselves. Then the file is made in
    `folder`, or in the system's folder for temporary files, and other users cannot read it.
    """

    outlives = False
    """It ends with the process."""

    def __init__(
        self, identifier: str, folder: Path | None, *, spools: Spools | None = None, room: Room | None = None
    ) -> None:
        self.size = 0
        self.path: Path | None = None
        self._identifier = identifier
        self._folder = Folder(folder or Path(tempfile.gettempdir()))
        self._spools = spools
        self._room = room or Room()
        self._memory = bytearray()
        self._hash = hashlib.sha256() if spools is not None else None

    def write(self, batch: bytes | bytearray) -> None:
        """Append. Raises `DiskFull` and other `LocalError`s; then no byte of `batch` counts."""
        if self.path is None and (self.size + len(batch) > IN_MEMORY_BYTES or not self._room.take(len(batch))):
            self._move_to_file()
        if self.path is None:
            self._memory += batch
        else:
            with local_errors("writing an upload to", self.path), self._opened(self.path) as file:
                file.seek(self.size)
                write_all(file, batch)
        if self._hash:
            self._hash.update(batch)
        self.size += len(batch)

    def chunks(self, offset: int) -> Iterator[memoryview]:
        """The bytes from `offset` on, in views of a buffer that is used again."""
        if self.path is None:
            yield memoryview(bytes(self._memory))[offset:]
            return
        with local_errors("reading an upload from", self.path):
            file = self._opened(self.path)
        with file:
            file.seek(offset)
            yield from chunks_of(file, self.path, self.size - offset)

    def proves(self, descriptor: Descriptor) -> bool:
        """Whether the bytes were hashed as they came, and are those of `descriptor`."""
        return self._hash is not None and descriptor.digest == f"sha256:{self._hash.hexdigest()}"

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nobody else writes to it in the block."""
        yield

    def discard(self) -> None:
        """Delete everything. It may be called twice, or after the file was moved."""
        if self.path is not None:
            with contextlib.suppress(FileNotFoundError):  # the folder is gone
                self._folder.unlink(self.path.name)
        self._free_memory()

    def _move_to_file(self) -> None:
        name, permissions = f"upload-{self._identifier}", 0o600
        if self._spools is not None:
            (self._folder, name), permissions = self._spools.spool_file(self._identifier), 0o666
        doing = local_errors("spooling an upload in", self._folder.path)
        with doing, self._folder.open(name, "x+", permissions) as file:
            self.path = self._folder.path / name
            write_all(file, self._memory)
        self._free_memory()

    def _opened(self, path: Path) -> FileIO:
        return self._folder.open(path.name, "r+")

    def _free_memory(self) -> None:
        self._room.give(len(self._memory))
        self._memory = bytearray()


class KeptSpool:
    """The bytes of an upload in a file of the store, where any server of this store can go on with it. Used by one
    thread at a time.

    Invariants:
    1. the file holds the first bytes of the upload and nothing else: its size is the upload's offset;
    2. a batch is written under the file's lock (if the file system has locks), at the offset that the writer knows,
       while the file still has its name;
    3. the hash (sha256) may lag behind the file: it has caught up before it proves anything.

    What was written survives the end of the process, however it ends, but perhaps not a power cut: nothing is flushed
    before the commit. A client then learns a smaller offset, or the digest turns out wrong. `stopping` ends hashing.
    """

    outlives = True

    def __init__(self, folder: Folder, name: str, stopping: threading.Event) -> None:
        self.size = 0
        self.path = folder.path / name
        self._folder = folder
        self._stopping = stopping
        self._hash, self._hashed = hashlib.sha256(), 0

    def create(self) -> None:
        """Make the file. Raises `LocalError`."""
        with local_errors("spooling an upload in", self._folder.path):
            self._folder.open(self.path.name, "x+").close()

    def refresh(self) -> None:
        """Learn the size from the file. Raises `UploadGone`; what is no ordinary file there is deleted."""
        with local_errors("looking for", self.path):
            status = self._folder.status(self.path.name)
            if status is None:
                raise UploadGone
            if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
                self.discard()
                raise UploadGone
        self._stand_at(status.st_size)

    def write(self, batch: bytes | bytearray) -> None:
        """Append. Raises `DiskFull`, `LocalError`, `UploadMoved`, `UploadGone`; then no byte of `batch` counts."""
        with self._locked() as file, local_errors("writing an upload to", self.path):
            if os.fstat(file.fileno()).st_size != self.size:
                raise UploadMoved
            self._append(file, batch)

    def write_at_end(self, batch: bytes | bytearray) -> None:
        """Append wherever the file ends, also if another server has written to it. Raises as `write` does."""
        with self._locked() as file, local_errors("writing an upload to", self.path):
            self._stand_at(os.fstat(file.fileno()).st_size)
            self._append(file, batch)

    def chunks(self, offset: int) -> Iterator[memoryview]:
        """The bytes from `offset` on, in views of a buffer that is used again."""
        with local_errors("reading an upload from", self.path), self._opened() as file:
            file.seek(offset)
            yield from chunks_of(file, self.path, self.size - offset)

    def proves(self, descriptor: Descriptor) -> bool:
        """Whether the bytes are those of `descriptor`; False for algorithms other than sha256. Raises `Interrupted`."""
        if descriptor.digest.algorithm != "sha256":
            return False
        if self._hashed < self.size:
            with local_errors("reading an upload from", self.path), self._opened() as file:
                self._catch_up(file, self.size - self._hashed)
        return descriptor.digest == f"sha256:{self._hash.hexdigest()}"

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nobody else writes to it in the block. Raises `UploadGone`, `Busy`."""
        if os.name == "nt":  # a file that is open cannot be renamed there
            yield
            return
        with self._locked():
            yield

    def discard(self) -> None:
        """Delete the file. It may be called twice, or after the file was moved."""
        with contextlib.suppress(FileNotFoundError, IsADirectoryError, PermissionError):
            self._folder.unlink(self.path.name)

    def _stand_at(self, size: int) -> None:
        self.size = size
        if size < self._hashed:  # somebody cut it
            self._hash, self._hashed = hashlib.sha256(), 0

    def _append(self, file: FileIO, batch: bytes | bytearray) -> None:
        file.seek(self.size)
        try:
            write_all(file, batch)
        except BaseException:
            file.truncate(self.size)
            raise
        if self._hashed == self.size:
            self._hash.update(batch)
            self._hashed += len(batch)
        else:
            self._catch_up(file, _CATCH_UP_BYTES)
        self.size += len(batch)

    def _catch_up(self, file: FileIO, count: int) -> None:
        file.seek(self._hashed)
        for chunk in chunks_of(file, self.path, count):
            if self._stopping.is_set():
                raise Interrupted("the server is being stopped")
            self._hash.update(chunk)
            self._hashed += len(chunk)

    def _opened(self, folder: Folder | None = None) -> FileIO:
        try:
            return (folder or self._folder).open(self.path.name, "r+")
        except FileNotFoundError as error:
            raise UploadGone from error

    @contextmanager
    def _locked(self) -> Iterator[FileIO]:
        with local_errors("opening", self.path), self._folder.held() as folder:
            file = self._opened(folder)
            with contextlib.ExitStack() as opened:
                opened.enter_context(file)
                with contextlib.suppress(LocksMissing):
                    lock(file, self.path)
                if not folder.leads_to(self.path.name, file):  # it has become a blob, or was deleted
                    raise UploadGone
                opened.pop_all()
        with file:
            yield file
