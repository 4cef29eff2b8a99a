"""Durable files: atomic replace, flushed directories, locks between processes, and OS errors told as ours."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from transload.errors import Busy, DiskFull, LocalError, PermissionRefused

try:  # POSIX
    import fcntl
except ImportError:  # Windows
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]

else:

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


_BUSY = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}


@contextlib.contextmanager
def local_errors(doing: str, path: Path) -> Iterator[None]:
    """Translate `OSError` inside the block into `DiskFull`, `PermissionRefused` or `LocalError`."""
    try:
        yield
    except OSError as error:
        where = f"{doing} {path}"
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(
                f"{where}: no space left on the disk",
                subject=str(path),
                hint="free some space and run the same command again",
            ) from error
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise PermissionRefused(f"{where}: {error.strerror}", subject=str(path)) from error
        raise LocalError(f"{where}: {error.strerror or error}", subject=str(path)) from error


def fsync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut; a no-op where folders cannot be opened (Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Give `path` this content so that every reader, also after a crash, sees the old or the new content whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[BinaryIO]:
    """Hold the lock file `path` for the block; the operating system frees it when the process dies.

    Raises `Busy` at once if another process, or another thread through its own file object, holds it.
    """
    with local_errors("opening", path):
        file = path.open("a+b")
    with file:
        try:
            _lock(file)
        except OSError as error:
            if error.errno in _BUSY:
                raise Busy(f"another process holds {path}", subject=str(path)) from error
            raise
        yield file
