"""Reads files that the user or a document names: regular ones only, since a pipe may hang and a device never ends."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from io import FileIO
from itertools import chain, repeat
from pathlib import Path
from typing import IO

from transload.errors import LocalError, Truncated
from transload.files.trouble import local_errors

# With these flags, opening does not wait for a pipe, and a terminal does not become ours. Windows does not have them.
PATIENT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
PLAIN = PATIENT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

CHUNK_BYTES = 1 << 20
"""How many bytes of a file are read at a time."""

_FIRST_BYTES = (8 << 10, 64 << 10)  # most manifests have less than the first, and a run keeps thousands of them

_OWN = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a link",
}


def open_file(path: Path) -> FileIO:
    """Open a regular file for reading, without waiting. Raises `LocalError` for other kinds of files, and `OSError`.

    What the user's shell passes (`/dev/stdin`, `<(…)`) may be of any kind.
    """
    if str(path).startswith(_OWN):
        return FileIO(path)
    try:
        number = os.open(path, os.O_RDONLY | PLAIN)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise no_file(path, stat.S_IFSOCK) from error
        raise
    regular(number, "r", path)
    return FileIO(number)


@contextlib.contextmanager
def closed_after(file: FileIO) -> Iterator[FileIO]:
    """Close a file behind the block that reads it or holds its lock.

    A medium that was pulled out also makes closing fail, which says nothing that reading has not said.
    """
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):
            file.close()


def read_file(path: Path, count: int) -> bytes:
    """The first `count` bytes of a file; all of it if it is not longer. Raises as `open_file` does."""
    with open_file(path) as file:
        return read_up_to(file, count)


def read_up_to(file: IO[bytes], count: int) -> bytes:
    """The next `count` bytes, fewer at the end. It uses memory only for bytes that are there."""
    pieces = []
    # Python gives back what a short file leaves of a buffer, but the C library may not: the first ones are small.
    sizes = chain(_FIRST_BYTES, repeat(CHUNK_BYTES))
    while count > 0 and (piece := file.read(min(count, next(sizes)))):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def chunks_of(file: FileIO, path: Path, length: int = sys.maxsize) -> Iterator[memoryview]:
    """The next `length` bytes of a file, fewer at its end, as views of one buffer that is used again.

    `path` names the file in errors. Raises `LocalError`.
    """
    buffer = memoryview(bytearray(max(0, min(CHUNK_BYTES, length))))
    while length > 0:
        with local_errors("reading", path):
            count = file.readinto(buffer[: min(len(buffer), length)])
        if not count:
            return
        length -= count
        yield buffer[:count]


def exactly(chunks: Iterable[memoryview], length: int, what: str, subject: str) -> Iterator[memoryview]:
    """The chunks; after the last one it raises `Truncated` if they had fewer than `length` bytes. `what` names them."""
    for chunk in chunks:
        length -= len(chunk)
        yield chunk
    if length > 0:
        raise Truncated(f"{what} ended {length} bytes too early", subject=subject)


def check_kind(path: Path, *kinds: Callable[[int], bool]) -> None:
    """Raise `LocalError` if `path` exists (links followed) and has none of these kinds (`stat.S_ISREG`); `OSError`."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        mode = path.stat().st_mode
        if not any(kind(mode) for kind in kinds):
            raise no_file(path, mode)


def regular(number: int, mode: str, path: Path, name: str = "") -> os.stat_result:
    """The status of an open descriptor: of `path`, or of `name` in it, which is only joined to it to be told.

    If it is not a regular file, it is closed, and `LocalError` is raised.
    """
    try:
        status = os.fstat(number)
        if not (stat.S_ISREG(status.st_mode) or (mode == "r" and _is_null(status))):
            raise no_file(path / name, status.st_mode)
    except BaseException:
        os.close(number)
        raise
    return status


def _is_null(status: os.stat_result) -> bool:
    """Whether it is `/dev/null`, which people name to say that there is nothing to read."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == Path(os.devnull).stat().st_rdev


def no_file(path: Path, mode: int) -> LocalError:
    """The error for a path that is not a regular file."""
    return LocalError(f"{path} is {kind_of(mode)}, not a file", subject=str(path))


def kind_of(mode: int) -> str:
    """The kind of a file in words, with its article."""
    return _KINDS.get(stat.S_IFMT(mode), "something else")
