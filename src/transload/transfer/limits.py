"""How much a run may move, and at which times of the day."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from transload.clock import Clock
from transload.errors import Interrupted, UsageError
from transload.events import Listener, RunPaused, RunResumed
from transload.threads import Cancellation
from transload.transfer.hours import Hours
from transload.values import field, frozen
from transload.wording import bytes_in

_LOOK_S = 1.0  # between two looks at the clock: a computer that was asleep is awake at any moment


def _bytes(most: int | str | None) -> int | None:
    if isinstance(most, bool) or not isinstance(most, int | str | None):
        raise TypeError(f"max_bytes must be int or str, not {type(most).__name__}")
    number = bytes_in(most) if isinstance(most, str) else most
    if isinstance(most, str) and number is None:
        raise UsageError(f"{most[:40]!r} is not a number of bytes", hint="write a size such as 10GB or 700MiB")
    if number is not None and number < 1:
        raise UsageError(f"at least one byte must be allowed, not {number}", hint="leave it out to move all")
    return number


def _hours(between: Hours | str | Iterable[str] | None) -> Hours | None:
    if between is None or isinstance(between, Hours):
        return between
    texts: tuple[object, ...] = (
        (between,) if isinstance(between, str) or not isinstance(between, Iterable) else tuple(between)
    )
    wrong = next((text for text in texts if not isinstance(text, str)), None)
    if wrong is not None:
        raise TypeError(f"between must be str, not {type(wrong).__name__}")
    return Hours.parse(map(str, texts))


@frozen(kw_only=True)
class Limits:
    """How much a run may move, and when. None: no limit.

    `max_bytes` of blobs move in one run, as a number or a size (`10GB`, `700MiB`); what is sent again counts again,
    manifests and questions do not. Blobs move only `between` some times of the day, by the local clock:
    `22:00-05:00`, or several with commas between. Raises `UsageError`, `TypeError` for a value of a wrong type.
    """

    max_bytes: int | None = field(default=None, converter=_bytes)
    between: Hours | None = field(default=None, converter=_hours)

    def wait(self, clock: Clock, cancellation: Cancellation, listen: Listener) -> None:
        """Wait for the hours, if it is outside them. Raises `Interrupted`."""
        if self.between is None or self.between.are_on(clock.wall_s()):
            return
        began_s = clock.monotonic_s()
        listen(RunPaused(self.between.next_begin(clock.wall_s())))
        while not self.between.are_on(clock.wall_s()):
            clock.sleep_s(_LOOK_S, cancellation.wake)
            cancellation.check()
        listen(RunResumed(clock.monotonic_s() - began_s))


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

    def move(self, step: int, length: int) -> int:
        """Count up to `length` bytes that are about to move, and return how many may. Raises `Paused` if none may."""
        if self._most is None:
            return length
        with self._lock:
            length = min(length, self._most - self._moved)
            if length <= 0:
                self.spent = True
                raise Paused("all bytes that this run may move are spent")
            self._moved += length
            if step in self._reserved:
                self._reserved[step] = max(0, self._reserved[step] - length)
            return length

    def end(self, step: int) -> bool:
        """The blob is there, failed or stopped. Whether bytes that were set aside for it are free again.

        Then what had to stay behind may fit after all: the target may have had the blob, so that nothing moved.
        """
        with self._lock:
            is_freed = self._reserved.pop(step, 0) > 0
            self.spent = self.spent and not is_freed
            return is_freed
