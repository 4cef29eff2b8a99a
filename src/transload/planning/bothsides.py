"""Asks both sides about all wanted images at the same time: each side has its own questions, and waits only for itself.

Over a long wire time is counted in round trips. So connections to the source are opened while the target answers, and
what must be asked anyway is asked as soon as that is certain: if the target has no image under the wanted names, it is
asked whether the repository is new while the source gives the manifest and its list of tags. Where the repository is
there, it is asked for the blobs of each image as soon as they are known.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, cast

from transload.allowance import threads_affordable
from transload.errors import Interrupted, LocalError, at_side
from transload.events import ActivityListener, Counting
from transload.graph import Node
from transload.oci import Descriptor, Digest
from transload.planning.ahead import Ahead
from transload.planning.request import Item
from transload.planning.survey import Surveyed, Surveyor
from transload.planning.targetcontent import Told, blobs_asked_for, holds, is_fresh
from transload.ports import Source, Target
from transload.threads import Cancellation, TaskGroup
from transload.values import define, field, frozen

_LOOK_S = 0.5
_CONNECTIONS = 32  # opened ahead at most
_NEAR_S = 0.02  # below: the target is near, and connections that are opened ahead gain less than they cost
_BLOBS = 4  # of one image alone: questions besides those about the image itself


class ConnectsAhead(Protocol):
    """A store at the end of a wire, where a connection may be opened before it is needed (`connect_ahead`)."""

    def connect_ahead(self) -> None:
        """Open one more connection for a question that is to come. Does not raise; trouble shows with the question."""
        ...

    @property
    def connections_for_bodies(self) -> int:
        """How many connections are of use before bodies are asked for; 0 if it makes no difference."""
        ...


@frozen
class Answers:
    """What both sides said: the images in the order of the request, and what the target was asked besides."""

    surveyed: list[Surveyed]
    told: Told


@define
class _Lane:
    """The questions to one side."""

    waiting: deque[Callable[[], None]] = field(factory=deque)
    busy: int = 0


def ask_both(
    surveyor: Surveyor,
    items: Sequence[Item],
    sources: Mapping[str, Source],
    target: Target,
    *,
    eager: bool,
    threads: int,
    cancellation: Cancellation,
    working: ActivityListener,
    ahead: Ahead | None = None,
) -> Answers:
    """Survey every item, with up to `threads` questions to each side at a time. Raises as `Surveyor.survey` does.

    `eager` allows questions that are wasted if a rule keeps an image out. `ahead` is told what is known so far.
    """
    asking = _Asking(surveyor, items, target, eager=eager, threads=threads, working=working, ahead=ahead)
    return asking.run(sources, cancellation)


class _Asking:
    def __init__(
        self,
        surveyor: Surveyor,
        items: Sequence[Item],
        target: Target,
        *,
        eager: bool,
        threads: int,
        working: ActivityListener,
        ahead: Ahead | None,
    ) -> None:
        self._ahead = ahead
        self._surveyor = surveyor
        self._items = items
        self._target = target
        self._eager = eager
        self._threads = threads
        self._counting = Counting(working, "surveying", len(items))
        self._changed = threading.Condition()
        self._to_target, self._to_source = _Lane(), _Lane()
        self._opening: list[Callable[[], None]] = []  # connections to the source, for questions that are to come
        self._answered = self._far = False  # whether the target has answered; whether that took long
        self._staff = self._idle = 0  # threads that may still be hired; those that wait
        self._sources: Mapping[str, Source] = {}
        self._opened: Counter[str] = Counter()
        self._prepared: set[str] = set()
        self._searching = _Lane()  # at the target; what does not begin before the end is left to `ask_holdings`
        self._held: dict[tuple[str, Digest], bool] = {}
        self._wanted: set[tuple[str, Digest]] = set()
        self._there: set[str] = set()
        self._blobs: dict[str, list[Descriptor]] = {}
        self._surveyed: dict[int, Surveyed] = {}
        self._fresh: dict[str, bool] = {}
        self._unsure = Counter(item.target.repository for item in items)
        self._open = len(items)

    def run(self, sources: Mapping[str, Source], cancellation: Cancellation) -> Answers:
        self._sources = sources
        for number, item in enumerate(self._items):
            self._to_target.waiting.append(partial(self._ask_target, number, item))
        staff = threads_affordable(min(2 * self._threads, 3 * len(self._items) + _BLOBS)) if self._threads > 1 else 1
        if staff > 1:
            self._connect_ahead(sources, min(staff // 2, _CONNECTIONS))
        with TaskGroup(cancellation) as group:
            self._staff = staff - 1
            group.staff(1, self._work, group)
        failed = (surveyed.error for surveyed in self._surveyed.values())
        cut = cancellation.cancelled and any(isinstance(error, Interrupted) for error in failed)
        if cut or len(self._surveyed) < len(self._items):
            raise Interrupted("interrupted")
        return Answers([self._surveyed[number] for number in range(len(self._items))], Told(self._fresh, self._held))

    def _connect_ahead(self, sources: Mapping[str, Source], most: int) -> None:
        """A source that is asked by name is asked in any case."""
        wanted = Counter(item.source_store for item in self._items if item.source.digest is None)
        for locator, count in wanted.items():
            store: Source | ConnectsAhead | None = sources.get(locator)
            if (connect := getattr(store, "connect_ahead", None)) is not None:
                self._opened[locator] = min(count + self._eager, most)  # a manifest and a list
                self._opening += [connect] * self._opened[locator]

    # --- threads

    def _work(self, group: TaskGroup) -> None:
        while (task := self._next(group.cancellation)) is not None:
            lane, ask = task
            self._hire(group)
            try:
                ask()
            finally:
                with self._changed:
                    lane.busy -= 1
                    self._changed.notify(self._threads * 2 if self._is_over else 1)

    def _hire(self, group: TaskGroup) -> None:
        """One more thread, if there is work that nobody is free for: where answers come at once, few are enough."""
        with self._changed:
            if self._idle or not self._staff or not (self._free_lane() or self._may_open or self._is_unsure):
                return
            self._staff -= 1
        with contextlib.suppress(LocalError):  # the system gives no more threads: those that are there do it
            group.start(self._work, group)

    def _next(self, cancellation: Cancellation) -> tuple[_Lane, Callable[[], None]] | None:
        with self._changed:
            while not cancellation.cancelled:
                if (lane := self._free_lane()) is not None:
                    lane.busy += 1
                    if lane is self._to_source and self._opening:
                        self._opening.pop()  # the question opens one itself, if none is free
                    return lane, lane.waiting.popleft()
                if self._is_over:
                    return None
                if self._may_open:
                    self._to_source.busy += 1
                    return self._to_source, self._opening.pop()
                unsure = self._is_unsure
                self._idle += 1
                roused = self._changed.wait(_NEAR_S if unsure else _LOOK_S)
                self._idle -= 1
                self._far = self._far or (unsure and not roused and not self._answered)
            return None

    def _free_lane(self) -> _Lane | None:
        """A side that has a question waiting and may be asked."""
        for lane in (self._to_target, self._to_source):
            if lane.waiting and lane.busy < self._threads:
                return lane
        searching, busy = self._searching, self._to_target.busy + self._searching.busy
        return searching if searching.waiting and busy < self._threads and not self._is_over else None

    @property
    def _is_unsure(self) -> bool:
        """Whether a thread must look how long the target takes, since connections may be opened meanwhile."""
        return bool(self._opening) and not self._far and not self._answered

    @property
    def _may_open(self) -> bool:
        return self._far and bool(self._opening) and self._to_source.busy < self._threads

    @property
    def _is_over(self) -> bool:
        return not (self._open or self._to_target.waiting or self._to_target.busy)

    # --- questions

    def _ask_target(self, number: int, item: Item) -> None:
        at_target = self._surveyor.ask_target(item)
        is_new = at_target is None and self._is_eager_for(item)
        with self._changed:
            self._answered = True
            self._to_source.waiting.append(partial(self._compare, number, item, at_target))
            if is_new:
                self._to_source.waiting.append(partial(self._list_companions, item))
                self._unsure[item.target.repository] -= 1
                if not self._unsure[item.target.repository] and self._target.blobs_per_repository:
                    self._to_target.waiting.append(partial(self._ask_whether_fresh, item.target.repository))
            self._changed.notify(3)  # at most so many questions more

    def _is_eager_for(self, item: Item) -> bool:
        """Whether all is asked that a new image costs, before the source has said that it has it."""
        named = item.target.tag is not None or item.source.digest is not None
        return self._eager and named and not self._surveyor.may_be_missing(item)

    def _list_companions(self, item: Item) -> None:
        """Of an image that is new to the target. Its blobs will be read, so their connections are opened meanwhile."""
        self._surveyor.list_companions(item)
        locator = item.source_store
        with self._changed:
            if locator not in self._opened or locator in self._prepared:
                return
            self._prepared.add(locator)
            store = cast(ConnectsAhead, self._sources[locator])
            more = max(0, min(store.connections_for_bodies, _CONNECTIONS) - self._opened[locator])
            self._to_source.waiting.extend([store.connect_ahead] * more)
            self._changed.notify(more)

    def _compare(self, number: int, item: Item, at_target: Descriptor | None) -> None:
        surveyed = self._surveyor.compare(item, at_target, partial(self._search, item, at_target))
        self._counting.add()
        with self._changed:
            self._surveyed[number] = surveyed
            self._open -= 1
        if self._ahead is not None:
            self._ahead.surveyed(number, surveyed)

    def _search(self, item: Item, at_target: Descriptor | None, root: Node) -> None:
        """Ask for the blobs of an image, once it is known that its repository is there, where no rule keeps it out."""
        repository = item.target.repository
        if not self._eager or not self._target.blobs_per_repository or self._surveyor.completeness is not None:
            return
        with self._changed:
            self._blobs.setdefault(repository, []).extend(blobs_asked_for(root))
            if repository in self._there or at_target is not None:
                self._is_there(repository)

    def _is_there(self, repository: str) -> None:
        self._there.add(repository)
        for blob in self._blobs.pop(repository, ()):
            if (repository, blob.digest) not in self._wanted:
                self._wanted.add((repository, blob.digest))
                self._searching.waiting.append(partial(self._ask_for, repository, blob))
        self._changed.notify(self._threads)

    def _ask_for(self, repository: str, blob: Descriptor) -> None:
        with at_side("target"):
            held = holds(self._target, repository, blob)
        with self._changed:
            self._held[repository, blob.digest] = held

    def _ask_whether_fresh(self, repository: str) -> None:
        fresh = is_fresh(self._target, repository)
        with self._changed:
            self._fresh[repository] = fresh
            if not fresh:
                self._is_there(repository)
        if self._ahead is not None:
            self._ahead.fresh(repository, fresh)
