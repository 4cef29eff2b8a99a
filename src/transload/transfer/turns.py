"""Whose turn it is: the next step of the agenda, as far as the hours and the bytes of a run permit."""

from __future__ import annotations

import threading

from transload.clock import Clock
from transload.events import Listener, RunPaused, RunResumed
from transload.planning import BlobStep, Step
from transload.transfer.agenda import Agenda, May, is_body, is_heavy, never
from transload.transfer.lanes import BodyLanes
from transload.transfer.limits import ByteBudget, Limits, Paused

_LOOK_S = 1.0


class Turns:
    """Hands out steps under `limits`. `next` and `end` are called under one lock, `check` by any thread."""

    def __init__(self, limits: Limits, clock: Clock, tell: Listener) -> None:
        self._hours = limits.between
        self._budget = ByteBudget(limits.max_bytes)
        self._clock = clock
        self._tell = tell
        self._full = {"heavy": False, "light": False}
        self._under_way = 0
        self._lock = threading.Lock()
        self._look_s = float("-inf")
        self._paused_s: float | None = None

    def next(self, agenda: Agenda, lanes: BodyLanes, *, light: bool = True) -> Step | None:
        """The next step that may begin now; None if there is none. With `light` False, it is no light body."""
        if self._is_pause():
            return None
        step = self._take(agenda, lanes, light)
        while step is not None and not self._begins(step):
            agenda.put_back(step)
            step = self._take(agenda, lanes, light)
        self._under_way += step is not None
        return step

    def more(self, agenda: Agenda, step: Step, most: int) -> list[Step]:
        """Up to `most` further steps of the same kind as `step`; bodies only for runs without limits."""
        taken = agenda.more(step, most)
        self._under_way += len(taken)
        return taken

    def _take(self, agenda: Agenda, lanes: BodyLanes, light: bool) -> Step | None:
        return agenda.take(heavy=self._heavy(lanes), light=self._light(lanes, light))

    def may_begin(self, agenda: Agenda, lanes: BodyLanes, *, light: bool = True) -> bool:
        """Whether `next` would find a step, as far as hours and bytes permit."""
        return agenda.has_next(heavy=self._heavy(lanes), light=self._light(lanes, light))

    def _heavy(self, lanes: BodyLanes) -> May:
        """When a large body does not fit, small ones may: they complete images whose large ones are there."""
        return never if self._full["heavy"] or self._full["light"] else lanes.heavy_may_begin

    def _light(self, lanes: BodyLanes, may: bool) -> May:
        return never if self._full["light"] or not may else lanes.light_may_begin

    def _begins(self, step: Step) -> bool:
        if not isinstance(step, BlobStep) or not is_body(step) or self._budget.begin(step.id, step.descriptor.size):
            return True
        self._full["heavy" if is_heavy(step) else "light"] = True
        return False

    def end(self, step: Step) -> None:
        """The step that was handed out ended, in whatever way."""
        self._under_way -= 1
        if self._budget.end(step.id):
            self._full = dict.fromkeys(self._full, False)

    @property
    def are_over(self) -> bool:
        """Whether nothing more will be handed out: the bytes are spent, and nothing is under way."""
        return self._budget.spent and not self._under_way

    def check(self, step: BlobStep, length: int) -> int:
        """Count up to `length` bytes that are about to move, and return how many may. Raises `Paused` if none may."""
        if self._is_pause():
            raise Paused("outside the hours of this run")
        return self._budget.move(step.id, length)

    def _is_pause(self) -> bool:
        """Whether it is outside the hours. Looks at the clock once in a second, and tells of a change."""
        if self._hours is None:
            return False
        with self._lock:
            now_s = self._clock.monotonic_s()
            if now_s - self._look_s < _LOOK_S:
                return self._paused_s is not None
            self._look_s, wall_s = now_s, self._clock.wall_s()
            before, on = self._paused_s, self._hours.are_on(wall_s)
            if on is (before is None):
                return not on
            self._paused_s = None if on else now_s
        self._tell(RunPaused(self._hours.next_begin(wall_s)) if before is None else RunResumed(now_s - before))
        return not on
