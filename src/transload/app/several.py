"""Copies to several targets in one run: what they have in common is read once, and each ends for itself.

Each target has a thread, a plan and a run of its own. What they share is the source: what it says about names
(`planning.askedonce`) and its blobs (`transfer.sharing`). A target that another one feeds begins when that one has
ended, and shares the reading of it with the others that it feeds (`app.feeding`).
"""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from transload.allowance import divided, parts_affordable
from transload.app.job import Job
from transload.app.location import Location
from transload.app.mirror import Prepared, carry_out, prepare_selected, publishers_of
from transload.app.outcome import StartTime, not_begun, result_of
from transload.app.room import check_limit, check_room
from transload.app.selection import Selection, select
from transload.app.stores import Stores
from transload.app.targettree import Feeds, address
from transload.errors import TransloadError, UsageError, as_result
from transload.events import ActivityListener, Listener
from transload.oci import Digest
from transload.planning import Plan
from transload.planning.plan import Share
from transload.report.result import Result
from transload.report.tally import Tally, together
from transload.report.texts import count, size
from transload.threads import Cancellation, TaskGroup
from transload.transfer import Outcome
from transload.transfer.limits import Limits
from transload.transfer.rings import Rings
from transload.transfer.sharing import SharedReading, SpoolRoom
from transload.values import define, evolve, field, frozen

if TYPE_CHECKING:
    from transload.app.trusting import Judge

Retry = Callable[[tuple[str, ...]], str]


class Following(Protocol):
    """Follows the work for each target, by its number from 0 on; called from several threads."""

    def working(self, number: int) -> ActivityListener:
        """A listener for what goes on besides copying."""
        ...

    def waiting(self, number: int, giver: int) -> None:
        """It waits for the target that feeds it."""
        ...

    def planned(self, number: int, prepared: Prepared) -> None:
        """The plan is made, and nothing is copied yet."""
        ...

    def copying(self, number: int, tally: Tally) -> AbstractContextManager[Listener]:
        """A listener for the run, which reads `tally`."""
        ...

    def ended(self, number: int, ended: Ended) -> None:
        """This target's part is over."""
        ...


@frozen(kw_only=True)
class Ended:
    """How one target's part ended. `error` ended it before there was an outcome."""

    result: Result
    prepared: Prepared | None = None
    outcome: Outcome | None = None
    error: TransloadError | None = None


def jobs_for(job: Job, targets: Sequence[Location]) -> tuple[Job, ...]:
    """The same job for each target. Raises `UsageError` for targets that are no two different places to copy to.

    Values for charts name a registry, so each registry gets a folder of its own for them.
    """
    seen: dict[str, Location] = {}
    origin = None if job.origin is None else address(job.origin)
    for target in targets:
        target.check_target()
        place = address(target)
        if place in seen:
            same = str(target) == str(seen[place])
            named = f"{target} is given twice" if same else f"{seen[place]} is {target}, too"
            raise UsageError(f"{named}: each target is named once", subject=str(target), hint="leave one --to out")
        if place == origin:
            raise _is_source(target)
        seen[place] = target
    if all(target.kind != "registry" for target in targets):
        return tuple(evolve(job, target=target) for target in targets)
    return tuple(evolve(job, target=target, values_folder=_own(job.values_folder, target)) for target in targets)


def _own(folder: Path | None, target: Location) -> Path | None:
    """A folder for the values of one target below the common one; values name a registry, so others have none.

    The prefix keeps its slashes, so that `a-b` and `a/b` differ.
    """
    if folder is None or target.kind != "registry":
        return None
    return folder / re.sub(r"[^A-Za-z0-9.-]+", "-", target.value).strip("-.") / target.prefix


def selections_for(jobs: Sequence[Job], stores: Stores, cancellation: Cancellation) -> tuple[Selection, ...]:
    """What each job selects; the sources are asked once. Raises what `select` raises, `UsageError`."""
    stores.asks_sources_once = True
    selections = tuple(select(job, stores, cancellation) for job in jobs)
    for job, selection in zip(jobs, selections, strict=True):
        if all(item.source_store == job.target.locator and item.source == item.target for item in selection.items):
            raise _is_source(job.target)
    return selections


def _is_source(target: Location) -> UsageError:
    return UsageError(
        f"{target} is the source, too: there is nothing to copy to it",
        subject=str(target),
        hint="leave this --to out",
    )


def _judge(jobs: Sequence[Job]) -> Judge | None:
    """Who judges the images for all targets, so that each is judged once."""
    if jobs[0].policy is None:
        return None
    from transload.app.trusting import Judge  # most runs have no policy

    return Judge(jobs[0].policy, jobs[0].at)


