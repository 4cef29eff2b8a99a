"""Follows a run for its report file: how many bytes moved when, and what halted. Made only when a report is wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from transload.clock import SYSTEM_CLOCK, Clock
from transload.events import Event, HostTroubled, RunPaused, RunResumed, RunStarted, StepRetried
from transload.limits import REPORT_HALTS
from transload.report.insight import Insight, RunCourse, RunHalt, insight_of
from transload.values import evolve

if TYPE_CHECKING:
    from transload.report.tally import Tally

STEPS = 240
"""How many steps of time are kept: when there are more, two become one."""
FIRST_STEP_S = 0.0625


class Series:
    """Bytes by time: a growing total, as the bytes that came in each of at most `STEPS` steps of equal length."""

    def __init__(self) -> None:
        self.step_s = FIRST_STEP_S
        self.amounts: list[int] = []
        self._total = 0

    def add(self, at_s: float, total: int) -> None:
        """The total at a moment."""
        number = int(max(0.0, at_s) / self.step_s)
        while number >= STEPS:
            self.widen()
            number = int(at_s / self.step_s)
        self.amounts += [0] * (number + 1 - len(self.amounts))
        self.amounts[number] += max(0, total - self._total)
        self._total = max(self._total, total)

    def widen(self) -> None:
        """Make two steps one."""
        self.step_s *= 2
        self.amounts = [sum(self.amounts[place : place + 2]) for place in range(0, len(self.amounts), 2)]


class Recorder:
    """A listener for a run, after its tally. `received` gives the bytes that came from the sources until now."""

    def __init__(self, tally: Tally, received: Callable[[], int] | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        self._tally = tally
        self._received = received
        self._before = 0
        self._clock = clock
        self._began_s: float | None = None
        self._target, self._source = Series(), Series()
        self._halts: list[RunHalt] = []
        self._more_halts = 0
        self._last_s = -1.0
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Take in an event, of which the tally knows already."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            if isinstance(event, RunStarted):
                self._began_s, self._before = now_s, self._received() if self._received else 0
            if self._began_s is None:
                return
            at_s = now_s - self._began_s
            self._sample(at_s)
            if isinstance(event, StepRetried):
                error = event.error
                label = self._tally.label(event.step)
                self._halt(
                    RunHalt(at_s=at_s, kind="retry", wait_s=event.wait_s, about=label, side=error.side, code=error.code)
                )
            elif isinstance(event, RunPaused):
                self._halt(RunHalt(at_s=at_s, kind="pause", about=event.until))
            elif isinstance(event, RunResumed):
                self._resumed(event.paused_s)

    def host(self, event: HostTroubled) -> None:
        """Take in what happened at a host; any thread may call it."""
        if event.state == "back":
            return
        with self._lock:
            if self._began_s is None:
                return
            at_s = self._clock.monotonic_s() - self._began_s
            code = event.error.code if event.error else None
            self._halt(
                RunHalt(at_s=at_s, kind="wait", wait_s=event.wait_s, about=event.host, side=event.side, code=code)
            )

    def insight(self) -> Insight:
        """What the run's report may say."""
        tally = self._tally
        with self._lock:
            began_s = self._began_s
            if began_s is not None:
                self._sample(self._clock.monotonic_s() - began_s, last=True)
            course = self._course() if began_s is not None else None
        began = (
            None if image.started_s is None or began_s is None else max(0.0, image.started_s - began_s)
            for image in tally.images
        )
        return insight_of(tally.plan, began, course)

    def _sample(self, at_s: float, *, last: bool = False) -> None:
        if not last and at_s - self._last_s < self._target.step_s / 4:
            return  # it is soon enough with the next event
        self._last_s = at_s
        self._target.add(at_s, self._tally.moved)
        if self._received is not None:
            self._source.add(at_s, self._received() - self._before)

    def _resumed(self, paused_s: float) -> None:
        """The pause that goes on is over: now it is known how long it was."""
        for place, halt in reversed(list(enumerate(self._halts))):
            if halt.kind == "pause":
                self._halts[place] = evolve(halt, wait_s=paused_s)
                return

    def _halt(self, halt: RunHalt) -> None:
        if len(self._halts) < REPORT_HALTS:
            self._halts.append(halt)
        else:
            self._more_halts += 1

    def _course(self) -> RunCourse | None:
        if not any(self._target.amounts) and not self._halts:
            return None
        while self._source.amounts and self._source.step_s < self._target.step_s:
            self._source.widen()
        return RunCourse(
            step_s=self._target.step_s,
            source=tuple(self._source.amounts) if any(self._source.amounts) else (),
            target=tuple(self._target.amounts),
            halts=tuple(self._halts),
            more_halts=self._more_halts,
        )
