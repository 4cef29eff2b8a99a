"""Several targets on one screen: no line is folded, and each says which target it is about."""

from __future__ import annotations

import doctest
import io
import re

import pytest

from tests.unit.report.replay import TROUBLES, Replay, StoppedClock, Wanted, planned, result_of
from transload.planning.plan import Share
from transload.report import several
from transload.report.planned import Totals
from transload.report.result import Result
from transload.report.several import Results, labels, results_lines
from transload.report.severalbars import SeveralBars
from transload.report.tally import Tally, together
from transload.report.theme import SIXTEEN
from transload.values import evolve

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
NAMES = ("registry.plant-7.example:5000/mirror", "oci:/a/folder/with/a/rather/long/name/on/a/disk")


def test_the_examples_in_the_docstrings() -> None:
    tried = doctest.testmod(several)
    assert tried.attempted == 5
    assert not tried.failed


def shown(width: int, height: int = 50) -> str:
    """What the terminal got: one target after the other, as if each had waited for the one before."""
    clock, plan, stream = StoppedClock(), planned(), io.StringIO()
    with SeveralBars(stream, NAMES, SIXTEEN, size=lambda: (width, height)) as bars:
        bars._draw()
        for number in range(len(NAMES)):
            bars.plan(number, Totals(plan))
            tally = Tally(plan, clock)
            replay = Replay(plan, clock)
            with bars.copying(number, tally) as progress:
                listen = together(tally, progress)
                for moment, event in enumerate(replay):
                    listen(event)
                    if not moment % 40:
                        bars._draw()
            bars.ended(number, result_of(tally, replay.outcome))
        bars.notice("stopping")
    return ESCAPE.sub("", stream.getvalue())


@pytest.mark.parametrize("height", [10, 50])
@pytest.mark.parametrize("width", [60, 120])
def test_no_line_is_folded_and_each_says_its_target(width: int, height: int) -> None:
    text = shown(width, height)
    assert max(len(line) for line in re.split("[\r\n]", text)) <= width
    for label in labels(NAMES):
        assert f"{label}\n  Plan: " in text
        assert f"{label}: [" in text
        assert f"{label[-6:]}: planning" in text
    assert f"{labels(NAMES)[0][-6:]}: 2 of 17 images failed" in text, "while the other goes on"
    assert "stopping" in text
    assert (" of 17 images ·" in text or "of 17 images\r" in text) == (height == 50)


def test_a_very_narrow_terminal_gets_bars_that_fit() -> None:
    """Only lines that stay may be longer, since they are never removed again."""
    moving = [part for part in re.split("[\r\n]", shown(30)) if "━" in part or "─" in part]
    assert moving
    assert max(map(len, moving)) < 30


@pytest.mark.parametrize("width", [40, 60, 120, None])
def test_the_result_of_each_stands_under_its_name(width: int | None) -> None:
    clock, plan = StoppedClock(), planned()
    tally = Tally(plan, clock)
    replay = Replay(plan, clock)
    for event in replay:
        tally(event)
    result = result_of(tally, replay.outcome)
    results = Results(targets=NAMES, results=(result, result), read_again=Share())
    lines = [str(line) for line in results_lines(results, width)]
    assert [line for line in lines if line and not line.startswith(" ")] == [
        "0 of 2 targets are complete",
        *NAMES,
    ]
    assert results.failures == (*result.failures, *result.failures)


def test_the_traffic_of_sources_is_named_once() -> None:
    """Both totals showed it, so that it looked like twice as much."""
    clock, plan = StoppedClock(), planned()
    tally = Tally(plan, clock)
    replay = Replay(plan, clock)
    for event in replay:
        tally(event)
    result = result_of(tally, replay.outcome)
    early = evolve(result, traffic=tuple(evolve(host, bytes_received=5) for host in result.traffic))
    text = "\n".join(map(str, results_lines(Results(targets=NAMES, results=(early, result), read_again=Share()))))
    assert text.count("mcr.microsoft.com 87 requests (1.4 GiB received") == 1, "as it was when the last one ended"
    assert text.count("registry.plant-7.example:5000 143 requests") == 2


