"""Durable files: atomic replace, flushed directories."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

from transload.errors import LocalError
from transload.files.regular import check_kind
from transload.files.trouble import local_errors

_FORGOTTEN_S = 3600.0  # nobody takes so long to write a small file
_NAME_CHARACTERS = 40  # of a file's name in its temporary file, so that this works for the longest names too


def fsync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut. Does nothing where folders cannot be opened (Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of a folder, for this user; very many if its driver does not say. Raises `LocalError`."""
    with local_errors("asking for free space in", folder):
        usage = shutil.disk_usage(folder)
        return usage.free if usage.total else sys.maxsize


def replace_file(path: Path, content: bytes | Iterable[bytes], *, permissions: int | None = None) -> None:
    """Replace the content of `path`. Every reader, also after a crash, sees the whole old or the whole new content.

    It may come in chunks; if making them fails, the old content stays.

    The file gets these `permissions`, whatever the umask is; without, those that the umask gives. A link is replaced,
    not followed. Raises `LocalError` for a device, a pipe, a socket or a folder: a file must not replace `/dev/null`.
    """
    check_kind(path, stat.S_ISREG)  # behind a link too: /dev/stdout is one
    _sweep(path)
    beside = _beside(path)
    try:
        with _new_file(beside, permissions) as file:
            if permissions is not None:
                beside.chmod(permissions)
            for chunk in (content,) if isinstance(content, bytes) else content:
                write_all(file, chunk)
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to report
            beside.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def create_file(path: Path, content: bytes, *, permissions: int | None = None) -> None:
    """Make a new file with this content, and with `permissions` from its first byte on. It replaces nothing.

    A crash leaves no file, an empty one, or the whole one. Raises `FileExistsError` if there is anything at `path`,
    also a link that leads nowhere, and other `OSError`.
    """
    _new_file(path, permissions).close()
    try:
        replace_file(path, content, permissions=permissions)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to report
            path.unlink(missing_ok=True)
        raise


def _new_file(path: Path, permissions: int | None) -> FileIO:
    """A file that is not there yet, which nobody else can open even for a moment, unless `permissions` let them."""
    mode = 0o666 if permissions is None else permissions
    return FileIO(path, "xb", opener=lambda name, flags: os.open(name, flags, mode))


def check_replaceable(path: Path) -> None:
    """Check that `replace_file` will work there, before long work whose result is written at its end.

    It tries to write, because permissions do not show that a disk is read-only, or that it is `/proc`. Raises
    `LocalError`.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise LocalError(f"there is no folder {folder}", subject=str(path), hint="make the folder first")
    with local_errors("writing", path):
        check_kind(path, stat.S_ISREG)
        beside = _beside(path)
        beside.open("xb").close()
        beside.unlink()


def _sweep(path: Path) -> None:
    """Delete what processes left beside `path` that were killed while they replaced it."""
    form = re.compile(re.escape(_stem(path)) + r"[0-9]{1,10}\.[0-9a-f]{8}")
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if form.fullmatch(entry.name) and time.time() - entry.stat(follow_symlinks=False).st_mtime > _FORGOTTEN_S:
                Path(entry.path).unlink()


def _stem(path: Path) -> str:
    return f".{path.name[:_NAME_CHARACTERS]}."


def _beside(path: Path) -> Path:
    return path.with_name(f"{_stem(path)}{os.getpid()}.{os.urandom(4).hex()}")


def write_all(file: FileIO, content: bytes | bytearray | memoryview) -> None:
    """Write all of `content`. A nearly full disk takes only a part, and raises an `OSError` at the next write."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
