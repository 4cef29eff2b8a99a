"""A listener that remembers, and what must hold for the events of any run; a clock that does not wait."""

from __future__ import annotations

import threading
from typing import TypeVar

from transload.errors import TransloadError
from transload.events import (
    Event,
    ImageDone,
    RunFinished,
    RunStarted,
    StepDone,
    StepFailed,
    StepMoved,
    StepRetried,
    StepStarted,
)
from transload.planning import BlobStep, Plan
from transload.transfer import Outcome

Kind = TypeVar("Kind")


class Recorder:
    """`run(listen=recorder)`, then `recorder.check(plan, outcome)`."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._turn = threading.Lock()

    def __call__(self, event: Event) -> None:
        assert self._turn.acquire(blocking=False), "two threads tell at the same time"
        try:
            self.events.append(event)
        finally:
            self._turn.release()

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    def check(self, plan: Plan, outcome: Outcome) -> None:
        """The story hangs together, and its end is the outcome."""
        assert self.events[0] == RunStarted(len(plan.images), len(plan.steps), plan.copied.bytes)
        assert self.events[-1] == RunFinished(outcome.duration_s, outcome.interrupted)
        assert len(self.of(RunStarted)) == len(self.of(RunFinished)) == 1
        for step in plan.steps:
            self._check_step(plan, step.id, outcome.interrupted)
        self._check_images(outcome)

    def _check_step(self, plan: Plan, step: int, interrupted: bool) -> None:
        events = [event for event in self.events if getattr(event, "step", None) == step]
        ends = [event for event in events if isinstance(event, StepDone | StepFailed)]
        assert [isinstance(event, StepStarted) for event in events] == [place == 0 for place in range(len(events))]
        assert len(ends) == (1 if events and not interrupted else len(ends)) <= 1
        assert not ends or events[-1] is ends[0]
        size = plan.steps[step].descriptor.size if isinstance(plan.steps[step], BlobStep) else None  # type: ignore[union-attr]
        if size is not None:
            self._check_positions(events, size)
        assert all(not end.size or end.how == "copied" for end in ends if isinstance(end, StepDone))

    @staticmethod
    def _check_positions(events: list[Event], size: int) -> None:
        position, begins = 0, True
        for event in events:
            if isinstance(event, StepMoved):
                assert begins or position < event.position
                assert event.position <= size
                position, begins = event.position, False
            elif isinstance(event, StepRetried):
                begins = True

    def _check_images(self, outcome: Outcome) -> None:
        told: dict[int, TransloadError | None] = {}
        for event in self.of(ImageDone):
            assert event.image not in told, "an image ends twice"
            told[event.image] = event.error
        for number, image in enumerate(outcome.images):
            assert image.done == (number in told)
            assert image.error is told.get(number)
            assert image.done or outcome.interrupted


class FakeClock:
    """Time passes only by sleeping, and sleeping takes no time. `slept_s` is what was waited, one by one."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept_s: list[float] = []

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        return self.now_s

    def sleep_s(self, seconds: float, wake: threading.Event | None = None) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds
