"""How far a reading is, on a terminal and in a log."""

from __future__ import annotations

import io
import threading

from transload.cli.reading import Reading

MIB = 1 << 20


class Clock:
    """Time that a test moves on."""

    now_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        return self.now_s

    def sleep_s(self, seconds: float, wake: threading.Event | None = None) -> None:
        self.now_s += seconds


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def read(stream: io.StringIO, pieces: int, piece_s: float) -> str:
    clock = Clock()
    with Reading(stream, 100 * MIB, clock) as told:
        for _ in range(pieces):
            clock.sleep_s(piece_s)
            told(MIB)
    return stream.getvalue()


def test_a_log_gets_a_line_now_and_then() -> None:
    assert read(io.StringIO(), 40, 1.0).splitlines() == [
        "read 1.0 of 100 MiB (1%), 1.0 MiB/s, 1 min 39 s left",
        "read 16 of 100 MiB (16%), 1.0 MiB/s, 1 min 24 s left",
        "read 31 of 100 MiB (31%), 1.0 MiB/s, 1 min 9 s left",
    ]


def test_a_terminal_has_one_line_that_is_gone_in_the_end() -> None:
    shown = read(Terminal(), 16, 0.125).split("\r\x1b[K")
    assert "\n" not in "".join(shown)
    assert shown[1] == "read 9.0 of 100 MiB (9%), 8.0 MiB/s, 11 s left"
    assert len(shown) == 2 + 4
    assert shown[-1] == ""


def test_what_is_over_at_once_says_nothing() -> None:
    assert read(io.StringIO(), 9, 0.1) == ""
