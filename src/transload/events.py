"""What happened, as frozen values. The engine sends events and reports read them; a listener decides nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal, TypeVar

from transload.errors import Side, TransloadError
from transload.values import evolve, field, frozen

Item = TypeVar("Item")
Result = TypeVar("Result")

How = Literal["copied", "mounted", "present", "stored", "tagged"]
"""The result of a step: bytes moved, blob mounted, blob already there, manifest stored by digest, tag moved."""


@frozen
class RunStarted:
    """A run begins. The numbers are those of its plan; `bytes_total` in bytes."""

    images: int
    steps: int
    bytes_total: int


@frozen
class StepStarted:
    """A worker began a step. `subject` is a digest, `label` its name for people, `size` its size in bytes.

    `step` is the `id` of a step of the plan, here and in the events below.
    """

    step: int
    subject: str
    label: str
    size: int


@frozen
class StepMoved:
    """The target has `position` bytes of a step's blob now.

    The first event of each attempt says where it begins: at 0, or later if the target kept a part of the blob.
    """

    step: int
    position: int


@frozen
class StepRetried:
    """An attempt failed and another follows after `wait_s` seconds.

    `attempt` is the number of the attempt that failed; the first is 1.
    """

    step: int
    error: TransloadError
    attempt: int
    wait_s: float


@frozen
class StepDone:
    """A step is done. `size` is the number of bytes moved: 0 unless `how` is `copied`."""

    step: int
    how: How
    size: int
    duration_s: float


@frozen
class StepFailed:
    """A step failed for good; all steps that need it are skipped."""

    step: int
    error: TransloadError


@frozen
class ImageDone:
    """Every step of an image has ended. `error` is None if the image is complete at the target.

    `tried` is False if no request was made for it, because `error` had already ended the run.

    `image` is its position in the images of the plan.
    """

    image: int
    error: TransloadError | None
    tried: bool = True


@frozen
class RunFinished:
    """The run is over. `interrupted`: it was asked to stop before the end."""

    duration_s: float
    interrupted: bool


@frozen
class RunPaused:
    """The hours in which the run may move bytes are over. `until` is the time of the day when it goes on (`22:00`)."""

    until: str


@frozen
class RunResumed:
    """The run goes on after a pause of `paused_s` seconds."""

    paused_s: float


Event = (
    RunStarted
    | StepStarted
    | StepMoved
    | StepRetried
    | StepDone
    | StepFailed
    | ImageDone
    | RunFinished
    | RunPaused
    | RunResumed
)
"""The events of a run: first one `RunStarted`, last one `RunFinished`."""


@frozen
class TargetEvent:
    """An event of the run to one of several targets; `target` is the store as it was named."""

    target: str
    event: Event


Listener = Callable[[Event], None]
"""Called by one thread at a time, in the order of what happened; it must return quickly and not raise."""


@frozen
class Allowance:
    """What a registry said of a limit on requests: `left` of `of` in `window_s` seconds, one more after `next_s`.

    None is what it did not say.
    """

    left: int
    of: int | None
    window_s: float | None
    next_s: float | None


HostState = Literal["retrying", "silent", "limited", "back"]
"""The state of a host that gave no useful answer; see `HostTroubled`."""


@frozen
class HostTroubled:
    """A host gives no useful answer, or gives one again. Sent outside of runs too: while planning, verifying, listing.

    `retrying`: a request failed with `error`, and attempt number `attempt` of about `attempts` follows after `wait_s`
    seconds; both are 0 if nobody repeats that request, and only the next one waits. `silent`: requests wait for an
    answer. `limited`: its `allowance` of requests is used up; the next one follows after `wait_s` seconds, at once if
    that is 0. `back`: it answers again. `troubled_s` is for how many seconds it has given no useful answer; `left_s` is
    how many are left until it is given up. `until_s` is when the wait ends, or when the silent host is given up, in
    seconds since 1970. `at_a_time` is how many requests may be under way.
    """

    host: str
    state: HostState
    troubled_s: float
    left_s: float
    attempt: int = field(default=0, kw_only=True)
    attempts: int = field(default=0, kw_only=True)
    wait_s: float = field(default=0.0, kw_only=True)
    error: TransloadError | None = field(default=None, kw_only=True)
    side: Side | None = field(default=None, kw_only=True)
    until_s: float | None = field(default=None, kw_only=True)
    allowance: Allowance | None = field(default=None, kw_only=True)
    at_a_time: int | None = field(default=None, kw_only=True)


HostListener = Callable[[HostTroubled], None]
"""Called by any thread, several at a time; it must return quickly and not raise."""


Activity = Literal[
    "selecting",
    "surveying",
    "searching",
    "comparing",
    "proving",
    "hashing",
    "listing",
    "rechecking",
    "finishing",
    "reading-back",
    "protecting",
    "repairing",
    "checking",
    "deleting",
    "loading",
    "staging",
    "gating",
    "judging",
]
"""What is going on beside the copying, in this order: listing what the source publishes; asking for images at both
sides; looking for blobs at the target; comparing a catalog with its source; proving images; reading and hashing bytes;
reading names for an inventory; reading an unfinished bundle again; flushing a bundle and giving it its names; reading
from the medium what was written to it; reading a bundle for its recovery volumes; making what is damaged in a bundle
again; asking registries what they take; deleting manifests; sending images to an engine of this machine; fetching
images for the gates; running the gates; judging images by a policy."""


@frozen
class Progressed:
    """An activity made progress: `done` of `total` things; `total` is None if it is not known.

    `bytes` is the number of bytes read for it, where that is counted too.
    """

    activity: Activity
    done: int = 0
    total: int | None = None
    bytes: int = 0


ActivityListener = Callable[[Progressed], None]
"""Called by any thread, several at a time; it must return quickly and not raise."""


class Counting:
    """Counts the progress of one activity, from any thread, and reports each step.

    It reports 0 at once, unless it is only `possible` that there will be anything to do.
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
        """Count `number` more as done."""
        with self._lock:
            now = self._now = evolve(self._now, done=self._now.done + number)
        self._listen(now)

    def read(self, length: int) -> None:
        """Count `length` more bytes as read."""
        with self._lock:
            now = self._now = evolve(self._now, bytes=self._now.bytes + length)
        self._listen(now)

    def around(self, work: Callable[[Item], Result]) -> Callable[[Item], Result]:
        """The same function, which also counts each call as one done."""

        def counted(item: Item) -> Result:
            result = work(item)
            self.add()
            return result

        return counted


def ignore(event: Event | HostTroubled | Progressed | TargetEvent) -> None:
    """A listener that does nothing."""
