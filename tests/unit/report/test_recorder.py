"""What is recorded for a report: bytes by time in a bounded number of steps, and what halted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.report.replay import StoppedClock, Wanted, planned
from tests.unit.report.sample import many
from transload.errors import Unreachable
from transload.events import HostTroubled, RunPaused, RunResumed, RunStarted, StepMoved, StepStarted
from transload.limits import REPORT_HALTS
from transload.planning import BlobStep
from transload.report.recorder import FIRST_STEP_S, STEPS, Recorder, Series
from transload.report.tally import Tally, together

TROUBLED = HostTroubled(
    "registry.example",
    "retrying",
    troubled_s=1.0,
    left_s=9.0,
    wait_s=3.0,
    error=Unreachable("it is silent"),
    side="target",
)


@given(st.lists(st.tuples(st.floats(0, 5000), st.integers(0, 1 << 40)), max_size=200))
def test_no_byte_is_lost_and_steps_stay_few(given: list[tuple[float, int]]) -> None:
    series, at_s, total = Series(), 0.0, 0
    for after_s, more in given:
        at_s, total = at_s + after_s, total + more
        series.add(at_s, total)
    assert sum(series.amounts) == total
    assert len(series.amounts) <= STEPS


def test_two_steps_become_one_when_there_are_too_many() -> None:
    series = Series()
    for number in range(STEPS):
        series.add(number * FIRST_STEP_S, number + 1)
    assert (series.step_s, series.amounts) == (FIRST_STEP_S, [1] * STEPS)
    series.add(STEPS * FIRST_STEP_S, STEPS + 5)
    assert series.step_s == 2 * FIRST_STEP_S
    assert series.amounts == [2] * (STEPS // 2) + [5]


def test_a_total_that_falls_counts_for_nothing() -> None:
    series = Series()
    for total in (10, 4, 12):
        series.add(0.0, total)
    assert series.amounts == [12]


def begun() -> tuple[StoppedClock, Recorder, Tally]:
    clock, plan = StoppedClock(), planned([Wanted("one")])
    tally = Tally(plan, clock)
    recorder = Recorder(tally, lambda: tally.moved + 7, clock)
    together(tally, recorder)(RunStarted(1, len(plan.steps), 10))
    return clock, recorder, tally


def test_what_halted_is_kept_with_its_time() -> None:
    clock, recorder, tally = begun()
    clock.now_s += 2
    recorder.host(TROUBLED)
    clock.now_s += 5
    together(tally, recorder)(RunPaused("22:00"))
    clock.now_s += 60
    together(tally, recorder)(RunResumed(60.0))
    course = recorder.insight().course
    assert course is not None
    told = [(halt.kind, halt.at_s, halt.wait_s, halt.about, halt.code) for halt in course.halts]
    assert told == [("wait", 2.0, 3.0, "registry.example", "unreachable"), ("pause", 7.0, 60.0, "22:00", None)]


def test_halts_are_bounded_and_counted() -> None:
    _, recorder, _ = begun()
    for _ in range(REPORT_HALTS + 9):
        recorder.host(TROUBLED)
    course = recorder.insight().course
    assert course is not None
    assert (len(course.halts), course.more_halts) == (REPORT_HALTS, 9)


def test_what_a_source_sent_before_the_run_does_not_count() -> None:
    clock, recorder, tally = begun()
    listen = together(tally, recorder)
    step = next(step for step in tally.plan.steps if isinstance(step, BlobStep) and step.origin is None)
    listen(StepStarted(step.id, str(step.descriptor.digest), step.label, step.descriptor.size))
    listen(StepMoved(step.id, 0))
    for position in (1000, 5000):
        clock.now_s += 1
        listen(StepMoved(step.id, position))
    course = recorder.insight().course
    assert course is not None
    assert sum(course.source) == sum(course.target) == 5000


def test_each_layer_is_listed_once() -> None:
    insight = many(50).insight
    assert insight is not None
    digests = [layer.digest for layer in insight.layers]
    assert len(digests) == len(set(digests))
    assert sum(0 in image.layers for image in insight.images) == 50  # the shared one
