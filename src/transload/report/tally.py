"""Folds the events of a run into numbers: how much is done, how fast, the time left, and what runs now."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from transload.clock import SYSTEM_CLOCK, Clock
from transload.events import (
    Event,
    How,
    ImageDone,
    Listener,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    StepDone,
    StepFailed,
    StepMoved,
    StepRetried,
    StepStarted,
)
from transload.planning import BlobStep, Plan
from transload.planning.plan import Share
from transload.report.speed import WINDOW_S, Speed
from transload.values import define, field, frozen

if TYPE_CHECKING:
    from transload.errors import Side, TransloadError


@frozen(kw_only=True)
class Running:
    """A blob on its way, and how fast it moves.

    `waiting_s` is the rest of the pause before its next attempt, None while it moves; `side` is the one that failed.
    """

    step: int
    label: str
    size: int
    position: int
    duration_s: float
    rate_bytes_per_s: float = 0.0
    waiting_s: float | None = None
    side: Side | None = None


@frozen(kw_only=True)
class Snapshot:
    """The numbers of one moment. Sizes in bytes; `left_s` is None while it cannot be known.

    `position` is how much of `total` has arrived; `moved` is what went over the wire in this run, with repeats.
    `still_s` is how long no byte has come; `paused_until` is the time of the day when the run goes on.
    """

    images: int
    images_done: int
    images_failed: int
    total: int
    position: int
    moved: int
    rate_bytes_per_s: float
    left_s: float | None
    elapsed_s: float
    retries: int
    finished: bool = False
    paused_until: str | None = None
    still_s: float = 0.0
    running: tuple[Running, ...] = ()


@define(kw_only=True)
class ImageTally:
    """The counts of one image. `duration_s` is from its first step to its end; None until then."""

    copied: Share = field(factory=Share)
    mounted: Share = field(factory=Share)
    present: Share = field(factory=Share)
    retries: int = 0
    done: bool = False
    error: TransloadError | None = None
    duration_s: float | None = None
    started_s: float | None = None


@define(kw_only=True)
class _Moving:
    label: str
    size: int
    started_s: float
    speed: Speed
    position: int = 0
    moved: int = 0
    is_body: bool = False
    attempt_is_new: bool = True
    resumes_s: float | None = None
    side: Side | None = None


class Tally:
    """A listener for one run of one plan. Any thread can read it with `snapshot`.

    A blob that several images share counts for the first of them, as in the plan.
    """

    def __init__(self, plan: Plan, clock: Clock = SYSTEM_CLOCK, window_s: float = WINDOW_S) -> None:
        self.plan = plan
        self.images = tuple(ImageTally(present=image.present) for image in plan.images)
        self.images_done = 0
        self.images_failed = 0
        self.steps: Counter[How] = Counter()
        self.steps_failed = 0
        self.retries = 0
        self.total = plan.copied.bytes
        self.position = 0
        self.moved = 0
        self.lost = 0
        self.duration_s: float | None = None
        self.paused_until: str | None = None
        self._clock = clock
        self._window_s = window_s
        self._started_s = clock.monotonic_s()
        self._speed = Speed(self._started_s, window_s)
        self._steps = {step.id: step for step in plan.steps}
        self._owners = owners(plan)
        self._moving: dict[int, _Moving] = {}
        self._lock = threading.RLock()  # reentrant, since a signal handler may read while the main thread writes

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            match event:
                case StepMoved():
                    self._move(event, now_s)
                case StepStarted():
                    self._start(event, now_s)
                case StepDone():
                    self._finish(event)
                case StepRetried():
                    self._retry(event, now_s)
                case StepFailed():
                    self._fail(event)
                case ImageDone():
                    self._image(event, now_s)
                case RunStarted():
                    self._started_s = now_s
                    self._speed = Speed(now_s, self._window_s)
                case RunFinished():
                    self.duration_s = event.duration_s
                    self._moving.clear()
                case RunPaused():
                    self.paused_until = event.until
                    self._set_aside()
                case RunResumed():
                    self.paused_until = None

    def snapshot(self) -> Snapshot:
        """The numbers as they are now; the biggest running blob comes first."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            rate = self._rate(now_s)
            elapsed_s = now_s - self._started_s if self.duration_s is None else self.duration_s
            over = self.duration_s is not None
            open_bytes = self.total - self.position - self.lost
            bodies = [_shown(step, blob, now_s) for step, blob in self._moving.items() if blob.is_body]
            return Snapshot(
                images=len(self.images),
                images_done=self.images_done,
                images_failed=self.images_failed,
                total=self.total,
                position=self.position,
                moved=self.moved,
                rate_bytes_per_s=rate,
                left_s=None if over else self._speed.left_s(open_bytes, now_s),
                elapsed_s=elapsed_s,
                retries=self.retries,
                finished=over,
                paused_until=self.paused_until,
                still_s=0.0 if over else self._speed.still_s(now_s),
                running=tuple(sorted(bodies, key=lambda blob: (-blob.size, blob.step))),
            )

    @property
    def left_bytes(self) -> int:
        """The bytes that the run still has to move."""
        with self._lock:
            return self.total - self.position - self.lost

    def label(self, step: int) -> str:
        """What people call a step of the plan."""
        return self._steps[step].label

    # --- events

    def _set_aside(self) -> None:
        """What moves begins again later, where the target has kept it."""
        self.position -= sum(blob.position for blob in self._moving.values() if blob.is_body)
        self._moving.clear()

    def _start(self, event: StepStarted, now_s: float) -> None:
        step = self._steps.get(event.step)
        is_body = isinstance(step, BlobStep) and step.origin is None
        self._moving[event.step] = _Moving(
            label=event.label,
            size=event.size,
            started_s=now_s,
            speed=Speed(now_s, self._window_s),
            is_body=is_body,
        )
        image = self._image_of(event.step)
        if image is not None and image.started_s is None:
            image.started_s = now_s

    def _move(self, event: StepMoved, now_s: float) -> None:
        moving = self._moving.get(event.step)
        if moving is None:
            return
        if not moving.is_body and isinstance(self._steps.get(event.step), BlobStep):
            moving.is_body = True  # the mount was refused: its bytes are copied after all
            self.total += moving.size
        fresh = event.position - moving.position if event.position >= moving.position else event.position
        if fresh and not moving.attempt_is_new:  # the first event says where the attempt begins
            self.moved += fresh
            moving.moved += fresh
            moving.speed.heard(moving.moved, now_s)
        if moving.is_body:
            self.position += event.position - moving.position
        moving.position, moving.attempt_is_new, moving.resumes_s = event.position, False, None
        self._speed.heard(self.moved, now_s)

    def _finish(self, event: StepDone) -> None:
        moving = self._moving.pop(event.step, None)
        self.steps[event.how] += 1
        step = self._steps.get(event.step)
        if moving is not None and moving.is_body:
            self.position += moving.size - moving.position
        image = self._image_of(event.step)
        if image is None or not isinstance(step, BlobStep):
            return
        size = step.descriptor.size
        if event.how == "copied":
            image.copied = image.copied.plus(size)
        elif event.how == "mounted":
            image.mounted = image.mounted.plus(size)
        else:
            image.present = image.present.plus(size)

    def _retry(self, event: StepRetried, now_s: float) -> None:
        self.retries += 1
        moving = self._moving.get(event.step)
        if moving is not None:
            moving.attempt_is_new, moving.resumes_s, moving.side = True, now_s + event.wait_s, event.error.side
        image = self._image_of(event.step)
        if image is not None:
            image.retries += 1

    def _fail(self, event: StepFailed) -> None:
        self.steps_failed += 1
        moving = self._moving.pop(event.step, None)
        if moving is not None and moving.is_body:
            self.position -= moving.position
            self.lost += moving.size

    def _image(self, event: ImageDone, now_s: float) -> None:
        image = self.images[event.image]
        image.done, image.error = True, event.error
        if image.started_s is not None:
            image.duration_s = now_s - image.started_s
        self.images_done += 1
        if event.error is not None and event.tried and not self.plan.images[event.image].excused:
            self.images_failed += 1

    # --- numbers

    def _image_of(self, step: int) -> ImageTally | None:
        number = self._owners.get(step)
        return None if number is None else self.images[number]

    def _rate(self, now_s: float) -> float:
        """The rate over the window; over the whole run once it is finished."""
        if self.duration_s is None:
            return self._speed.rate(now_s)
        return self.moved / self.duration_s if self.duration_s > 0 else 0.0


