"""Uploads under way: the bytes of a blob that a client has sent. It states the digest only at the end."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
import threading
import uuid
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from transload.clock import Clock
from transload.errors import TooManyRequests
from transload.files import Folder, chunks_of, local_errors, write_all
from transload.limits import SERVED_UPLOADS, SERVED_UPLOADS_MEMORY_BYTES
from transload.oci import Descriptor
from transload.ports import Spools
from transload.server.refusals import Refusal

IN_MEMORY_BYTES = 1 << 20
IDLE_S = 3600.0
_RECLAIMED_S = 60.0  # when all sessions are taken, those idle for longer than this are ended


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

    def __init__(self, folder: Path | None, *, spools: Spools | None = None, room: Room | None = None) -> None:
        self.size = 0
        self.path: Path | None = None
        self._folder = Folder(folder or Path(tempfile.gettempdir()))
        self._spools = spools
        self._room = room or Room()
        self._memory = bytearray()
        self._hash = hashlib.sha256() if spools is not None else None

    def write(self, batch: bytes) -> None:
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

    def discard(self) -> None:
        """Delete everything. It may be called twice, or after the file was moved."""
        if self.path is not None:
            with contextlib.suppress(FileNotFoundError):  # the folder is gone
                self._folder.unlink(self.path.name)
        self._free_memory()

    def _move_to_file(self) -> None:
        name, permissions = f"upload-{os.urandom(8).hex()}", 0o600
        if self._spools is not None:
            (self._folder, name), permissions = self._spools.spool_file(), 0o666
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


class ServedUpload:
    """A session of one client. The newest request owns it, so that a dead connection does not block the next one.
    `lock` is held while bytes are written.
    """

    def __init__(self, repository: str, spool: Spool, now_s: float) -> None:
        self.id = str(uuid.uuid4())
        self.repository = repository
        self.spool = spool
        self.touched_s = now_s
        self.lock = asyncio.Lock()
        self.owner: object = None

    @property
    def location(self) -> str:
        """The address where the session continues; relative, so that it is right behind any proxy."""
        return f"/v2/{self.repository}/blobs/uploads/{self.id}"

    @property
    def headers(self) -> dict[str, str]:
        """The headers with the session's state. Both ends of Range are inclusive; an empty session has 0-0."""
        return {
            "Location": self.location,
            "Range": f"0-{max(0, self.spool.size - 1)}",
            "Docker-Upload-UUID": self.id,
        }


class ServedUploads:
    """Every session of a server. Sessions that were idle for an hour are ended."""

    def __init__(self, folder: Path | None, clock: Clock, *, spools: Spools | None = None) -> None:
        self._folder = folder
        self._clock = clock
        self._spools = spools
        self._room = Room()
        self._open: dict[str, ServedUpload] = {}

    def begin(self, repository: str) -> ServedUpload:
        """Open a session. Raises `TooManyRequests` when too many are open."""
        self.sweep()
        if len(self._open) >= SERVED_UPLOADS:
            self._end_idle(_RECLAIMED_S)
        if len(self._open) >= SERVED_UPLOADS:
            raise TooManyRequests(f"{len(self._open)} uploads are under way", retry_after_s=60)
        spool = Spool(self._folder, spools=self._spools, room=self._room)
        upload = ServedUpload(repository, spool, self._clock.monotonic_s())
        self._open[upload.id] = upload
        return upload

    def sweep(self) -> None:
        """End the sessions that were idle for an hour."""
        self._end_idle(IDLE_S)

    def _end_idle(self, idle_s: float) -> None:
        now_s = self._clock.monotonic_s()
        for idle in [upload for upload in self._open.values() if now_s - upload.touched_s > idle_s]:
            self.end(idle)

    def touch(self, upload: ServedUpload) -> None:
        """Note that a session is in use."""
        upload.touched_s = self._clock.monotonic_s()

    def find(self, repository: str, identifier: str) -> ServedUpload:
        """The session with this identifier. Raises a `Refusal` with BLOB_UPLOAD_UNKNOWN."""
        upload = self._open.get(identifier)
        if upload is None or upload.repository != repository:
            raise Refusal(404, "BLOB_UPLOAD_UNKNOWN", f"{repository} has no such upload; begin a new one")
        self.touch(upload)
        return upload

    def end(self, upload: ServedUpload) -> None:
        """Close a session and delete its remaining bytes."""
        self._open.pop(upload.id, None)
        upload.owner = None
        upload.spool.discard()

    def close(self) -> None:
        """Close every session."""
        for upload in list(self._open.values()):
            self.end(upload)
