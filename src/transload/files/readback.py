"""Reads files from the medium itself: not from the memory in which the system keeps what was just written.

Linux: `O_DIRECT` (open(2)) reads past that memory. Where a file system does not know it, the system is asked to forget
the pages (posix_fadvise(2), `POSIX_FADV_DONTNEED`), which it does for all that was flushed. Elsewhere neither exists.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from transload.files.filesystem import kind_of_mount
from transload.files.regular import chunks_of, closed_after, open_file
from transload.files.trouble import local_errors

_DIRECT = getattr(os, "O_DIRECT", 0)
_READ_BYTES = 4 << 20  # a multiple of every block size, as O_DIRECT needs it
_BLOCK_BYTES = 512
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


class ReadBack:
    """Reads flushed files back. `bytes` counts what was read.

    `past_cache` turns False when a file could only be read as every program reads it.
    """

    def __init__(self) -> None:
        self.past_cache = True
        self.bytes = 0

    def chunks(self, path: Path) -> Iterator[memoryview]:
        """The whole file, as views of one buffer that is used again. Raises `LocalError`."""
        if kind_of_mount(path.parent) in _IN_MEMORY:
            self.past_cache = False
        for chunk in self._direct(path) or self._after_dropping(path):
            self.bytes += len(chunk)
            yield chunk

    def drop(self, path: Path) -> None:
        """Ask the system to forget what it remembers of a flushed file."""
        if not hasattr(os, "posix_fadvise"):
            self.past_cache = False
            return
        with local_errors("reading", path), closed_after(open_file(path)) as file, contextlib.suppress(OSError):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def _direct(self, path: Path) -> Iterator[memoryview] | None:
        """Read with O_DIRECT; None where that is not possible."""
        if not _DIRECT:
            return None
        buffer = mmap.mmap(-1, _READ_BYTES)  # begins at a page, as O_DIRECT needs it
        with local_errors("reading", path):
            try:
                file = FileIO(os.open(path, os.O_RDONLY | _DIRECT | os.O_CLOEXEC))
            except OSError as error:
                if error.errno in {errno.EINVAL, errno.EOPNOTSUPP}:
                    return None
                raise
        first = _next(file, buffer, path)
        if first is None:
            file.close()
            return None
        return _rest(file, buffer, path, first)

    def _after_dropping(self, path: Path) -> Iterator[memoryview]:
        self.drop(path)
        with local_errors("reading", path):
            file = open_file(path)
        with closed_after(file):
            yield from chunks_of(file, path)


def _next(file: FileIO, buffer: mmap.mmap, path: Path) -> int | None:
    """Read the next piece into `buffer`: its length, or None if the file system takes no O_DIRECT after all."""
    with local_errors("reading", path):
        try:
            return file.readinto(buffer) or 0
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            raise


def _rest(file: FileIO, buffer: mmap.mmap, path: Path, count: int | None) -> Iterator[memoryview]:
    with closed_after(file):
        while count:
            yield memoryview(buffer)[:count]
            if count % _BLOCK_BYTES:  # the end: O_DIRECT may refuse to read on from here
                return
            count = _next(file, buffer, path)
