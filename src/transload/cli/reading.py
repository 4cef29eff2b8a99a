"""How far a long reading is: one line that is written over on a terminal, a line now and then in a log."""

from __future__ import annotations

from typing import TextIO

from transload.clock import SYSTEM_CLOCK, Clock
from transload.report.texts import duration, percent, rate, size_of

_TERMINAL_S, _LOG_S = 0.2, 15.0
_FROM_S = 1.0  # what is over at once is not worth a line
_CLEAR_LINE = "\r\x1b[K"


class Reading:
    """Told how many bytes more were read of `total`, it says so on `stream`. As a block, it leaves the line clean."""

    def __init__(self, stream: TextIO, total: int, clock: Clock = SYSTEM_CLOCK) -> None:
        self._stream = stream
        self._total = total
        self._clock = clock
        self._position = 0
        self._began_s = clock.monotonic_s()
        self._terminal = stream.isatty()
        self._told_s = self._began_s - (_TERMINAL_S if self._terminal else _LOG_S) + _FROM_S

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            self._stream.write(_CLEAR_LINE)
            self._stream.flush()

    def __call__(self, length: int) -> None:
        """So many bytes more were read."""
        self._position += length
        now_s = self._clock.monotonic_s()
        if now_s - self._told_s >= (_TERMINAL_S if self._terminal else _LOG_S):
            self._told_s = now_s
            line = self._line(now_s - self._began_s)
            self._stream.write(f"{_CLEAR_LINE}{line}" if self._terminal else f"{line}\n")
            self._stream.flush()

    def _line(self, elapsed_s: float) -> str:
        told = [f"read {size_of(self._position, self._total)} ({percent(self._position, self._total)})"]
        if self._position and elapsed_s > 0:
            speed = self._position / elapsed_s
            told += [rate(speed), f"{duration((self._total - self._position) / speed)} left"]
        return ", ".join(told)
