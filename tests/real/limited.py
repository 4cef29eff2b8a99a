"""A file system that takes little: a folder, shown through FUSE without locks, rights, links and exact times.

limited.py FOLDER PLACE LARGEST    shows FOLDER at PLACE, with files of at most LARGEST bytes, until it is unmounted
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import mfusepy  # type: ignore[import-untyped,unused-ignore]  # it has no types

_NOT_IN_NAMES = frozenset('"*/:<>?\\|')
_TWO_SECONDS = 2 * 10**9
_DAY = 86400 * 10**9
_KEPT = ("st_mode", "st_nlink", "st_size", "st_ino", "st_blocks", "st_uid", "st_gid")


class Limited(mfusepy.Operations):  # type: ignore[misc,unused-ignore]  # its base has no types
    """What FAT can keep, below a server or a driver that offers no locks."""

    use_ns = True

    def __init__(self, folder: Path, largest: int) -> None:
        self._folder, self._largest = folder, largest

    def _path(self, path: str) -> str:
        """The file for a path: names that differ in capitals only are one name."""
        place = str(self._folder)
        for name in filter(None, path.split("/")):
            there = os.listdir(place) if os.path.isdir(place) else []  # noqa: PTH112,PTH208 - fewer objects for each call
            place += "/" + next((each for each in there if each.lower() == name.lower()), name)
        return place

    def _new(self, path: str) -> str:
        name = path.rpartition("/")[2]
        if _NOT_IN_NAMES & set(name) or name.endswith((".", " ")):
            raise OSError(errno.EINVAL, "this name cannot be kept")
        if len(name.encode("utf-16-le")) > 2 * 255:
            raise OSError(errno.ENAMETOOLONG, "this name is too long")
        return self._path(path)

    def _refuse(self, number: int) -> NoReturn:
        raise OSError(number, os.strerror(number))

    def _check_size(self, size: int) -> None:
        if size > self._largest:
            self._refuse(errno.EFBIG)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        status = os.lstat(self._path(path)) if fh is None else os.fstat(fh)
        kept = {name: getattr(status, name) for name in _KEPT}
        written = status.st_mtime_ns // _TWO_SECONDS * _TWO_SECONDS
        return {**kept, "st_mtime": written, "st_ctime": written, "st_atime": written // _DAY * _DAY}

    def readdir(self, path: str, fh: int) -> Iterable[str]:
        return [".", "..", *os.listdir(self._path(path))]  # noqa: PTH208

    def statfs(self, path: str) -> dict[str, int]:
        status = os.statvfs(self._path(path))
        return {name: getattr(status, name) for name in ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_frsize")}

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._new(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o777)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._path(path), flags & ~(os.O_APPEND | os.O_DIRECT | os.O_CREAT | os.O_EXCL))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._check_size(offset + len(data))
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        self._check_size(length)
        os.truncate(self._path(path) if fh is None else fh, length)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        os.fsync(fh)
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0

    def rename(self, old: str, new: str) -> int:
        Path(self._path(old)).replace(self._new(new))
        return 0

    def unlink(self, path: str) -> int:
        Path(self._path(path)).unlink()
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        Path(self._new(path)).mkdir()
        return 0

    def rmdir(self, path: str) -> int:
        Path(self._path(path)).rmdir()
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        now = time.time_ns()
        os.utime(self._path(path), ns=times or (now, now))
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self._refuse(errno.EPERM)

    def chown(self, path: str, uid: int, gid: int) -> int:
        self._refuse(errno.EPERM)

    def link(self, target: str, source: str) -> int:
        self._refuse(errno.EPERM)

    def symlink(self, target: str, source: str) -> int:
        self._refuse(errno.EPERM)

    def lock(self, path: str, fh: int, cmd: int, lock: Any) -> int:
        self._refuse(errno.ENOLCK)

    def flock(self, path: str, fh: int, op: int) -> int:
        self._refuse(errno.ENOLCK)


if __name__ == "__main__":
    mfusepy.FUSE(Limited(Path(sys.argv[1]), int(sys.argv[3])), sys.argv[2], foreground=True, nothreads=True)