def read_once(plans: Iterable[Plan]) -> Share:
    """What all plans together take from sources: each blob once."""
    sizes: dict[Digest, int] = {}
    for plan in plans:
        sizes |= {step.descriptor.digest: step.descriptor.size for step in plan.blob_steps() if step.origin is None}
    return Share(len(sizes), sum(sizes.values()))


def plan_each(
    jobs: Sequence[Job], stores: Stores, cancellation: Cancellation, working: Callable[[int], ActivityListener]
) -> tuple[Prepared | TransloadError, ...]:
    """The plan for each target, or the error that prevented it. Raises what `selections_for` raises."""
    selections = selections_for(jobs, stores, cancellation)
    return _plans(jobs, selections, stores, cancellation, working, _judge(jobs))


def _plans(
    jobs: Sequence[Job],
    selections: Sequence[Selection],
    stores: Stores,
    cancellation: Cancellation,
    working: Callable[[int], ActivityListener],
    judge: Judge | None,
) -> tuple[Prepared | TransloadError, ...]:
    prepared: dict[int, Prepared | TransloadError] = {}

    def plan(number: int) -> None:
        try:
            prepared[number] = prepare_selected(
                jobs[number], selections[number], stores, cancellation, working(number), judge
            )
        except TransloadError as error:
            prepared[number] = error

    with divided(len(jobs)), TaskGroup(cancellation) as group:
        for number in range(len(jobs)):
            group.start(plan, number)
    cancellation.check()
    return tuple(prepared[number] for number in range(len(jobs)))


@frozen(kw_only=True)
class SeveralRuns:
    """The runs of one command to several targets.

    `retry` makes, for a target's number, the command that copies its named images again. `finishing` changes what is
    prepared for a target, before it runs. The limits count for each target. `feeds` says which targets are fed by
    another one; without it, none.
    """

    jobs: Sequence[Job]
    stores: Stores
    cancellation: Cancellation
    began: StartTime
    limits: Limits
    following: Following
    retry: Callable[[int], Retry] | None = None
    finishing: Callable[[Prepared], Prepared] = lambda prepared: prepared
    feeds: Feeds = ()

    def run(self) -> tuple[tuple[Ended, ...], Share]:
        """Do it. Returns how each target ended, and the blobs that were read from a source more than once.

        Raises only what concerns all targets: what `selections_for` raises.
        """
        self._check_fed()
        selections = selections_for(self.jobs, self.stores, self.cancellation)
        judge = _judge(self.jobs)
        begun = self._gated(selections, judge) if self.jobs[0].gates is not None else selections
        number_of = len(self.jobs)
        at_a_time = parts_affordable(number_of)
        if at_a_time < number_of:
            self.stores.notice(in_turns_note(at_a_time, number_of))
        room = SpoolRoom.of(self.stores.state or Path(tempfile.gettempdir()))  # /tmp may lie in memory
        turns = threading.Semaphore(at_a_time)
        with Rings(self.feeds, number_of, room) as rings, divided(at_a_time), TaskGroup(self.cancellation) as group:
            work = _Work(runs=self, selections=selections, rings=rings, judge=judge, turns=turns)
            for number in range(number_of):
                group.start(work.target, number, begun[number])
        if rings.read_again.blobs:
            self.stores.notice(read_again_note(rings.read_again, room))
        return tuple(work.ended[number] for number in range(number_of)), rings.read_again

    def _check_fed(self) -> None:
        """Raises `UsageError`."""
        if self.jobs[0].gates is not None and any(giver is not None for giver in self.feeds):
            raise UsageError(
                "--gate does not go with --via: what a gate has seen is read from this machine, for every target",
                hint="leave one of them out",
            )

    def _gated(self, selections: Sequence[Selection], judge: Judge | None) -> tuple[Prepared | TransloadError, ...]:
        """The runs after the gates: all are planned first, so that each image is shown once for all targets."""
        from transload.app.gating import Gating  # few runs have gates

        gates = self.jobs[0].gates
        assert gates is not None  # noqa: S101 - the caller says so
        ungated = [evolve(job, gates=None) for job in self.jobs]
        plans = _plans(ungated, selections, self.stores, self.cancellation, self.following.working, judge)
        gating = Gating(gates=gates, stores=self.stores, cancellation=self.cancellation, bodies=self.jobs[0].bodies)
        return tuple(gating.passed(plan) if isinstance(plan, Prepared) else plan for plan in plans)

    def again(self, number: int, plan: Plan) -> Retry | None:
        """The command for what is open at a target; the whole one, without names, if that is everything."""
        if self.retry is None:
            return None
        retry, everything = self.retry(number), sum(not image.excused for image in plan.images)
        return lambda names: retry(names if len(names) < everything else ())


