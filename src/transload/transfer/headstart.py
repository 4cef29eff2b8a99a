"""Blobs that begin to move while their plan is still being made; the engine takes over what is under way.

Nothing is told of them until the engine reaches their steps: then it waits for what moves already, and reports it as
its own. What failed or has not begun by then, it does itself; an upload that broke off is parked as any other.
"""

from __future__ import annotations

import contextlib
import heapq
import threading
from collections.abc import Mapping, Sequence

from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import Interrupted, LocalError, TransloadError
from transload.events import Event, Listener, StepMoved, ignore
from transload.oci import Digest
from transload.planning import BlobStep
from transload.ports import Continues, Source, Target
from transload.threads import AHEAD, Cancellation, TaskGroup
from transload.transfer.blobs import Passed, Placing
from transload.transfer.journal import Journal
from transload.values import define, field

_LOOK_S = 0.5
_ATTEMPTS = 6
Key = tuple[str, Digest]


@define(eq=False)
class _Moving:
    """A blob that has begun: how far it is, and who listens."""

    step: BlobStep
    position: int = 0
    is_done: bool = False
    has_ended: bool = False
    listen: Listener = field(default=ignore)


class HeadStart:
    """Moves up to `bodies` blobs at a time from when `begin` is first called until `close`. Safe for threads."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        target: Target,
        journal: Journal,
        *,
        bodies: int,
        cancellation: Cancellation,
        clock: Clock = SYSTEM_CLOCK,
        give_up_after_s: float = 120.0,
        pace: Passed | None = None,
    ) -> None:
        self._sources = sources
        self._target = target
        self._journal = journal
        self._bodies = bodies
        self._cancellation = Cancellation.within(cancellation)
        self._waiting: list[tuple[int, int, BlobStep]] = []
        self._moving: dict[Key, _Moving] = {}
        self._by_step: dict[int | None, _Moving] = {}
        self._changed = threading.Condition()
        self._ending = contextlib.ExitStack()
        self._group: TaskGroup | None = None
        self._threads = 0
        self._is_over = False
        self._placing = Placing(
            target=target,
            listen=self._heard,
            cancellation=self._cancellation,
            clock=clock,
            attempts=_ATTEMPTS,
            give_up_after_s=give_up_after_s,
            intend=self._note,
            pace=pace,
        )

    def begin(self, steps: Sequence[BlobStep]) -> None:
        """These blobs are certain to be copied."""
        with self._changed:
            if self._is_over:
                return
            if self._group is None:
                self._open()
            for step in steps:
                heapq.heappush(self._waiting, (-step.descriptor.size, step.id, step))
            assert self._group is not None  # noqa: S101 - opened above
            for _ in range(min(self._bodies - self._threads, len(self._waiting))):
                self._threads += 1
                try:
                    self._group.start(self._work)
                except LocalError:  # the engine will do it
                    self._threads -= 1
                    return

    def hand_over(self) -> frozenset[int]:
        """Begin nothing more. Returns the steps that have begun."""
        with self._changed:
            self._is_over = True
            self._waiting.clear()
            return frozenset(moving.step.id for moving in self._moving.values())

    def finished(self, step: BlobStep, listen: Listener) -> bool:
        """Wait for the blob of a step, if it has begun; False if the step is still to be done. Raises `Interrupted`."""
        with self._changed:
            moving = self._moving.get((step.repository, step.descriptor.digest))
            if moving is None:
                return False
            moving.listen = listen
            listen(StepMoved(step.id, moving.position))
            while not moving.has_ended:
                self._cancellation.check()
                self._changed.wait(_LOOK_S)
            return moving.is_done

    def close(self) -> None:
        """End what still moves; the target parks it if it can."""
        with self._changed:
            self._is_over = True
            self._waiting.clear()
            group, self._group = self._group, None
        if group is None:
            return
        self._cancellation.cancel()
        self._ending.close()

    # --- inside

    def _open(self) -> None:
        """As at the beginning of a run: what goes on later is noted."""
        self._ending.enter_context(self._journal.held())
        continues: Continues | None = getattr(self._target, "continues", None)
        if continues is not None:
            continues.keep_notes(self._journal)
        self._group = self._ending.enter_context(TaskGroup(self._cancellation))

    def _work(self) -> None:
        AHEAD.now = True
        while (moving := self._next()) is not None:
            try:
                self._placing.place(moving.step, self._sources[moving.step.source_store])
                self._note(moving.step)
                moving.is_done = True
            except TransloadError as error:
                if isinstance(error, Interrupted):
                    return
            finally:
                with self._changed:
                    moving.has_ended = True
                    self._changed.notify_all()

    def _next(self) -> _Moving | None:
        with self._changed:
            if not self._waiting or self._cancellation.cancelled:
                self._threads -= 1
                return None
            step = heapq.heappop(self._waiting)[-1]
            moving = self._moving[step.repository, step.descriptor.digest] = self._by_step[step.id] = _Moving(step)
            return moving

    def _heard(self, event: Event) -> None:
        step = getattr(event, "step", None)
        moving = self._by_step.get(step)
        if moving is not None:
            if isinstance(event, StepMoved):
                moving.position = event.position
            moving.listen(event)

    def _note(self, step: BlobStep) -> None:
        with contextlib.suppress(LocalError):  # a hint for the next run
            self._journal.note(step.repository, step.descriptor.digest)
