"""Which images of a run are done, and how: an image is when its last goal is, or when one of them failed."""

from __future__ import annotations

import threading

from transload.errors import HostGivenUp, TransloadError
from transload.events import ImageDone, Listener
from transload.planning import Plan, Step
from transload.transfer.outcome import ImageOutcome


class Images:
    """Follows the images of `plan`, and tells of each that is done. Safe for threads."""

    def __init__(self, plan: Plan, tell: Listener) -> None:
        self._plan = plan
        self._tell = tell
        self._lock = threading.RLock()
        self._outcomes: dict[int, ImageOutcome] = {}
        self._goals = {number: set(image.goals) for number, image in enumerate(plan.images)}
        self.of: dict[int, list[int]] = {}
        """The images that each goal completes, by the number of its step. Other steps complete none."""
        for number, goals in self._goals.items():
            for goal in goals:
                self.of.setdefault(goal, []).append(number)

    def begin(self) -> None:
        """Tell of the images for which there is nothing to do."""
        for number, image in enumerate(self._plan.images):
            if image.error is not None or not image.goals:
                self._done(number, image.error, tried=not isinstance(image.error, HostGivenUp))

    def reach(self, step: Step, error: TransloadError | None, *, tried: bool = True) -> None:
        """A step ended."""
        if step.id not in self.of:
            return
        with self._lock:
            for number in self.of[step.id]:
                goals = self._goals[number]
                goals.discard(step.id)
                if error is not None:
                    self._done(number, error, tried=tried)
                elif not goals:
                    self._done(number, None)

    def _done(self, number: int, error: TransloadError | None, *, tried: bool = True) -> None:
        if number not in self._outcomes:
            self._outcomes[number] = ImageOutcome(done=True, error=error, tried=tried)
            self._tell(ImageDone(number, error, tried))

    @property
    def outcomes(self) -> tuple[ImageOutcome, ...]:
        """Those of all images, in the order of the plan."""
        unfinished = ImageOutcome(done=False, error=None)
        return tuple(self._outcomes.get(number, unfinished) for number in range(len(self._plan.images)))
