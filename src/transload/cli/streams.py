"""Prepares the standard streams, which may be closed, full, or in another encoding. Reports lost results."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

from transload.errors import LocalError
from transload.report.lookalike import LOOKALIKE


def prepare_streams() -> None:
    """Make every stream usable, so that no other code has to ask whether it is there."""
    for number in (0, 1, 2):  # the next opened file would take a closed stream's number, and get its output
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or _nothing("r")
    result, words = sys.stdout or _nothing("w"), sys.stderr or _nothing("w")
    for stream in (result, words):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=LOOKALIKE)
    sys.stdout, sys.stderr = cast("TextIO", _Result(result)), cast("TextIO", _Words(words))


def _nothing(mode: str) -> TextIO:
    return cast("TextIO", open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123 - pathlib takes 5 ms to load


class _Stream:
    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._on_terminal = stream.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Words(_Stream):
    """Standard error. Text that it does not take is lost, since there is no other place for it.

    The same is true for a signal handler's text in the middle of a write (RuntimeError).
    """

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


class _Result(_Stream):
    """Standard output. Raises `LocalError` if it takes no more, and `BrokenPipeError` if its reader has gone.

    If the terminal has gone, the text is lost, and the command ends as it would have.
    """

    def write(self, text: str) -> int:
        with self._told():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._told():
            self._stream.flush()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            if not (error.errno == errno.EIO and self._on_terminal):
                raise _lost(error) from error


def _lost(error: OSError) -> LocalError:
    return LocalError(
        f"writing to standard output failed, and the rest of the result is lost: {error.strerror or error}",
        hint="write to a file on a disk with free space",
    )
