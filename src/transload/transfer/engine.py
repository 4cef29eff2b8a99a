"""Runs a plan: threads take steps from the agenda, one failure never stops the rest, tags move last.

The engine knows only the ports and the plan: nothing of HTTP, of files, or of any particular store.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping

from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import Interrupted, LocalError, TransloadError, UsageError, as_result, at_side
from transload.events import Event, How, Listener, RunFinished, RunStarted, StepDone, StepFailed, ignore
from transload.planning import BlobStep, ManifestStep, Plan, Step
from transload.planning.companions import told_how_to_leave
from transload.ports import Source, Target
from transload.threads import Cancellation, TaskGroup
from transload.transfer.agenda import Agenda
from transload.transfer.blobs import Opens, Passed, Placing
from transload.transfer.bodyorder import in_order_of_images
from transload.transfer.gathering import RUN, Gathered, Gathering
from transload.transfer.headstart import HeadStart
from transload.transfer.images import Images
from transload.transfer.journal import Journal
from transload.transfer.lanes import SMALL, BodyLanes
from transload.transfer.leftovers import drop, leftovers
from transload.transfer.limits import NO_LIMITS, Limits, Paused
from transload.transfer.motion import Motion, started
from transload.transfer.naming import Naming, how_of
from transload.transfer.outcome import Outcome
from transload.transfer.troubles import Troubles
from transload.transfer.turns import Turns

BODIES = 16
GIVE_UP_AFTER_S = 120.0
_LOOK_S = 0.5
ATTEMPTS = 6  # behind a proxy that limits bodies, some attempts go into finding out how small the pieces must be


def run(
    plan: Plan,
    sources: Mapping[str, Source],
    target: Target,
    *,
    listen: Listener = ignore,
    journal: Journal | None = None,
    cancellation: Cancellation | None = None,
    clock: Clock = SYSTEM_CLOCK,
    bodies: int = BODIES,
    small: int = SMALL,
    attempts: int = ATTEMPTS,
    recheck: bool = False,
    by_size: bool = False,
    publishers: Opens | None = None,
    give_up_after_s: float = GIVE_UP_AFTER_S,
    limits: Limits = NO_LIMITS,
    pace: Passed | None = None,
    head_start: HeadStart | None = None,
) -> Outcome:
    """Do every step of `plan`: at most `bodies` large blobs move at a time, and `small` more threads do quick steps.

    How many blobs move is what the stores carry well (their `streams`); between folders and files, up to eight.
    `sources` maps the locators of the plan to stores. Failures are part of the outcome, and `listen` gets them as
    events; only bugs are raised, and `UsageError` for fewer than one of `bodies`. When cancelled, running blobs are
    parked if the target can, and the rest is left. `recheck` asks for each blob before it is sent: for a plan that was
    made earlier, and may be partly done by now. Images are completed one after the other; with `by_size` the biggest
    blobs come first, as they lie in bundles. `publishers` reads foreign layers that a source lacks. If a store is out
    of reach and no byte has moved for half of `give_up_after_s`, it is not asked again: the steps that still need it
    are not tried. Outside the hours of `limits` nothing is begun, and what moves is parked; when its bytes are spent,
    the rest is left; the target is asked for each blob first, so that none moves twice where no journal knows of it.
    `pace` passes on the bytes of every blob, and may take its time. What `head_start` has begun is waited for.
    """
    if bodies < 1:
        raise UsageError(f"bodies must be at least 1, not {bodies}")
    cancellation = Cancellation.within(cancellation or Cancellation())
    lanes = BodyLanes(plan, sources, target, bodies, small=small)
    # With one lane, image after image, whatever that costs at the end.
    begun = head_start.hand_over() if head_start else frozenset()
    expected, most = (1, 1) if limits.max_bytes else (lanes.expected, lanes.most)
    order = sorted(begun) if by_size else in_order_of_images(plan, expected, begun, most=most)
    engine = _Engine(
        plan=plan,
        sources=sources,
        target=target,
        listen=listen,
        journal=journal or Journal(),
        cancellation=cancellation,
        clock=clock,
        agenda=Agenda(plan.steps, order),
        lanes=lanes,
        give_up_after_s=give_up_after_s,
        limits=limits,
        gathering=Gathering(target, sources, blobs=limits == NO_LIMITS, paced=pace is not None, recheck=recheck),
    )
    engine.placing = Placing(
        target=target,
        listen=engine.tell,
        cancellation=cancellation,
        clock=clock,
        attempts=attempts,
        recheck=recheck or limits.max_bytes is not None,
        publishers=publishers,
        give_up_after_s=give_up_after_s,
        intend=engine.note,
        may_move=engine.may_move,
        moving=engine.moving,
        sent=engine.sent,
        pace=pace,
        begun=head_start.finished if head_start else None,
    )
    with leftovers(plan, target, engine.journal, cancellation, clock):
        return engine.run()


class _Engine:
    placing: Placing

    def __init__(
        self,
        *,
        plan: Plan,
        sources: Mapping[str, Source],
        target: Target,
        listen: Listener,
        journal: Journal,
        cancellation: Cancellation,
        clock: Clock,
        agenda: Agenda,
        lanes: BodyLanes,
        give_up_after_s: float,
        limits: Limits,
        gathering: Gathering,
    ) -> None:
        self._turns = Turns(limits, clock, self.tell)
        self._troubles = Troubles(clock, give_up_after_s)
        self._motion = Motion(self._troubles)
        self._plan = plan
        self._sources = sources
        self._target = target
        self._listener = listen
        self.journal = journal
        self._cancellation = cancellation
        self._clock = clock
        self._agenda = agenda
        self._lanes = lanes
        lock = threading.RLock()
        self._changed, self._lane_free = threading.Condition(lock), threading.Condition(lock)
        self._telling = threading.RLock()
        self._group: TaskGroup | None = None
        self._threads = self._idle = 0
        self._images = Images(plan, self.tell)
        self._gathering = gathering
        self._reading = False  # whether small blobs are being read

    def run(self) -> Outcome:
        started_s = self._clock.monotonic_s()
        plan = self._plan
        self.tell(RunStarted(len(plan.images), len(plan.steps), plan.copied.bytes))
        self._images.begin()
        with self._lanes.claimed(self._call_hands), TaskGroup(self._cancellation) as group:
            self._group, self._threads = group, min(1, len(plan.steps))
            group.staff(self._threads, self._work)
        duration_s = self._clock.monotonic_s() - started_s
        left = self._agenda.open > 0
        interrupted = self._cancellation.cancelled and left
        self.tell(RunFinished(duration_s, interrupted))
        moving, spent = self._motion.underway, left and not interrupted
        return Outcome(self._images.outcomes, interrupted, duration_s, out_of_bytes=spent, underway=moving)

    # --- threads

    def _work(self) -> None:
        try:
            while (steps := self._next()) is not None:
                if not steps:
                    self._store(self._gathering.rest())
                elif isinstance(steps[0], ManifestStep) and len(steps) > 1:
                    self._name(steps)
                else:
                    for step, content in self._gathering.contents(steps):
                        self._try(step, content=content)
                        if len(steps) > 1:
                            self._call_hands()
                    self._has_read(steps[0])
        except BaseException as error:  # this thread's step will never be settled, so no thread may wait for it
            self._cancellation.cancel()
            with self._changed:  # who waits for a lane looks twice a second
                self._changed.notify_all()
            if not isinstance(error, Interrupted):
                raise

    def _try(self, step: Step, *, together: bool = True, content: bytes | None = None) -> None:
        """Do one step, and settle it; a small blob, whose `content` may be known, may wait for others (`together`)."""
        try:
            if together:
                self.tell(started(step, self._plan))
            known = self._troubles.hopeless(step)
            if known is not None:
                self._settle_failed(step, known, tried=False)
            elif together and isinstance(step, BlobStep) and self._gathering.reads(step):
                full = self._gathering.add(self._read(step, content))
                if full:
                    self._store(full)
            else:
                self._settle_all([(step, *self._do(step))])
        except Paused:
            self._put_back(step)
        except Interrupted:
            raise
        except TransloadError as error:
            self._settle_failed(step, as_result(error))

    def _try_each(self, steps: list[Step]) -> None:
        for step in steps:
            self._try(step, together=False)
            self._call_hands()

    def _next(self) -> list[Step] | None:
        """The next step, or several of a kind; none of them if what was gathered is to be stored now. None at the end.

        What was gathered is stored when there is nothing else to do, since other steps may wait for it.
        """
        with self._changed:
            while not self._cancellation.cancelled and self._agenda.open:
                light = self._light_may_begin
                step = self._turns.next(self._agenda, self._lanes, light=light)
                if step is not None:
                    steps = self._with_more(step)
                    for each in steps:
                        self._lanes.begin(each)
                    self._call_hands()
                    return steps
                if self._gathering.waiting and light:
                    return []
                if self._turns.are_over:
                    break
                self._idle += 1
                self._changed.wait(_LOOK_S)  # with a limit, since a cancellation does not notify this condition
                self._idle -= 1
            return [] if self._gathering.waiting else None

    @property
    def _light_may_begin(self) -> bool:
        return not (self._reading and self._gathering.one_reads)

    def _with_more(self, step: Step) -> list[Step]:
        """The step, and more of its kind if they can be done together."""
        if not self._gathering.takes(step):
            return [step]
        if isinstance(step, ManifestStep):
            return [step, *self._turns.more(self._agenda, step, self._gathering.names - 1)]
        self._reading = True
        return [step, *(self._turns.more(self._agenda, step, RUN - 1) if self._gathering.one_reads else ())]

    def _has_read(self, step: Step) -> None:
        if self._gathering.one_reads and isinstance(step, BlobStep) and self._gathering.takes(step):
            with self._changed:
                self._reading = False
                self._changed.notify()

    def _read(self, step: BlobStep, content: bytes | None) -> Gathered:
        started_s = self._clock.monotonic_s()
        self._troubles.refuse_bad(step)
        content = self.placing.read(step, self._sources[step.source_store], content)
        with self._changed:
            self._lanes.end(step)  # it needs no thread while it waits
        return Gathered(step, content, self._clock.monotonic_s() - started_s)

    def _store(self, group: list[Gathered]) -> None:
        """Store blobs together; if that fails, each by itself, which tells what is wrong with which."""
        try:
            self._gathering.store(group)
        except TransloadError:
            self._try_each([gathered.step for gathered in group])
            return
        for gathered in group:
            self.note(gathered.step)
        self._settle_all([(gathered.step, "copied", len(gathered.content), gathered.took_s) for gathered in group])

    def _name(self, steps: list[Step]) -> None:
        """Store manifests together; if that fails, each by itself, which may bring blobs that the target has lost."""
        started_s = self._clock.monotonic_s()
        for step in steps:
            self.tell(started(step, self._plan))
        try:
            self._gathering.name(steps, self._plan, self._images.of)
        except TransloadError:
            self._try_each(steps)
            return
        took_s = self._clock.monotonic_s() - started_s
        self._settle_all([(step, how_of(step), 0, took_s) for step in steps])

    def _call_hands(self) -> None:
        """There may be room for a further step: a waiting thread takes it, or a new one, and calls the next itself.

        Nobody is woken to find nothing: with dozens of threads, that takes more time than the steps themselves.
        """
        with self._changed:
            self._lanes.tell_wanted(self._agenda)
            if not self._turns.may_begin(self._agenda, self._lanes, light=self._light_may_begin):
                return
            self._changed.notify()
            if self._idle or self._group is None or self._threads >= self._lanes.threads:
                return
            self._threads += 1
            try:
                self._group.start(self._work)
            except LocalError:  # the threads that there are do all of it
                self._threads -= 1
                self._lanes.threads = self._threads

    def moving(self, step: BlobStep) -> None:
        """The step's blob is about to move; one that has moved before, and gave up its lane, waits for another."""
        with self._changed:
            if self._lanes.regain(step):
                return
            while not self._lanes.regain(step):
                self._lane_free.wait(_LOOK_S)
                self._cancellation.check()
            self._call_hands()  # bodies that have not begun waited for this one

    def sent(self, step: BlobStep) -> None:
        """The last byte of the step's blob is on its way, so the next blob may begin to move."""
        with self._changed:
            if self._lanes.free(step):
                self._lane_free.notify_all()
                self._call_hands()

    def _put_back(self, step: Step) -> None:
        with self._changed:
            self._end(step)
            self._agenda.put_back(step)
            self._look_again()

    def _settle_all(self, done: list[tuple[Step, How, int, float]]) -> None:
        for step, how, size, duration_s in done:
            self.tell(StepDone(step.id, how, size, duration_s))
        with self._changed:
            for step, *_ in done:
                self._end(step)
                self._agenda.done(step)
            self._look_again()
        for step, *_ in done:
            self._images.reach(step, None)

    def _settle_failed(self, step: Step, error: TransloadError, *, tried: bool = True) -> None:
        self._troubles.learn(step, error)
        self.tell(StepFailed(step.id, error))
        with self._changed:
            self._end(step)
            lost = self._agenda.failed(step)
            self._look_again()
        for settled in (step, *lost):
            self._images.reach(settled, error, tried=tried)

    def _look_again(self) -> None:
        """Something ended. This thread looks for a next step, and calls others if there is more; at the end all do."""
        self._lane_free.notify_all()
        if not self._agenda.open or self._turns.are_over:
            self._changed.notify_all()

    def _end(self, step: Step) -> None:
        self._lanes.end(step)
        self._turns.end(step)

    # --- one step

    def _do(self, step: Step) -> tuple[How, int, float]:
        started_s = self._clock.monotonic_s()
        self._troubles.refuse_bad(step)
        size = step.descriptor.size if isinstance(step, BlobStep) else 0
        how = self._blob(step) if isinstance(step, BlobStep) else self._manifest(step)
        return how, size if how == "copied" else 0, self._clock.monotonic_s() - started_s

    def _blob(self, step: BlobStep) -> How:
        how = self.placing.place(step, self._sources[step.source_store])
        self.note(step)
        drop(self._target, self.journal, step.repository, step.descriptor.digest)
        return how

    def note(self, step: BlobStep) -> None:
        """Note the step's blob in the journal. A hint for the next run is no reason to fail this one."""
        with contextlib.suppress(LocalError):
            self.journal.note(step.repository, step.descriptor.digest)

    def may_move(self, step: BlobStep, length: int) -> int:
        """How many of the next `length` bytes of a blob may move now. Raises `Paused` if none may."""
        return self._turns.check(step, length)

    def _manifest(self, step: ManifestStep) -> How:
        naming = Naming(self._plan, self._target, step, is_part=step.id not in self._images.of)
        with at_side("target"), told_how_to_leave(step.name, naming.manifest):
            naming.point(lambda lacking: self.placing.place(lacking, self._sources[step.source_store]))
        return how_of(step)

    def tell(self, event: Event) -> None:
        with self._telling:
            self._motion.note(event)
            self._listener(event)
