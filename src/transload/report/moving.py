"""The last lines of a terminal, drawn anew again and again; whatever else is written goes above them."""

from __future__ import annotations

import os
import threading
import unicodedata
from collections.abc import Callable, Iterable
from typing import IO

from transload.report.lookalike import writable
from transload.report.styled import Styled

_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
# Line by line: tmux takes clearing all from the first line on for the end of a page, and keeps that.
_CLEAR_LINE, _CLEAR_LINE_ABOVE = "\r\x1b[K", "\x1b[A\x1b[K"

Size = Callable[[], tuple[int, int]]
"""Columns and rows, as they are now."""


class MovingLines:
    """Draws lines, and takes away exactly these before anything else is written. Safe to use from several threads.

    Terminals fold lines anew when they become narrower, so that what was drawn may take more rows than it did: how many
    is reckoned from the width of the moment. `moves` False (no terminal) draws nothing, and only passes lines on.
    """

    def __init__(
        self, stream: IO[str], size: Size | None = None, dress: Callable[[Styled], str] = str, *, moves: bool = True
    ) -> None:
        self.broken = False
        self._stream = stream
        self._size = size or (lambda: size_of_terminal(stream))
        self._dress = dress
        self.moves = moves
        self._drawn: tuple[Styled, ...] = ()
        self._hidden = False
        self._lock = threading.RLock()  # reentrant, since a signal handler may write while the main thread does

    @property
    def drawn(self) -> bool:
        """Whether something is shown."""
        return bool(self._drawn)

    def draw(self, lines: Iterable[Styled]) -> None:
        """Show these instead of those that are shown."""
        wanted = tuple(lines)
        with self._lock:
            if self.moves and wanted != self._drawn:
                hide = "" if self._hidden else _HIDE_CURSOR
                self._hidden = True
                self._write(hide + self._taken_away() + self._shown(wanted))

    def above(self, lines: Iterable[Styled]) -> None:
        """Write lines that stay."""
        with self._lock:
            drawn = self._drawn
            told = "".join(f"{self._dress(line)}\n" for line in lines)
            self._write(self._taken_away() + told + self._shown(drawn))

    def clear(self) -> None:
        """Take away what is shown, and give the cursor back."""
        with self._lock:
            self._write(self._taken_away() + self._cursor())

    def leave(self) -> None:
        """What is shown stays, and whatever comes next goes below it."""
        with self._lock:
            self._write(("\n" if self._drawn else "") + self._cursor())
            self._drawn = ()

    def _cursor(self) -> str:
        shown = _SHOW_CURSOR if self._hidden else ""
        self._hidden = False
        return shown

    def _taken_away(self) -> str:
        if not self._drawn:
            return ""
        width = max(1, self._size()[0])
        rows = sum(max(1, -(-columns(str(line)) // width)) for line in self._drawn)
        self._drawn = ()
        return _CLEAR_LINE + _CLEAR_LINE_ABOVE * (rows - 1)

    def _shown(self, lines: tuple[Styled, ...]) -> str:
        self._drawn = lines
        return "\n".join(self._dress(line) for line in lines)

    def _write(self, text: str) -> None:
        if self.broken or not text:
            return
        try:
            self._stream.write(writable(text, self._stream))
            self._stream.flush()
        except (OSError, ValueError):  # the terminal has gone
            self.broken = True


def columns(text: str) -> int:
    """How many columns of a terminal a text takes.

    >>> columns("abc"), columns("日本")
    (3, 4)
    """
    return sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in text)


def size_of_terminal(stream: IO[str]) -> tuple[int, int]:
    """Columns and rows of the terminal behind a stream; 80 and 24 where it does not tell."""
    try:
        found = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return 80, 24
    return found.columns or 80, found.lines or 24
