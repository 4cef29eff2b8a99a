"""Durable files: atomic replace, flushed directories."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path

from transload.errors import LocalError
from transload.files.regular import check_kind
from transload.files.trouble import local_errors

_NAME_CHARACTERS = 40  # of the name, in what lies beside it for a moment: the longest name there may be still fits


def fsync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut; a no-op where folders cannot be opened (Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(folder: Path) -> int:
    """Room on the disk of a folder, for this user. Raises `LocalError`."""
    with local_errors("asking for free space in", folder):
        return shutil.disk_usage(folder).free


def replace_file(path: Path, content: bytes) -> None:
    """Give `path` this content so that every reader, also after a crash, sees the old or the new content whole.

    A link is replaced, not followed. Raises `LocalError` for a device, a pipe, a socket or a folder, which would
    otherwise be replaced too: `/dev/null` by a file.
    """
    check_kind(path, stat.S_ISREG)  # behind a link as well: /dev/stdout is one
    beside = _beside(path)
    try:
        with beside.open("xb", buffering=0) as file:
            write_whole(file.fileno(), content)
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # what went wrong before is what is to be told
            beside.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def check_replaceable(path: Path) -> None:
    """Whether `replace_file` is going to work there, for what takes long and is written at its end.

    It is tried, since permissions tell nothing of `/proc` or of a disk that is read-only. Raises `LocalError`.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise LocalError(f"there is no folder {folder}", subject=str(path), hint="make the folder first")
    with local_errors("writing", path):
        check_kind(path, stat.S_ISREG)
        beside = _beside(path)
        beside.open("xb").close()
        beside.unlink()


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:_NAME_CHARACTERS]}.{os.getpid()}.{os.urandom(4).hex()}")


def write_whole(descriptor: int, content: bytes) -> None:
    """Write all of `content`: a nearly full disk takes a part of it and raises only at the next."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
