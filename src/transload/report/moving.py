"""The last lines of a terminal, which are drawn again and again; everything else is written above them.

A terminal may be slow: a line of 1,200 bytes a second, or one that was stopped with Ctrl-S. So only the letters that
changed are written, and less often if writing takes long; and lines that stay wait for the next drawing, so that nobody
who has something to say is held up.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import IO

from transload.clock import SYSTEM_CLOCK, Clock
from transload.report.lookalike import writable
from transload.report.styled import Meaning, Styled

_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
# Line by line: if everything is cleared at once, tmux takes it for the end of a page and keeps the old lines.
_CLEAR_LINE, _CLEAR_LINE_ABOVE, _CLEAR_REST = "\r\x1b[K", "\x1b[A\x1b[K", "\x1b[K"
_SLOW_S = 0.05  # a terminal that takes longer for a drawing is behind
_RESTS = 4  # and gets the next one after so many times as long, at most _LONGEST_S
_LONGEST_S = 5.0
_TAKES_S = 1.0  # for a drawing that is under way when the program is to be stopped

Size = Callable[[], tuple[int, int]]
"""Gives columns and rows as they are now."""

Cell = tuple[str, Meaning]
Paint = Callable[[Iterable[Cell]], str]


def plain(parts: Iterable[Cell]) -> str:
    """The text of parts, without their meanings."""
    return "".join(text for text, _ in parts)


class MovingLines:
    """Draws lines, and removes exactly these before anything else is written. Safe to use from several threads.

    While lines are drawn, someone must call `draw` again and again: what is written `above` them appears with the next
    drawing. A terminal that becomes narrower folds its lines again, so that they may take more rows than before. The
    number of rows is computed from the current width. `moves` False (no terminal) draws nothing, and only passes lines
    on. `paint` gives parts their colours.
    """

    def __init__(
        self,
        stream: IO[str],
        size: Size | None = None,
        paint: Paint = plain,
        *,
        moves: bool = True,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.broken = False
        self._stream = stream
        self.size = size or (lambda: size_of_terminal(stream))
        self._paint = paint
        self._clock = clock
        self.moves = moves
        self._drawn: tuple[Styled, ...] = ()
        self._columns = 0
        self._above: list[Styled] = []
        self._hidden = False
        self._rests_until_s = 0.0
        # Reentrant, since a signal handler may write while the main thread does. Whoever holds the first may wait for
        # the terminal; nobody who holds the second does.
        self._writing = threading.RLock()
        self._lock = threading.RLock()

    @property
    def drawn(self) -> bool:
        """Whether something is shown."""
        return bool(self._drawn)

    def draw(self, lines: Iterable[Styled], *, at_once: bool = False) -> None:
        """Show these lines instead of the current ones; not now if the terminal is behind, unless `at_once`."""
        wanted = tuple(lines)
        with self._writing:
            if not self.moves or (self._clock.monotonic_s() < self._rests_until_s and not at_once):
                return
            with self._lock:
                above, self._above = self._above, []
                before, self._drawn = self._drawn, wanted
            if not above and wanted == before:
                return
            hide = "" if self._hidden else _HIDE_CURSOR
            self._hidden = True
            self._write(hide + self._changed(before, above, wanted))

    def above(self, lines: Iterable[Styled]) -> None:
        """Write lines that stay: now, or above the drawn ones with the next drawing."""
        with self._lock:
            self._above += lines
            if self._drawn:
                return
        with self._writing:
            self._write(self._waiting())

    def clear(self) -> None:
        """Remove the lines, and show the cursor again."""
        with self._writing:
            before = self._forgotten()
            self._write(self._taken_away(before) + self._waiting() + self._cursor())

    def leave(self) -> None:
        """Leave the lines where they are; the next output goes below them."""
        with self._writing:
            before = self._forgotten()
            self._write(("\n" if before else "") + self._waiting() + self._cursor())

    @contextlib.contextmanager
    def left(self) -> Iterator[None]:
        """Leave the lines where they are, and write nothing during the block, in which the program is stopped."""
        held = self._writing.acquire(timeout=_TAKES_S)
        try:
            if held:
                self.leave()
            yield
        finally:
            if held:
                self._writing.release()

    # --- parts

    def _forgotten(self) -> tuple[Styled, ...]:
        """What was drawn, which is not any more."""
        with self._lock:
            before, self._drawn = self._drawn, ()
        return before

    def _waiting(self) -> str:
        with self._lock:
            above, self._above = self._above, []
        return self._text(above)

    def _text(self, lines: Iterable[Styled]) -> str:
        return "".join(f"{self._paint(line.trimmed)}\n" for line in lines)

    def _cursor(self) -> str:
        shown = _SHOW_CURSOR if self._hidden else ""
        self._hidden = False
        return shown

    def _changed(self, before: tuple[Styled, ...], above: list[Styled], wanted: tuple[Styled, ...]) -> str:
        """What turns the screen into what is wanted, in few bytes."""
        width = max(1, self.size()[0])
        same_rows = len(before) == len(wanted) and width == self._columns and not above
        self._columns = width
        if not same_rows or any(columns(str(line)) >= width for line in (*before, *wanted)):
            shown = "\n".join(self._paint(line.trimmed) for line in wanted)
            return self._taken_away(before) + self._text(above) + shown
        text, row = "", len(wanted) - 1
        for number, (old, new) in enumerate(zip(before, wanted, strict=True)):
            if old != new:
                text += _vertical(number - row) + self._repainted(old, new)
                row = number
        last = _vertical(len(wanted) - 1 - row)
        return text + last

    def _repainted(self, old: Styled, new: Styled) -> str:
        """The letters of a row that changed."""
        had, wants = cells(old), cells(new)
        first = next((n for n, (a, b) in enumerate(zip(had, wants, strict=False)) if a != b), min(len(had), len(wants)))
        end_had, end = len(had), len(wants)
        if columns(plain(had)) == columns(plain(wants)):
            while end_had > first < end and had[end_had - 1] == wants[end - 1]:
                end_had, end = end_had - 1, end - 1
        skipped = columns(plain(wants[:first]))
        shorter = columns(plain(had)) > columns(plain(wants))
        place = f"\r\x1b[{skipped}C" if skipped else "\r"
        return place + self._paint(_joined(wants[first:end])) + (_CLEAR_REST if shorter else "")

    def _taken_away(self, drawn: tuple[Styled, ...]) -> str:
        if not drawn:
            return ""
        width = max(1, self.size()[0])
        rows = sum(max(1, -(-columns(str(line)) // width)) for line in drawn)
        return _CLEAR_LINE + _CLEAR_LINE_ABOVE * (rows - 1)

    def _write(self, text: str) -> None:
        if self.broken or not text:
            return
        began_s = self._clock.monotonic_s()
        try:
            self._stream.write(writable(text, self._stream))
            self._stream.flush()
        except (OSError, ValueError):  # the terminal has gone
            self.broken = True
        took_s = self._clock.monotonic_s() - began_s
        if took_s > _SLOW_S:
            self._rests_until_s = began_s + took_s + min(_LONGEST_S, _RESTS * took_s)


def cells(line: Styled) -> list[Cell]:
    """The letters of a line, each with its meaning."""
    return [(letter, meaning) for text, meaning in line.trimmed for letter in text]


def _joined(letters: list[Cell]) -> Iterator[Cell]:
    """Letters with the same meaning as one part."""
    for meaning, group in itertools.groupby(letters, key=lambda cell: cell[1]):
        yield plain(group), meaning


def _vertical(rows: int) -> str:
    return "" if not rows else f"\x1b[{rows}B" if rows > 0 else f"\x1b[{-rows}A"


def columns(text: str) -> int:
    """How many columns of a terminal a text takes.

    >>> columns("abc"), columns("日本")
    (3, 4)
    """
    return len(text) if text.isascii() else sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in text)


def size_of_terminal(stream: IO[str]) -> tuple[int, int]:
    """Columns and rows of the terminal behind a stream; 80 and 24 if it does not say."""
    try:
        terminal = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return 80, 24
    return terminal.columns or 80, terminal.lines or 24
