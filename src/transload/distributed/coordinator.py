"""Carries out a plan on a cluster: hands its steps out as tasks, each when what it needs is done, and hears of them.

A step ends once, whatever is told of it twice: Dask runs a task again when its worker is lost, and the blobs that
are there by then are only asked for. All decisions are made here, in one thread; workers only do what they are given.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Protocol

from transload.clock import SYSTEM_CLOCK, Clock
from transload.distributed.grouping import GroupSize, next_group, part_of
from transload.distributed.messages import Began, Message, Told
from transload.errors import LocalError, PrerequisiteMissing, TransloadError, Unreachable, as_result
from transload.events import (
    Event,
    How,
    Listener,
    RunFinished,
    RunStarted,
    StepDone,
    StepFailed,
    StepRetried,
)
from transload.net.traffic import Traffic
from transload.planning import BlobStep, Plan, Step
from transload.threads import Cancellation
from transload.transfer import Journal, Outcome
from transload.transfer.agenda import Agenda
from transload.transfer.images import Images
from transload.transfer.motion import Motion, started
from transload.transfer.troubles import Troubles
from transload.values import evolve, field, frozen

_LOOK_S = 0.25
_PARK_S = 30.0
"""How long a stopped run waits for its workers to park what moves."""

_LOST = Unreachable("the worker was lost, and another one begins anew")
_UNCOUNTED = "a worker was lost: the figures of requests and bytes leave out what it did last"


@frozen
class Ended:
    """A task is over. `last` is its last message; without one, it `was_fatal` to its workers, or `error` says why."""

    task: str
    last: Message | None = None
    was_fatal: bool = field(default=False, kw_only=True)
    error: Exception | None = field(default=None, kw_only=True)


class Cluster(Protocol):
    """Where tasks run."""

    def at_a_time(self) -> int:
        """How many tasks the workers that fit do side by side; 0 when there is none. Raises `Unreachable`."""
        ...

    def submit(self, task: str, part: Plan) -> None:
        """Give out a task. Raises `Unreachable`."""
        ...

    def news(self, timeout_s: float) -> list[Message | Ended]:
        """What has happened since; waits up to so long for the first. Raises `Unreachable` without the scheduler."""
        ...

    def stop(self) -> None:
        """Ask the workers to park what moves, and to begin nothing more."""
        ...


@frozen
class _Task:
    """A task under way: its steps by the numbers that they have in it. `alone`: nothing else runs beside it."""

    steps: tuple[Step, ...]
    alone: bool = field(default=False, kw_only=True)


class Coordinator:
    """One run of `plan` on `cluster`."""

    def __init__(
        self,
        plan: Plan,
        cluster: Cluster,
        *,
        name: str,
        listen: Listener,
        notice: Callable[[str], None],
        traffic: Traffic,
        journal: Journal,
        cancellation: Cancellation,
        give_up_after_s: float,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._plan = plan
        self._cluster = cluster
        self._name = name
        self._listener = listen
        self._notice = notice
        self._noticed: set[str] = set()
        self._traffic = traffic
        self._journal = journal
        self._cancellation = cancellation
        self._clock = clock
        self._patience_s = give_up_after_s
        self._troubles = Troubles(clock, give_up_after_s)
        self._motion = Motion(self._troubles)
        self._images = Images(plan, self._tell)
        self._agenda = Agenda(plan.steps)
        self._tasks: dict[str, _Task] = {}
        self._attempts: dict[int, int] = {}
        self._ended: set[int] = set()
        self._suspects: list[Step] = []
        self._given = self._sized_for = 0
        self._size = GroupSize()
        self._alone_since_s: float | None = None

    def run(self) -> Outcome:
        """Until every step has ended, or the run is cancelled."""
        started_s, plan = self._clock.monotonic_s(), self._plan
        self._tell(RunStarted(len(plan.images), len(plan.steps), plan.copied.bytes))
        self._images.begin()
        try:
            while (self._agenda.open or self._tasks) and not self._cancellation.cancelled:
                self._hand_out()
                self._hear(_LOOK_S)
            if self._agenda.open:
                self._park()
        except (Unreachable, PrerequisiteMissing) as error:
            if not self._cancellation.cancelled:
                self._give_up(error)
        duration_s = self._clock.monotonic_s() - started_s
        interrupted = self._cancellation.cancelled and self._agenda.open > 0
        self._tell(RunFinished(duration_s, interrupted))
        return Outcome(self._images.outcomes, interrupted, duration_s, underway=self._motion.underway)

    # --- handing out

    def _hand_out(self) -> None:
        free = self._cluster.at_a_time()
        self._note_workers(free)
        if free != self._sized_for:
            self._sized_for, self._size = free, GroupSize.of(self._plan, free)
        while len(self._tasks) < free and not any(task.alone for task in self._tasks.values()):
            group = next_group(self._agenda, self._plan, self._size, self._is_usable)
            if not group:
                break
            self._give(_Task(tuple(group)))
        # What was on a worker that died may have killed it. It comes last, each step with nothing beside it.
        if self._suspects and not self._tasks and free:
            self._give(_Task((self._suspects.pop(),), alone=True))

    def _give(self, task: _Task) -> None:
        self._given += 1
        name = f"{self._name}-{self._given}"
        self._tasks[name] = task
        self._cluster.submit(name, part_of(self._plan, task.steps, self._images.of))

    def _is_usable(self, step: Step) -> bool:
        """Whether a step can be tried; it fails at once if its store has failed for good."""
        known = self._troubles.hopeless(step)
        try:
            self._troubles.refuse_bad(step)
        except TransloadError as error:
            known = known or error
        if known is not None:
            self._fail(step, known, tried=False)
        return known is None

    def _note_workers(self, there: int) -> None:
        """Raises `Unreachable` when no worker has been there for too long."""
        now_s = self._clock.monotonic_s()
        if there:
            self._alone_since_s = None
        elif self._alone_since_s is None:
            self._alone_since_s = now_s
        elif now_s - self._alone_since_s > self._patience_s:
            raise Unreachable(
                f"all workers have gone, and none came back for {self._patience_s:.0f} seconds",
                hint="start workers, and run the same again: what is there already is not sent again",
            )

    # --- hearing

    def _hear(self, timeout_s: float) -> None:
        for heard in self._cluster.news(timeout_s):
            task = self._tasks.get(heard.task)
            if task is None:
                continue
            if isinstance(heard, Message):
                self._take(task, heard)
            else:
                self._end(heard, task)

    def _end(self, ended: Ended, task: _Task) -> None:
        del self._tasks[ended.task]
        if ended.error is not None:
            raise ended.error
        if ended.last is not None:
            self._take(task, ended.last)
            for host, sums in ended.last.traffic.items():
                self._traffic.add(host, sums)
        left = [step for step in task.steps if step.id not in self._ended]
        if not ended.was_fatal:
            for step in left:
                self._agenda.put_back(step)
        elif task.alone:
            for step in left:
                self._fail(step, _fatal(step))
        else:
            self._suspects += left

    def _take(self, task: _Task, message: Message) -> None:
        for event in message.events:
            if event.step < len(task.steps):
                self._take_event(task.steps[event.step], event)
        for text in message.notices:
            self._notice_once(text)

    def _notice_once(self, text: str) -> None:
        if text not in self._noticed:
            self._noticed.add(text)
            self._notice(text)

    def _take_event(self, step: Step, event: Told) -> None:
        if step.id in self._ended:
            return
        if isinstance(event, StepDone):
            self._done(step, event.how, event.size, event.duration_s)
        elif isinstance(event, StepFailed):
            self._fail(step, event.error)
        elif isinstance(event, Began):
            self._begin(step, again=True)
        else:
            self._begin(step)
            if isinstance(event, StepRetried):
                self._attempts[step.id] += 1
                event = evolve(event, attempt=self._attempts[step.id])
            self._tell(evolve(event, step=step.id))

    def _begin(self, step: Step, *, again: bool = False) -> None:
        """A worker does something for a step. `again`: it has begun it, perhaps because another one was lost."""
        if step.id not in self._attempts:
            self._attempts[step.id] = 0
            self._tell(started(step, self._plan))
        elif again:
            self._attempts[step.id] += 1
            self._notice_once(_UNCOUNTED)
            self._tell(StepRetried(step.id, _LOST, self._attempts[step.id], 0.0))

    def _done(self, step: Step, how: How, size: int, duration_s: float) -> None:
        self._begin(step)
        self._ended.add(step.id)
        if isinstance(step, BlobStep):
            self._note(step)
        self._tell(StepDone(step.id, how, size, duration_s))
        self._agenda.done(step)
        self._images.reach(step, None)

    def _fail(self, step: Step, error: TransloadError, *, tried: bool = True) -> None:
        self._begin(step)
        error = as_result(error)
        self._ended.add(step.id)
        self._troubles.learn(step, error)
        self._tell(StepFailed(step.id, error))
        for settled in (step, *self._agenda.failed(step)):
            self._images.reach(settled, error, tried=tried)

    def _note(self, step: BlobStep) -> None:
        with contextlib.suppress(LocalError):  # a hint for the next run is no reason to fail this one
            self._journal.note(step.repository, step.descriptor.digest)

    # --- ending early

    def _park(self) -> None:
        """The run is cancelled: the workers park what moves, and say how far they came."""
        self._cluster.stop()
        until_s = self._clock.monotonic_s() + _PARK_S
        while self._tasks and self._clock.monotonic_s() < until_s:
            self._hear(_LOOK_S)
            self._cluster.at_a_time()  # what was on workers that have gone ends

    def _give_up(self, error: TransloadError) -> None:
        """Nothing more can be done: what is left fails with `error`."""
        under_way = [step for task in self._tasks.values() for step in task.steps if step.id not in self._ended]
        self._tasks.clear()
        for step in (*under_way, *self._suspects):
            self._fail(step, error)
        while (left := self._agenda.take()) is not None:
            self._fail(left, error, tried=False)

    def _tell(self, event: Event) -> None:
        self._motion.note(event)
        self._listener(event)


def _fatal(step: Step) -> LocalError:
    return LocalError(
        "every worker that this was given to died of it",
        subject=step.label,
        hint="look into the workers' logs: they may have too little memory, or be stopped from outside",
    )
