"""The order in which the bodies of a plan begin: image after image, ending little later than biggest first. Pure.

An image can be used as soon as it is complete, so the images with the least to fetch come first, each as a whole.
But if a big body begins late, the run waits for it at the end. So the order of images holds only as long as the
biggest bodies that are left can still end in time.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from transload.planning import Plan

_LATER = 40
"""The whole may end later by this part of its time: 2.5 %."""


def in_order_of_images(plan: Plan, lanes: int, begun: Iterable[int] = (), *, most: int = 0) -> tuple[int, ...]:
    """The steps of `plan` that have bodies, in the order in which they begin when `lanes` of them move at once.

    Those that have `begun` come first, and the others end little later than the biggest of them first would; also if up
    to `most` move at once, which is found out while they move.
    """
    sizes = {step.id: step.descriptor.size for step in plan.blob_steps() if step.origin is None}
    numbers = dict.fromkeys(max(1, min(number, len(sizes))) for number in (lanes, max(lanes, most)))
    first = sorted(sizes.keys() & set(begun), key=lambda body: (-sizes[body], body))
    ranked = list(_image_after_image(_bodies_of_images(plan, sizes), sizes, set(first)))
    busy = [_filled([0] * number, [sizes[body] for body in first]) for number in numbers]
    return (*first, *_ending_early(ranked, sizes, busy))


def _bodies_of_images(plan: Plan, sizes: Mapping[int, int]) -> list[tuple[int, ...]]:
    """The bodies that each image needs, including those that another image brings and this one mounts."""
    images = []
    for planned in plan.images:
        pending, seen = list(planned.goals), set(planned.goals)
        while pending:
            step = plan.steps[pending.pop()]
            more = {*step.needs, *(() if step.after is None else (step.after,))} - seen
            seen |= more
            pending += more
        images.append(tuple(body for body in seen if body in sizes))  # a set takes five times as much memory
    return images


def _image_after_image(images: list[tuple[int, ...]], sizes: Mapping[int, int], placed: set[int]) -> Iterator[int]:
    """Each body that is not `placed`, once. The image that lacks the fewest bytes is next, its biggest bodies first."""
    left = [sum(sizes[body] for body in bodies if body not in placed) for bodies in images]
    sharing = _sharing(images)
    waiting = [(size, number) for number, size in enumerate(left)]
    heapq.heapify(waiting)
    while waiting:
        size, number = heapq.heappop(waiting)
        if size != left[number]:  # it lacks less by now, and is in the heap a second time with the new size
            continue
        for body in sorted(
            (body for body in images[number] if body not in placed), key=lambda body: (-sizes[body], body)
        ):
            yield body
            placed.add(body)
            for other in sharing.get(body, (number,)):
                left[other] -= sizes[body]
                if other != number:
                    heapq.heappush(waiting, (left[other], other))


def _sharing(images: list[tuple[int, ...]]) -> dict[int, list[int]]:
    """The images that need each body which several of them need."""
    first: dict[int, int] = {}
    sharing: dict[int, list[int]] = {}
    for number, bodies in enumerate(images):
        for body in bodies:
            if first.setdefault(body, number) != number:
                sharing.setdefault(body, [first[body]]).append(number)
    return sharing


def _ending_early(ranked: list[int], sizes: Mapping[int, int], busy: list[list[int]]) -> Iterator[int]:
    """`ranked`, except that the biggest body begins where the run would otherwise end too late.

    At every step, the rest could begin with the biggest first and end within `_Deadline`. So the run does end within
    it. `busy` says when each lane is free, in bytes, for each number of lanes that there may be: all lanes count as
    equally fast. The more there are, the earlier the big ones must begin.
    """
    by_image, by_size = deque(ranked), deque(sorted(ranked, key=lambda body: (-sizes[body], body)))
    deadlines = [_Deadline(lanes, [sizes[body] for body in by_size]) for lanes in busy]
    begun: set[int] = set()
    while True:
        for waiting in (by_image, by_size):
            while waiting and waiting[0] in begun:
                waiting.popleft()
        if not by_image:
            return
        body = by_image[0]
        for lanes, deadline in zip(busy, deadlines, strict=True):
            others = (sizes[each] for each in by_size if each != body and each not in begun)
            if not deadline.holds(lanes, sizes[body], others):
                body = by_size[0]
                break
        begun.add(body)
        busy = [_filled(lanes, [sizes[body]]) for lanes in busy]
        yield body


class _Deadline:
    """When the run is to end: little later than with the biggest first."""

    def __init__(self, busy: list[int], falling: list[int]) -> None:
        end = max(_filled(busy, falling))
        self._end = end + end // _LATER
        self._even = (sum(busy) + sum(falling)) / len(busy)

    def holds(self, busy: list[int], size: int, falling: Iterable[int]) -> bool:
        """Whether the run ends in time if a body of this size is next, and then those of these falling sizes.

        The lane that is free first is free before all is spread evenly. From a body on that is small enough to end in
        time from there, all do: so only the big ones are tried.
        """
        lanes = _filled(busy, [size])
        for each in falling:
            if self._even + each <= self._end:
                break
            heapq.heapreplace(lanes, lanes[0] + each)
        return max(lanes) <= self._end


def _filled(busy: list[int], sizes: Iterable[int]) -> list[int]:
    """The lanes after each body went to the lane that is free first. A heap, as `busy` is."""
    lanes = list(busy)
    for size in sizes:
        heapq.heapreplace(lanes, lanes[0] + size)
    return lanes
