"""What goes on beside the copying: nothing at first, then a line that vanishes, a line now and then, or an event."""

from __future__ import annotations

import io
import threading
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.report.replay import StoppedClock
from tests.unit.report.screens import Screen
from transload.events import Counting, Progressed
from transload.report.activity import _WORDS, EventVoice, LogVoice, Moving, TerminalVoice, Working, sentence
from transload.report.moving import MovingLines, columns
from transload.report.styled import Meaning, Part, Styled
from transload.report.theme import MANY, painted

MIB = 1 << 20


@pytest.mark.parametrize("activity", _WORDS)
@pytest.mark.parametrize(("done", "total"), [(0, None), (7, None), (0, 0), (1, 1), (12, 20)])
def test_every_activity_has_its_sentence(activity: str, done: int, total: int | None) -> None:
    told = sentence(Progressed(activity, done, total))  # type: ignore[arg-type]
    assert told
    assert str(done) in told or not _WORDS[activity][1] or total is None  # type: ignore[index]


def test_sentences_say_how_far_it_is() -> None:
    assert sentence(Progressed("surveying", 12, 20)) == "planning: 12 of 20 images asked about"
    assert sentence(Progressed("searching", 1, 1)) == "planning: 1 of 1 blob looked for at the target"
    assert sentence(Progressed("hashing", MIB, 4 * MIB)) == "verifying: 1.0 of 4.0 MiB (25%) read and hashed"
    assert (
        sentence(Progressed("proving", 3, 20, 5 * MIB)) == "verifying: 3 of 20 images checked, 5.0 MiB read and hashed"
    )
    assert sentence(Progressed("selecting")) == "asking what is published"
    assert sentence(Progressed("listing", 1234)) == "taking the inventory: 1,234 names read"


def test_bytes_have_a_speed_and_an_end_as_soon_as_they_are_known() -> None:
    clock = StoppedClock()
    moving = Moving(clock)
    for second in range(8):
        now = Progressed("hashing", second * MIB, 100 * MIB)
        moving.heard(now)
        clock.now_s += 1
    assert moving.words(now) == ["896 KiB/s", "1 min 47 s left"]
    clock.now_s += 30
    assert moving.words(now) == ["38 s"]


def test_a_count_tells_each_step_and_its_bytes() -> None:
    told: list[Progressed] = []
    counting = Counting(told.append, "proving", 2)
    counting.read(5)
    assert counting.around(str)(7) == "7"
    assert told == [Progressed("proving", 0, 2), Progressed("proving", 0, 2, 5), Progressed("proving", 1, 2, 5)]
    Counting(told.append, "rechecking", possible=True)
    assert len(told) == 3


def test_a_program_hears_what_is_new_and_every_ten_seconds_what_is_not() -> None:
    told: list[Progressed] = []
    voice, moving = EventVoice(told.append), Moving(StoppedClock())
    for done in (*range(3), *[3] * 21):
        voice.say(Progressed("surveying", done, 9), moving)
    assert [one.done for one in told] == [0, 1, 2, 3, 3, 3]


def test_a_log_gets_a_whole_line() -> None:
    told: list[str] = []
    LogVoice(told.append).say(Progressed("surveying", 12, 20), Moving(StoppedClock()))
    assert told == ["planning: 12 of 20 images asked about, 0.0 s"]


def test_a_log_gets_no_line_without_news_while_others_come() -> None:
    told: list[str] = []
    voice = LogVoice(told.append)
    for done in (1, 1, 2, 2):
        voice.beside()
        voice.say(Progressed("surveying", done, 20), Moving(StoppedClock()))
    voice.say(Progressed("surveying", 2, 20), Moving(StoppedClock()))
    assert [line[:14] for line in told] == ["planning: 1 of", "planning: 2 of", "planning: 2 of"]


@pytest.mark.parametrize("width", [20, 40, 200])
def test_a_line_on_a_terminal_is_never_too_wide(width: int) -> None:
    drawn: list[Styled | None] = []
    voice = TerminalVoice(drawn.append, lambda: (width, 24))
    voice.say(Progressed("proving", 12, 20, 5 * MIB), Moving(StoppedClock()))
    voice.rest()
    assert len(str(drawn[0])) < width
    assert drawn[-1] is None


def test_what_is_over_at_once_is_never_said() -> None:
    drawn: list[Styled | None] = []
    working = Working(TerminalVoice(drawn.append, lambda: (80, 24)))
    working(Progressed("selecting"))
    working.rest()
    assert drawn == [None]


# --- lines that move


def rows_taken(text: str) -> int:
    return text.count("\x1b[A") + 1


