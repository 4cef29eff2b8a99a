"""Which step comes next: only ready ones, quick ones before bodies, bodies in a given order. No I/O."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable, Iterable
from typing import TypeGuard

from transload.planning import BlobStep, ManifestStep, Step

_SETTLED = -1
LIGHT_BYTES = 256 << 10
"""A body of up to this size costs round trips rather than bytes."""

May = Callable[[str], bool]


def always(source: str) -> bool:  # noqa: ARG001 - as the signature wants it
    """Bodies of any source may begin."""
    return True


def never(source: str) -> bool:  # noqa: ARG001 - as the signature wants it
    """No body may begin."""
    return False


class Agenda:
    """Hands out the steps of a plan and learns how they ended. Not thread-safe: its user holds a lock.

    `order` lists steps that have bodies, in the order in which they begin. Bodies that it does not list come last,
    the biggest first, those of one size by digest: so a bundle lists them, and so they are written side by side.
    """

    def __init__(self, steps: Iterable[Step], order: Iterable[int] = ()) -> None:
        self._steps = tuple(steps)
        # The bodies in the order in which they begin, and the place of each step there: numbers, of which a run may
        # have hundreds of thousands, and which are compared faster than sizes and digests.
        self._ranked = array("i", _in_order(self._steps, order))
        self._places = array("i", [0]) * len(self._steps)
        for place, body in enumerate(self._ranked):
            self._places[body] = place
        self._lacking = array("i", [0]) * len(self._steps)  # how many steps each one waits for; negative: settled
        self._followers = _Followers(len(self._steps))
        self._quick: list[int] = []
        self._heavy: dict[str, list[int]] = {}
        self._light: dict[str, list[int]] = {}
        self.open = len(self._steps)
        for step in self._steps:
            before = {*step.needs, *(() if step.after is None else (step.after,))}
            self._lacking[step.id] = len(before)
            for earlier in before:
                self._followers.add(earlier, step.id)
            if not before:
                self._make_ready(step)

    def take(self, *, heavy: May = always, light: May = always) -> Step | None:
        """The next ready step, or None if there is none. `heavy` and `light` say of which sources bodies may begin.

        Light bodies come after the heavy ones, but do not wait for them: where no heavy one may begin, they do at once.
        """
        if self._quick:
            return self._steps[heapq.heappop(self._quick)]
        for bodies, may in ((self._heavy, heavy), (self._light, light)):
            queues = [queue for source, queue in bodies.items() if queue and may(source)]
            if queues:
                return self._next_of(min(queues, key=lambda queue: queue[0]))
        return None

    def has_next(self, *, heavy: May = always, light: May = always) -> bool:
        """Whether `take` would give a step."""
        both = ((self._heavy, heavy), (self._light, light))
        return bool(self._quick) or any(queue and may(source) for each, may in both for source, queue in each.items())

    def more(self, step: Step, most: int) -> list[Step]:
        """Up to `most` further ready steps of the same kind as `step`: manifests, or light bodies of its source."""
        found: list[Step] = []
        if is_body(step):
            light = self._light.get(step.source_store, [])
            while light and len(found) < most:
                found.append(self._next_of(light))
            return found
        while self._quick and len(found) < most and isinstance(self._steps[self._quick[0]], ManifestStep):
            found.append(self._steps[heapq.heappop(self._quick)])
        return found

    def _next_of(self, bodies: list[int]) -> Step:
        return self._steps[self._ranked[heapq.heappop(bodies)]]

    def bodies_ready(self, source: str | None = None) -> int:
        """How many bodies of a source, or of all, wait for nothing but their turn."""
        both = (self._heavy, self._light)
        if source is not None:
            return sum(len(bodies.get(source, ())) for bodies in both)
        return sum(len(queue) for bodies in both for queue in bodies.values())

    def heavy_ready(self, source: str) -> int:
        """How many large ones of a source do."""
        return len(self._heavy.get(source, ()))

    def put_back(self, step: Step) -> None:
        """The step was taken, but not done: it is ready again."""
        self._make_ready(step)

    def done(self, step: Step) -> None:
        """The step succeeded: what waited only for it is ready now."""
        self._settle(step.id)

    def failed(self, step: Step) -> list[Step]:
        """The step failed. Settles and returns the steps that now can never be done."""
        lost: list[Step] = []
        pending = [step.id]
        while pending:
            settled = pending.pop()
            for follower in self._followers.of(settled):
                if self._lacking[follower] >= 0 and settled in self._steps[follower].needs:
                    lost.append(self._steps[follower])
                    pending.append(follower)
                    self._lacking[follower] = _SETTLED
            self._settle(settled)
        return lost

    def _settle(self, settled: int) -> None:
        self.open -= 1
        self._lacking[settled] = _SETTLED
        for follower in self._followers.of(settled):
            if self._lacking[follower] < 0:
                continue
            self._lacking[follower] -= 1
            if not self._lacking[follower]:
                self._make_ready(self._steps[follower])

    def _make_ready(self, step: Step) -> None:
        if is_body(step):
            bodies = self._heavy if is_heavy(step) else self._light
            heapq.heappush(bodies.setdefault(step.source_store, []), self._places[step.id])
        else:
            heapq.heappush(self._quick, step.id)


def _in_order(steps: Iterable[Step], order: Iterable[int]) -> list[int]:
    """The steps in `order`, then all other bodies."""
    listed = list(order)
    known = set(listed)
    rest = [step for step in steps if is_body(step) and step.id not in known]
    rest.sort(key=lambda step: (-step.descriptor.size, step.descriptor.digest, step.id))
    return [*listed, *(step.id for step in rest)]


class _Followers:
    """Which steps wait for each step. Two numbers for each pair, since a run has up to hundreds of thousands."""

    def __init__(self, steps: int) -> None:
        self._last = array("i", [-1]) * steps  # for each step the last pair, of which each knows the one before
        self._step, self._before = array("i"), array("i")

    def add(self, earlier: int, follower: int) -> None:
        self._step.append(follower)
        self._before.append(self._last[earlier])
        self._last[earlier] = len(self._step) - 1

    def of(self, earlier: int) -> list[int]:
        """In the order in which they were added."""
        found, pair = [], self._last[earlier]
        while pair >= 0:
            found.append(self._step[pair])
            pair = self._before[pair]
        return found[::-1]


def is_body(step: Step) -> TypeGuard[BlobStep]:
    """Whether a step has bytes to move, as far as the plan knows."""
    return isinstance(step, BlobStep) and step.origin is None


def is_heavy(step: Step) -> TypeGuard[BlobStep]:
    """Whether it has so many bytes that it counts towards the limit of bodies that move at once."""
    return isinstance(step, BlobStep) and step.origin is None and step.descriptor.size > LIGHT_BYTES
