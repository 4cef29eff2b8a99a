"""How much a run may move, and at which times of the day."""

from __future__ import annotations

import threading

from attrs import field, frozen

from transload.errors import Interrupted, UsageError
from transload.transfer.hours import Hours


def _check_bytes(_limits: object, _attribute: object, most: int | None) -> None:
    if most is not None and most < 1:
        raise UsageError(
            f"at least one byte must be allowed, not {most}", hint="leave the limit out to move everything"
        )


@frozen(kw_only=True)
class Limits:
    """`max_bytes` of blobs in one run, repeats included, and the `hours` in which they move. None: no limit.

    Manifests, lists and questions do not count. Raises `UsageError`.
    """

    max_bytes: int | None = field(default=None, validator=_check_bytes)
    hours: Hours | None = None


NO_LIMITS = Limits()


class Paused(Interrupted):
    """A blob stops for now, since the hours are over or the bytes are spent. The target keeps what it can."""


class ByteBudget:
    """The bytes that a run may still move. Safe for threads.

    A blob begins only if all of it fits, so that at the end of the budget no blob is half there. The first one always
    begins: a blob that is larger than the whole budget comes in parts, a part in each run, where the target can
    continue it.
    """

    def __init__(self, most: int | None) -> None:
        self.spent = False
        """Whether something had to stay behind."""
        self._most = most
        self._moved = 0
        self._reserved: dict[int, int] = {}
        self._lock = threading.Lock()

    def begin(self, step: int, size: int) -> bool:
        """Whether a blob of this size may begin; its bytes are set aside then."""
        if self._most is None:
            return True
        with self._lock:
            fits = self._moved + sum(self._reserved.values()) + size <= self._most
            is_first = not self._moved and not self._reserved
            if fits or is_first:
                self._reserved[step] = size
                return True
            self.spent = True
            return False

    def move(self, step: int, length: int) -> None:
        """Count `length` bytes that are about to move. Raises `Paused` if they are more than the budget has."""
        if self._most is None:
            return
        with self._lock:
            if self._moved + length > self._most:
                self.spent = True
                raise Paused("all bytes that this run may move are spent")
            self._moved += length
            if step in self._reserved:
                self._reserved[step] = max(0, self._reserved[step] - length)

    def end(self, step: int) -> None:
        """The blob is there, failed or stopped: what was set aside for it and not moved is free again."""
        with self._lock:
            self._reserved.pop(step, None)