@pytest.mark.parametrize(("before", "after"), [(120, 120), (120, 40), (40, 120), (120, 60)])
def test_as_many_rows_are_cleared_as_the_lines_take_at_the_width_of_now(before: int, after: int) -> None:
    stream = io.StringIO()
    lines = MovingLines(stream, lambda: (after, 24))
    drawn = [Styled.of("x" * (before - 1)), Styled.of("short")]
    lines.draw(drawn)
    first = len(stream.getvalue())
    lines.clear()
    assert rows_taken(stream.getvalue()[first:]) == -(-(before - 1) // after) + 1
    assert not lines.drawn


def test_what_is_written_above_leaves_the_lines_below_it() -> None:
    stream = io.StringIO()
    lines = MovingLines(stream, lambda: (80, 24))
    lines.draw([Styled.of("one"), Styled.of("two")])
    lines.above([Styled.of("kept")])
    assert "kept" not in stream.getvalue(), "it waits for the next drawing, and nobody waits for the terminal"
    lines.draw([Styled.of("one"), Styled.of("two")])
    assert stream.getvalue().endswith("\r\x1b[K\x1b[A\x1b[Kkept\none\ntwo")
    lines.leave()
    assert stream.getvalue().endswith("two\n\x1b[?25h")


def test_where_nothing_moves_lines_are_passed_on_plain() -> None:
    stream = io.StringIO()
    lines = MovingLines(stream, moves=False)
    lines.draw([Styled.of("bar")])
    lines.above([Styled.of("kept")])
    lines.clear()
    assert stream.getvalue() == "kept\n"


def test_a_terminal_that_has_gone_ends_nothing() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    lines = MovingLines(Gone(), lambda: (80, 24))
    lines.draw([Styled.of("bar")])
    assert lines.broken
    lines.above([Styled.of("kept")])


def test_wide_characters_take_two_columns() -> None:
    assert columns("日本 a") == 6


texts = st.text("ab ─━", max_size=12)
meanings: st.SearchStrategy[Meaning] = st.sampled_from(["", "good", "faint"])
styled = st.lists(st.tuples(texts, meanings), max_size=3).map(lambda parts: Styled(tuple(parts)))
frames = st.lists(styled, max_size=4)


@given(st.lists(st.tuples(st.lists(styled, max_size=2), frames), min_size=1, max_size=8), st.sampled_from([16, 40]))
def test_what_is_drawn_in_few_bytes_is_the_same_as_what_is_drawn_in_full(
    drawn: list[tuple[list[Styled], list[Styled]]], width: int
) -> None:
    stream, screen, above = io.StringIO(), Screen(width), list[Styled]()
    lines = MovingLines(stream, lambda: (width, 24), partial(painted, look=MANY))
    for kept, frame in drawn:
        lines.above(kept)
        lines.draw(frame)
        above += kept
    screen.feed(stream.getvalue())
    whole = Screen(width)
    whole.feed("\n".join(map(str, [*above, *drawn[-1][1]])))
    assert screen.rows == whole.rows


def test_a_frame_in_which_a_number_changes_takes_few_bytes() -> None:
    """A line of 1,200 bytes a second must do."""
    stream = io.StringIO()
    lines = MovingLines(stream, lambda: (80, 24), partial(painted, look=MANY))
    rows: list[Part] = [("━" * 30, "good"), ("─" * 30, "faint")]
    lines.draw([Styled.of(*rows, " 41%"), Styled.of("41 of 100 MiB · 1.0 MiB/s · 59 s left")])
    first = len(stream.getvalue())
    lines.draw([Styled.of(*rows, " 42%"), Styled.of("42 of 100 MiB · 1.0 MiB/s · 58 s left")])
    assert len(stream.getvalue()) - first < 60


def test_a_terminal_that_is_behind_is_drawn_to_less_often() -> None:
    clock = StoppedClock()

    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            clock.now_s += 0.5
            return super().write(text)

    stream = Slow()
    lines = MovingLines(stream, lambda: (80, 24), clock=clock)
    for number in range(30):
        lines.draw([Styled.of(str(number))])
        clock.now_s += 0.2
    assert stream.getvalue().count("\r") == 2, "three drawings instead of thirty"
    lines.draw([Styled.of("the end")], at_once=True)
    assert stream.getvalue().endswith("the end")


def test_who_has_something_to_say_does_not_wait_for_the_terminal() -> None:
    """A run stood still while its terminal took no bytes (Ctrl-S, a slow line)."""
    stuck, goes_on = threading.Event(), threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            stuck.set()
            assert goes_on.wait(60)
            return super().write(text)

    stream = Stuck()
    lines = MovingLines(stream, lambda: (80, 24))
    drawing = threading.Thread(target=lines.draw, args=([Styled.of("bar")],))
    drawing.start()
    assert stuck.wait(60)
    lines.above([Styled.of("kept")])  # would stand still here
    goes_on.set()
    drawing.join()
    lines.leave()
    assert "kept\n" in stream.getvalue()


def test_ctrl_z_leaves_the_lines_and_they_are_drawn_anew_below() -> None:
    stream = io.StringIO()
    lines = MovingLines(stream, lambda: (80, 24))
    lines.draw([Styled.of("one"), Styled.of("two")])
    with lines.left():
        assert stream.getvalue().endswith("one\ntwo\n\x1b[?25h"), "the shell's words come below"
    before = len(stream.getvalue())
    lines.draw([Styled.of("one"), Styled.of("two")])
    assert stream.getvalue()[before:] == "\x1b[?25lone\ntwo"
