"""Reading files that somebody named: regular ones only, since a pipe may never answer and a device never ends."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from io import FileIO
from pathlib import Path

from transload.errors import LocalError, Truncated
from transload.files.trouble import local_errors

# Opening does not wait for the other end of a pipe, and makes no terminal ours. Without these flags on Windows.
PATIENT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
PLAIN = PATIENT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

CHUNK_BYTES = 1 << 20
"""How much of a file is read at once."""

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
    """Open a regular file for reading, without waiting. Raises `LocalError` for anything else, and `OSError`.

    What the caller's own shell hands over (`/dev/stdin`, `<(…)`) is read whatever it is.
    """
    if str(path).startswith(_OWN):
        return FileIO(path)
    try:
        number = os.open(path, os.O_RDONLY | PLAIN)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise no_file(path, stat.S_IFSOCK) from error
        raise
    return regular(number, "r", path)[0]


def read_file(path: Path, count: int) -> bytes:
    """The first `count` bytes of a file, whole if it is not longer. Raises as `open_file` does."""
    with open_file(path) as file:
        return read_up_to(file, count)


def read_up_to(file: FileIO, count: int) -> bytes:
    """The next `count` bytes, fewer at the end; memory is taken only for what is there."""
    pieces = []
    while count > 0 and (piece := file.read(min(count, CHUNK_BYTES))):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def chunks_of(file: FileIO, path: Path, length: int = sys.maxsize) -> Iterator[memoryview]:
    """The next `length` bytes of a file, fewer at its end, as views of one buffer that is used again.

    `path` is told when reading fails. Raises `LocalError`.
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
    """`chunks`, which are `what`; raises `Truncated` behind the last one if they are fewer than `length` bytes."""
    for chunk in chunks:
        length -= len(chunk)
        yield chunk
    if length > 0:
        raise Truncated(f"{what} ended {length} bytes too early", subject=subject)


def check_kind(path: Path, *kinds: Callable[[int], bool]) -> None:
    """Raises `LocalError` for what is there, links followed, and is of no such kind (`stat.S_ISREG`); `OSError`."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        mode = path.stat().st_mode
        if not any(kind(mode) for kind in kinds):
            raise no_file(path, mode)


def regular(number: int, mode: str, path: Path) -> tuple[FileIO, os.stat_result]:
    """An open descriptor as a file; it is closed, and `LocalError` raised, if that is not a regular file."""
    try:
        status = os.fstat(number)
        if not (stat.S_ISREG(status.st_mode) or (mode == "r" and _is_null(status))):
            raise no_file(path, status.st_mode)
        return FileIO(number, mode), status
    except BaseException:
        os.close(number)
        raise


def _is_null(status: os.stat_result) -> bool:
    """By `/dev/null` people say that there is nothing to read."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == Path(os.devnull).stat().st_rdev


def no_file(path: Path, mode: int) -> LocalError:
    """What to raise about a path that leads to something of another kind."""
    return LocalError(f"{path} is {kind_of(mode)}, not a file", subject=str(path))


def kind_of(mode: int) -> str:
    """What people call it, with its article."""
    return _KINDS.get(stat.S_IFMT(mode), "something else")
