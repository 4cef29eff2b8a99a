"""Results as report files have them: a replayed run, followed by what records it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.unit.report.replay import MIB, RELEASE, Replay, StoppedClock, Trouble, Wanted, planned, result_of
from transload.events import Event, RunStarted
from transload.report.recorder import Recorder
from transload.report.result import Result
from transload.report.tally import Tally, together
from transload.values import evolve


def recorded(
    wanted: Iterable[Wanted] = RELEASE, troubles: Sequence[Trouble] = (), also: Iterable[Event] = ()
) -> Result:
    """The result of a run, with layers and its course. `also` are events that come at its begin."""
    clock, plan = StoppedClock(), planned(wanted)
    tally = Tally(plan, clock)
    recorder = Recorder(tally, lambda: tally.moved, clock)
    replay, listen = Replay(plan, clock, troubles), together(tally, recorder)
    for event in replay:
        listen(event)
        if isinstance(event, RunStarted):
            for more in also:
                listen(more)
    return evolve(result_of(tally, replay.outcome), insight=recorder.insight())


def many(images: int) -> Result:
    """A run of many images, which share a layer and have one to four of their own."""
    return recorded(Wanted(f"group-{number % 40}/service-{number}", _layers(number)) for number in range(images))


def _layers(number: int) -> tuple[int, ...]:
    return tuple((3 + number * 7 % 40 + part) * MIB for part in range(1 + number % 4))
