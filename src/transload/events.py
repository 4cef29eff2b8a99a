"""What happened, as frozen values. The engine tells, reports fold; nothing is called back to decide anything."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal, TypeVar

from attrs import evolve, frozen

from transload.errors import Side, TransloadError

Given = TypeVar("Given")
Result = TypeVar("Result")

How = Literal["copied", "mounted", "present", "stored", "tagged"]
"""What a step came to: bytes moved, blob mounted, blob already there, manifest stored by digest, tag moved."""


@frozen
class RunStarted:
    """A run begins: what the plan says is to be done. Sizes in bytes."""

    images: int
    steps: int
    bytes_total: int


@frozen
class StepStarted:
    """A worker took a step. `subject` is a digest, `label` what a person would call it, `size` its bytes."""

    step: int
    subject: str
    label: str
    size: int


@frozen
class StepMoved:
    """The target has `position` bytes of a step's blob now.

    The first event of each attempt tells where it begins: at 0, or further on where the target kept what had arrived.
    """

    step: int
    position: int


@frozen
class StepRetried:
    """An attempt failed and another follows after `wait_s` seconds."""

    step: int
    error: TransloadError
    attempt: int
    wait_s: float


@frozen
class StepDone:
    """A step is done. `size` is what was moved: 0 unless `how` is `copied`."""

    step: int
    how: How
    size: int
    duration_s: float


@frozen
class StepFailed:
    """A step cannot be done; everything that needs it is skipped."""

    step: int
    error: TransloadError


@frozen
class ImageDone:
    """Every step of an image is settled. `error` is None when the image is complete at the target.

    `tried` is False when nothing was asked for it any more, since `error` had ended the run already.
    """

    image: int
    error: TransloadError | None
    tried: bool = True


@frozen
class RunFinished:
    """The run is over. `interrupted` when it was asked to stop before the end."""

    duration_s: float
    interrupted: bool


Event = RunStarted | StepStarted | StepMoved | StepRetried | StepDone | StepFailed | ImageDone | RunFinished
"""What a run tells, from its begin to its end: one `RunStarted` first, one `RunFinished` last."""

Listener = Callable[[Event], None]
"""Called by one thread at a time, in the order of what happened; it must return quickly and not raise."""


HostState = Literal["retrying", "silent", "back"]
"""How it is with a host that gave no useful answer; see `HostTroubled`."""


@frozen
class HostTroubled:
    """A host gives no useful answer, or gives one again; told outside of runs, too: while planning, verifying, listing.

    `retrying`: a request failed by `error`, and number `attempt` of about `attempts` follows after `wait_s`. `silent`:
    requests wait for an answer. `back`: it answers again. `troubled_s` is how long it has given no useful answer by
    now, `left_s` how long until the run gives it up.
    """

    host: str
    state: HostState
    troubled_s: float
    left_s: float
    attempt: int = 0
    attempts: int = 0
    wait_s: float = 0.0
    error: TransloadError | None = None
    side: Side | None = None


HostListener = Callable[[HostTroubled], None]
"""Called by any thread, several at a time; it must return quickly and not raise."""


Activity = Literal[
    "selecting", "surveying", "searching", "comparing", "proving", "hashing", "listing", "rechecking", "finishing"
]
"""What goes on beside the copying: the source asked what it publishes; images asked about at both sides; blobs looked
for at the target; a catalog compared with its source; images proved; bytes read and hashed; names read for an
inventory; bytes of an unfinished bundle read again; a bundle flushed and given its names."""


@frozen
class Progressed:
    """An activity came further: `done` of `total` of what it counts; None where nobody knows how many there are.

    `bytes` is what was read for it, where that is counted beside.
    """

    activity: Activity
    done: int = 0
    total: int | None = None
    bytes: int = 0


ActivityListener = Callable[[Progressed], None]
"""Called by any thread, several at a time; it must return quickly and not raise."""


class Counting:
    """Counts what is done of one activity, from any thread, and tells each step.

    0 of them are told at once, unless it is only `possible` that there will be any.
    """

    def __init__(
        self, listen: ActivityListener, activity: Activity, total: int | None = None, *, possible: bool = False
    ) -> None:
        self._listen = listen
        self._now = Progressed(activity, 0, total)
        self._lock = threading.Lock()
        if not possible:
            listen(self._now)

    def add(self, number: int = 1) -> None:
        """So many more are done."""
        with self._lock:
            now = self._now = evolve(self._now, done=self._now.done + number)
        self._listen(now)

    def read(self, length: int) -> None:
        """So many bytes more were read for it."""
        with self._lock:
            now = self._now = evolve(self._now, bytes=self._now.bytes + length)
        self._listen(now)

    def around(self, work: Callable[[Given], Result]) -> Callable[[Given], Result]:
        """The same work, counted."""

        def counted(given: Given) -> Result:
            result = work(given)
            self.add()
            return result

        return counted


def ignore(event: Event | HostTroubled | Progressed) -> None:
    """A listener for nobody."""
