"""The last lines of a terminal, which are drawn again and again; everything else is written above them."""

from __future__ import annotations

import os
import threading
import unicodedata
from collections.abc import Callable, Iterable
from typing import IO, TYPE_CHECKING

from transload.report.lookalike import writable

if TYPE_CHECKING:
    from transload.report.styled import Styled

_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
# Line by line: if everything is cleared at once, tmux takes it for the end of a page and keeps the old lines.
_CLEAR_LINE, _CLEAR_LINE_ABOVE = "\r\x1b[K", "\x1b[A\x1b[K"

Size = Callable[[], tuple[int, int]]
"""Gives columns and rows as they are now."""


class MovingLines:
    """Draws lines, and removes exactly these before anything else is written. Safe to use from several threads.

    A terminal that becomes narrower folds its lines again, so that they may take more rows than before. The number of
    rows is computed from the current width. `moves` False (no terminal) draws nothing, and only passes lines on.
    """

    def __init__(
        self, stream: IO[str], size: Size | None = None, render: Callable[[Styled], str] = str, *, moves: bool = True
    ) -> None:
        self.broken = False
        self._stream = stream
        self._size = size or (lambda: size_of_terminal(stream))
        self._render = render
        self.moves = moves
        self._drawn: tuple[Styled, ...] = ()
        self._hidden = False
        self._lock = threading.RLock()  # reentrant, since a signal handler may write while the main thread does

    @property
    def drawn(self) -> bool:
        """Whether something is shown."""
        return bool(self._drawn)

    def draw(self, lines: Iterable[Styled]) -> None:
        """Show these lines instead of the current ones."""
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
            text = "".join(f"{self._render(line)}\n" for line in lines)
            self._write(self._taken_away() + text + self._shown(drawn))

    def clear(self) -> None:
        """Remove the lines, and show the cursor again."""
        with self._lock:
            self._write(self._taken_away() + self._cursor())

    def leave(self) -> None:
        """Leave the lines where they are; the next output goes below them."""
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
        return "\n".join(self._render(line) for line in lines)

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
    """Columns and rows of the terminal behind a stream; 80 and 24 if it does not say."""
    try:
        terminal = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return 80, 24
    return terminal.columns or 80, terminal.lines or 24
