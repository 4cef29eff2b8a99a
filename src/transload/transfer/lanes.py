"""Which bodies of a run move, and whether a further one may begin: as many as the stores carry well, and no more.

A body has its lane until its last byte is on its way. What follows (the answer, the last request of an upload, the
flush of a file) overlaps with the next body; at most so many that the threads suffice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from transload.allowance import threads_affordable
from transload.planning import BlobStep, Plan, Step
from transload.ports import Claim, Source, Streams, Target
from transload.transfer.agenda import Agenda, is_body, is_heavy

OF_FILES = 8
"""Bodies that move at a time between folders and files, where nothing is measured."""
SMALL = 12
"""Threads for quick steps and light bodies, beside those for large ones. Over a wire, they do nothing but wait."""
_SMALL_OF_FILES = 2


class BodyLanes:
    """The bodies under way of one run, at most `bodies` of them moving. Its user holds a lock.

    The source decides how many move, if it can tell (`Streams`), or else the target; a target can ask for fewer.
    """

    def __init__(
        self, plan: Plan, sources: Mapping[str, Source], target: Target, bodies: int, *, small: int = SMALL
    ) -> None:
        used = {step.source_store for step in plan.blob_steps()}
        self._reading = {name: streams for name in used if (streams := streams_of(sources.get(name))) is not None}
        self._writing = streams_of(target)
        self._bodies = bodies if self._reading or self._writing else min(bodies, OF_FILES)
        self._small = small if self._reading or self._writing else min(small, _SMALL_OF_FILES)
        self._late = self._small and max(_SMALL_OF_FILES, self._bodies // 2)
        self.threads = threads_affordable(max(1, min(self._bodies + self._late + small, len(plan.steps))))
        self._claims: dict[str, Claim] = {}
        self._target: Claim | None = None
        self._moving: dict[int, str] = {}
        self._moving_from: Counter[str] = Counter()
        self._closing: set[int] = set()
        self._light: dict[int, str] = {}
        self._regaining = 0

    @property
    def expected(self) -> int:
        """How many bodies will move at a time, as far as it is known before the first one."""
        lanes = [streams.reading.at_a_time for streams in self._reading.values()]
        lanes += [self._writing.writing.at_a_time] if self._writing and not lanes else []
        return min([self._bodies, *([max(lanes)] if lanes else [])])

    @property
    def most(self) -> int:
        """How many bodies may move at a time at most, when more turn out to carry more."""
        return self._bodies

    @contextmanager
    def claimed(self, changed: Callable[[], None]) -> Iterator[None]:
        """In this block, the stores know that this run uses them. `changed` is called when there may be room."""
        with ExitStack() as held:
            for name, streams in self._reading.items():
                self._claims[name] = held.enter_context(streams.reading.claim(self._bodies, changed))
            if self._writing is not None:
                leads = not self._claims
                self._target = held.enter_context(self._writing.writing.claim(self._bodies, changed, leads=leads))
            yield

    # --- what may begin

    def heavy_may_begin(self, source: str) -> bool:
        """Whether a large body of this source may begin to move."""
        return not self._regaining and self._has_lane(source) and self._has_thread

    def light_may_begin(self, source: str) -> bool:
        """Whether a small body may begin: it needs no lane, but a thread; and one is left for the quick steps."""
        under_way = self._moving_from[source] + len(self._light)
        return under_way < self._at_a_time(source) + self._small and self._has_thread

    def _has_lane(self, source: str) -> bool:
        moving, claim = self._moving_from[source], self._claims.get(source)
        if len(self._moving) >= self._bodies or (claim and not claim.has_room(moving)):
            return False
        return self._target is None or self._target.has_room(len(self._moving))

    @property
    def _has_thread(self) -> bool:
        busy = len(self._moving) + len(self._closing) + len(self._light)
        return busy < max(1, self.threads - 1)

    def _at_a_time(self, source: str) -> int:
        claims = [claim for claim in (self._claims.get(source), self._target) if claim is not None]
        return min([self._bodies, *(claim.at_a_time for claim in claims)])

    # --- what happens to a body

    def begin(self, step: Step) -> None:
        """A step was handed out."""
        if is_heavy(step):
            self._move(step)
        elif is_body(step):
            self._light[step.id] = step.source_store

    def free(self, step: BlobStep) -> bool:
        """Its last byte is on its way. Whether its lane is free now."""
        if step.id not in self._moving or len(self._closing) >= self._late:
            return False
        self._stop(step)
        self._closing.add(step.id)
        return True

    def regain(self, step: BlobStep) -> bool:
        """It moves once more. False if it has to wait for a lane; it comes before the bodies that have not begun."""
        if step.id not in self._closing:
            return True
        if not self._has_lane(step.source_store):
            self._regaining = 1
            return False
        self._regaining = 0
        self._closing.discard(step.id)
        self._move(step)
        return True

    def end(self, step: Step) -> None:
        """The step ended, in whatever way."""
        if step.id in self._moving:
            self._stop(step)
        if step.id in self._closing:
            self._closing.discard(step.id)
            self._regaining = 0
        self._light.pop(step.id, None)

    def tell_wanted(self, agenda: Agenda) -> None:
        """Tell the stores how many bodies move, or could."""
        light = Counter(self._light.values()) if self._claims else {}
        for source, claim in self._claims.items():
            heavy = self._moving_from[source] + agenda.heavy_ready(source)
            claim.want(self._moving_from[source] + light[source] + agenda.bodies_ready(source), heavy)
        if self._target is not None:
            wanted = len(self._moving) + len(self._light) + agenda.bodies_ready()
            self._target.want(wanted, wanted)

    def _move(self, step: Step) -> None:
        self._moving[step.id] = step.source_store
        self._moving_from[step.source_store] += 1

    def _stop(self, step: Step) -> None:
        self._moving_from[self._moving.pop(step.id)] -= 1


def streams_of(store: object) -> Streams | None:
    """How many bodies a store carries at a time, if it can tell."""
    streams: Streams | None = getattr(store, "streams", None)
    return streams