@define(eq=False, kw_only=True)
class _Work:
    """The targets of one command at work, each in a thread of its own, and how those ended that have."""

    runs: SeveralRuns
    selections: Sequence[Selection]
    rings: Rings
    judge: Judge | None
    turns: threading.Semaphore
    ended: dict[int, Ended] = field(factory=dict)
    over: tuple[threading.Event, ...] = ()

    def __attrs_post_init__(self) -> None:
        self.over = tuple(threading.Event() for _ in self.runs.jobs)

    def target(self, number: int, begun: Selection | Prepared | TransloadError) -> None:
        """All that is done for one target. Where few files may be open, not all can be written to at a time."""
        runs, giver = self.runs, self.rings.giver(number)
        job, sources = runs.jobs[number], tuple(self.selections[number].sources)
        if giver is not None:
            sources = (runs.jobs[giver].target.locator,)
            runs.following.waiting(number, giver)
            self.over[giver].wait()  # it ends in any case, also when all is cancelled
        try:
            with self.turns:
                self.ended[number] = self._copied(number, begun)
        except TransloadError as error:
            ended = not_begun(error, runs.began, sources, job.target.locator)
            self.ended[number] = Ended(result=ended, error=as_result(error))
        finally:
            self.rings.of(number).leave(self.rings.place(number))
            self.over[number].set()
        runs.following.ended(number, self.ended[number])

    def _copied(self, number: int, begun: Selection | Prepared | TransloadError) -> Ended:
        runs = self.runs
        job, stores, following = runs.jobs[number], runs.stores, runs.following
        if isinstance(begun, TransloadError):
            raise begun
        shared, place = self.rings.of(number), self.rings.place(number)
        if isinstance(begun, Prepared):  # what gates have seen lies in a folder, and each run reads it there
            prepared = runs.finishing(begun)
        else:
            prepared = self._prepared(number, begun)
            shared.expect(place, prepared.plan)
            prepared = runs.finishing(_through(shared, place, prepared, stores))
        following.planned(number, prepared)
        check_room(prepared)
        check_limit(prepared, runs.limits)
        tally = Tally(prepared.plan)
        with following.copying(number, tally) as progress:
            listen = together(tally, progress, shared.listening(place, prepared.plan))
            outcome = carry_out(prepared, stores, listen, runs.cancellation, self._bodies(number), runs.limits)
        others = {other.target.value for other in runs.jobs} - {job.target.value, *prepared.sources}
        again = runs.again(number, prepared.plan)
        result = result_of(prepared, stores, tally, outcome, runs.began, again, without=frozenset(others))
        return Ended(result=result, prepared=prepared, outcome=outcome)

    def _prepared(self, number: int, selection: Selection) -> Prepared:
        runs, giver = self.runs, self.rings.giver(number)
        job, working = runs.jobs[number], runs.following.working(number)
        if giver is None:
            return prepare_selected(job, selection, runs.stores, runs.cancellation, working, self.judge)
        from transload.app.feeding import fed_selection  # few runs have a tree of targets

        runs.cancellation.check()
        target, theirs = runs.jobs[giver].target, self.selections[giver]
        fed, published = fed_selection(target, theirs, self.ended[giver], selection, runs.stores)
        return prepare_selected(job, fed, runs.stores, runs.cancellation, working, self.judge, published)

    def _bodies(self, number: int) -> int:
        """So few for each target that all of them get a connection to the source: none waits for a slow one."""
        most = self.runs.stores.most_bodies
        return min(self.runs.jobs[0].bodies, max(1, most // self.rings.of(number).targets))


def _through(shared: SharedReading, number: int, prepared: Prepared, stores: Stores) -> Prepared:
    """The same, with sources that all targets share."""
    publishers = publishers_of(prepared.plan, stores)
    return evolve(
        prepared,
        sources={locator: shared.seen_by(number, source) for locator, source in prepared.sources.items()},
        publishers=None if publishers is None else shared.opened_by(number, publishers),
    )


def in_turns_note(at_a_time: int, targets: int) -> str:
    """A sentence about targets that wait for others, since the system allows too little at a time."""
    return (
        f"the system allows this process so little that only {at_a_time} of {targets} targets are written to at a "
        "time, and a slow one makes others wait: raise the limits (ulimit -n, ulimit -v)"
    )


def read_again_note(share: Share, room: SpoolRoom) -> str:
    """A sentence about blobs that were read more than once."""
    return (
        f"{count(share.blobs, 'blob')} ({size(share.bytes)}) came from the source more than once: a target began "
        f"again, or {room.folder} had no more room for what a slower target still needed"
    )