def owners(plan: Plan) -> dict[int, int]:
    """The image that each step counts for: the first in the plan that needs it."""
    steps = {step.id: step for step in plan.steps}
    numbers: dict[int, int] = {}
    for number, image in enumerate(plan.images):
        pending = list(image.goals)
        while pending:
            step = pending.pop()
            if step in numbers:
                continue
            numbers[step] = number
            pending.extend(steps[step].needs)
    return numbers


def together(*listeners: Callable[[Event], None]) -> Listener:
    """One listener that passes events to several, in order: the tally first, then those that read it."""

    def tell(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return tell


@contextlib.contextmanager
def logged(progress: AbstractContextManager[Listener], log: Listener | None) -> Iterator[Listener]:
    """What shows the progress, for a block; with a log, one listener for both."""
    with progress as listener:
        yield listener if log is None else together(listener, log)


def _shown(step: int, blob: _Moving, now_s: float) -> Running:
    waiting_s = None if blob.resumes_s is None else max(0.0, blob.resumes_s - now_s)
    return Running(
        step=step,
        label=blob.label,
        size=blob.size,
        position=blob.position,
        duration_s=now_s - blob.started_s,
        rate_bytes_per_s=blob.speed.rate(now_s),
        side=blob.side,
        waiting_s=waiting_s,
    )
