"""Whether the first blobs of a run may move before its plan is complete, and what moves them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transload.app.job import Job
    from transload.app.stores import Stores
    from transload.planning import BlobStep
    from transload.ports import Source, Target
    from transload.threads import Cancellation
    from transload.transfer import Journal
    from transload.transfer.headstart import HeadStart

_BODIES = 8


class Early:
    """Moves blobs from the first ones on that are certain; until then, and if there are none, it costs nothing."""

    def __init__(self, make: Callable[[], HeadStart]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self.started: HeadStart | None = None

    def begin(self, steps: Sequence[BlobStep]) -> None:
        """These blobs are certain to be copied."""
        with self._lock:
            if self.started is None:
                self.started = self._make()
        self.started.begin(steps)

    def close(self) -> None:
        """End what still moves."""
        if self.started is not None:
            self.started.close()


def head_start(
    job: Job,
    sources: Mapping[str, Source],
    target: Target,
    journal: Journal,
    stores: Stores,
    cancellation: Cancellation,
) -> Early | None:
    """What moves blobs while the plan is made; None if the whole plan must be seen first.

    That is so where a person, a gate or a rule may keep an image out (`Job.begins_early` says what the command knows of
    it), and where an earlier run left something at the target that the plan asks for.
    """
    ruled = job.gates is not None or job.policy is not None or job.ages.are_limited
    if not job.begins_early or ruled or job.target.kind != "registry" or not journal.is_empty:
        return None

    def make() -> HeadStart:
        from transload.transfer.headstart import HeadStart  # an unchanged run needs none of it

        pace = stores.pace_of_files(sources.values(), target)
        return HeadStart(
            sources,
            target,
            journal,
            bodies=min(_BODIES, job.bodies, stores.most_bodies),
            cancellation=cancellation,
            give_up_after_s=stores.patience_s,
            pace=pace.pieces if pace else None,
        )

    early = Early(make)
    stores.at_end(early.close)
    return early