def test_labels_that_would_be_alike_are_whole() -> None:
    alike = ("oci:/one/folder/of/the/same/name/here", "oci:/two/folder/of/the/same/name/here")
    assert labels(alike) == alike
    assert labels(("a\nb", "c")) == ("a b", "c")


def test_the_target_that_lacks_something_comes_last_with_its_command() -> None:
    """People look at the last lines; a target that had everything hid the command there."""
    clock = StoppedClock()
    ended = []
    for troubles in (TROUBLES, ()):
        plan = planned([Wanted(name) for name in ("arc-monitor-grafana", "arc-sqlmi", "arc-postgres-17")])
        tally = Tally(plan, clock)
        replay = Replay(plan, clock, troubles)
        for event in replay:
            tally(event)
        ended.append(result_of(tally, replay.outcome))
    text = [str(line) for line in results_lines(Results(targets=NAMES, results=tuple(ended), read_again=Share()), 80)]
    assert text[0] == "1 of 2 targets is complete"
    assert text.index(NAMES[1]) < text.index(NAMES[0])
    assert text[-2] == "  to try just these again:"
    assert text[-1].startswith("    transload mirror")


def test_targets_that_had_no_plan_when_the_run_was_stopped_are_told_how_to_go_on() -> None:
    """Only the target that feeds them had a command, and that one left them out."""
    clock, plan = (
        StoppedClock(),
        planned([Wanted(name) for name in ("arc-monitor-grafana", "arc-sqlmi", "arc-postgres-17")]),
    )
    tally = Tally(plan, clock)
    replay = Replay(plan, clock)
    for event in replay:
        tally(event)
    done = result_of(tally, replay.outcome)
    begun = evolve(done, interrupted=True, retry="transload mirror --to site-a")
    waiting = evolve(done, interrupted=True, retry=None)
    names = ("site-a", "site-b")

    def last(*ended: Result) -> str:
        results = Results(targets=names, results=ended, read_again=Share(), via=(None, "site-a"))
        return str(results_lines(results, 80)[-1])

    assert last(begun, waiting) == "to finish all: run the same command again; it asks each target what it has"
    assert last(done, begun) == "    transload mirror --to site-a"
    assert "again" not in last(done, done)


def test_of_many_targets_those_that_are_complete_get_a_line_each() -> None:
    clock = StoppedClock()
    ended = []
    for troubles in ((), TROUBLES, *[()] * 18):
        plan = planned([Wanted(name) for name in ("arc-monitor-grafana", "arc-sqlmi", "arc-postgres-17")])
        tally = Tally(plan, clock)
        replay = Replay(plan, clock, troubles)
        for event in replay:
            tally(event)
        ended.append(result_of(tally, replay.outcome))
    names = tuple(f"site-{number}.example" for number in range(20))
    via = (None, *[names[0]] * 19)
    results = Results(targets=names, results=tuple(ended), read_again=Share(), via=via)
    text = [str(line) for line in results_lines(results, 80)]
    assert text[0] == "19 of 20 targets are complete"
    done = [line for line in text if ": done: 3 copied" in line]
    assert len(done) == 19, text[:20]
    assert done[1].startswith("site-2.example, from site-0.example: done: 3 copied")
    assert text[text.index("site-1.example, from site-0.example") - 1] == ""
    assert text[-1].startswith("    transload mirror")


def test_of_more_targets_than_rows_those_at_work_are_shown() -> None:
    clock, plan, names = StoppedClock(), planned(), tuple(f"site-{number}.example" for number in range(40))
    bars = SeveralBars(io.StringIO(), names, SIXTEEN, size=lambda: (80, 24))
    tally = Tally(plan, clock)
    replay = Replay(plan, clock)
    for event in replay:
        tally(event)
    for number in range(1, 7):
        bars.waiting(number, 0)
    text = [str(line) for line in bars.bars(80, 24)]
    assert len(text) == 22
    assert text[:3] == [
        "0 of 40 targets have ended, 19 more are at work",
        "site-0.example: planning",
        "site-1.example: waits for site-0.example",
    ]
    for number in range(30):
        bars.ended(number, result_of(tally, replay.outcome))
    text = [str(line) for line in bars.bars(80, 24)]
    assert text[0] == "30 of 40 targets have ended"
    assert text[1:] == [f"site-{number}.example: planning" for number in range(30, 40)]
