"""Makes the bytes of many files survive a power cut: with one call where the system has one, else file after file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import cache

from transload.files.filesystem import kind_of_mount
from transload.files.folder import Folder

_FEW = 16
"""Files that are rather flushed one by one: `syncfs` also waits for what others have written to the disk."""

_REPORTING = (5, 8)  # the first Linux whose syncfs tells of bytes that could not be written (syncfs(2), "ERRORS")

# Those whose syncfs writes everything to the medium. A driver that runs as a program (FUSE) is not asked by it.
_TRUSTED = frozenset({"btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "tmpfs", "vfat", "xfs"})

FlushAll = Callable[[int], None]
"""Flushes the whole file system of an open file or folder, given by its number. Raises `OSError`."""


def flush_files(folder: Folder, names: Sequence[str]) -> None:
    """Flush the content of files in `folder`; their names may still be lost. Raises `OSError`."""
    flush_all = flush_all_of(folder) if len(names) > _FEW else None
    if flush_all is not None:
        with folder.number() as number:
            if number is not None:
                flush_all(number)
                return
    for name in names:
        with folder.open(name, "r+") as file:
            os.fsync(file.fileno())


def flush_all_of(folder: Folder) -> FlushAll | None:
    """How the whole file system of a folder is flushed; None where that is not known to reach the medium."""
    if sys.platform != "linux" or kind_of_mount(folder.root) not in _TRUSTED:
        return None
    return _syncfs()


@cache
def _syncfs() -> FlushAll | None:
    if not _reports(os.uname().release):
        return None
    import ctypes  # only where many small files are written

    try:
        call = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError):  # a C library without it
        return None

    def syncfs(number: int) -> None:
        if call(number) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    return syncfs


def _reports(release: str) -> bool:
    """Whether the `syncfs` of this Linux tells of errors.

    >>> [_reports(release) for release in ("6.1.0-18-amd64", "5.8", "5.7.19", "5.15.0", "?")]
    [True, True, False, True, False]
    """
    major, _, rest = release.partition(".")
    minor = rest.partition(".")[0].partition("-")[0]
    return major.isdigit() and minor.isdigit() and (int(major), int(minor)) >= _REPORTING
