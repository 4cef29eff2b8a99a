"""Notices on a narrow terminal that has no bars: folded between words."""

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest

from transload.report.lines import LineStream, QuietProgress

COLUMNS = 50
SENTENCE = "b.002.tar is missing: what it held is made again from the recovery volumes while b.003.tar is read"


@pytest.fixture
def terminal() -> Iterator[tuple[TextIO, Callable[[], list[str]]]]:
    """A terminal of 50 columns to write to, and what gives the lines that it got."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    with os.fdopen(theirs, "w") as stream:
        yield stream, lambda: os.read(ours, 10_000).decode().splitlines()
    os.close(ours)


def test_notices_are_folded_between_words(terminal: tuple[TextIO, Callable[[], list[str]]]) -> None:
    stream, lines = terminal
    QuietProgress(stream).notice(SENTENCE)
    got = lines()
    assert len(got) == 2
    assert all(len(line) <= COLUMNS for line in got)
    assert " ".join(got) == SENTENCE


def test_where_there_is_no_terminal_a_notice_is_one_line(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+") as log:
        assert LineStream(log).width is None
        QuietProgress(log).notice(SENTENCE)
        log.seek(0)
        assert log.read() == f"{SENTENCE}\n"
