"""The order in which the bodies of a plan begin: image after image, but never ending later than biggest first. Pure.

An image can be used as soon as it is complete, so the images with the least to fetch come first, each as a whole.
But if a big body begins late, the run waits for it at the end. So the order of images holds only as long as the
biggest bodies that are left can still end in time.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from transload.planning import Plan


def in_order_of_images(plan: Plan, lanes: int) -> tuple[int, ...]:
    """The steps of `plan` that have bodies, in the order in which they begin when `lanes` of them move at once."""
    sizes = {step.id: step.descriptor.size for step in plan.blob_steps() if step.origin is None}
    lanes = max(1, min(lanes, len(sizes)))
    ranked = list(_image_after_image(_bodies_of_images(plan, sizes), sizes))
    return tuple(_ending_early(ranked, sizes, lanes))


def _bodies_of_images(plan: Plan, sizes: Mapping[int, int]) -> list[set[int]]:
    """The bodies that each image needs, including those that another image brings and this one mounts."""
    steps = {step.id: step for step in plan.steps}
    images = []
    for planned in plan.images:
        pending, seen = list(planned.goals), set(planned.goals)
        while pending:
            step = steps[pending.pop()]
            more = {*step.needs, *(() if step.after is None else (step.after,))} - seen
            seen |= more
            pending += more
        images.append(seen & sizes.keys())
    return images


def _image_after_image(images: list[set[int]], sizes: Mapping[int, int]) -> Iterator[int]:
    """Every body once. The image that lacks the fewest bytes is next, with its biggest bodies first."""
    left = [sum(sizes[body] for body in bodies) for bodies in images]
    sharing = defaultdict(list)
    for number, bodies in enumerate(images):
        for body in bodies:
            sharing[body].append(number)
    waiting = [(size, number) for number, size in enumerate(left)]
    heapq.heapify(waiting)
    placed: set[int] = set()
    while waiting:
        size, number = heapq.heappop(waiting)
        if size != left[number]:  # it lacks less by now, and is in the heap a second time with the new size
            continue
        for body in sorted(images[number] - placed, key=lambda body: (-sizes[body], body)):
            yield body
            placed.add(body)
            for other in sharing[body]:
                left[other] -= sizes[body]
                if other != number:
                    heapq.heappush(waiting, (left[other], other))


def _ending_early(ranked: list[int], sizes: Mapping[int, int], lanes: int) -> Iterator[int]:
    """`ranked`, except that a big body begins earlier where the run would end later than with the biggest first."""
    by_image, by_size = deque(ranked), deque(sorted(ranked, key=lambda body: (-sizes[body], body)))
    end = max(_filled([0] * lanes, [sizes[body] for body in by_size]))
    busy = [0] * lanes  # when each lane is free again, in bytes: all lanes count as equally fast
    begun: set[int] = set()
    while True:
        for waiting in (by_image, by_size):
            while waiting and waiting[0] in begun:
                waiting.popleft()
        if not by_image:
            return
        body = by_image[0]
        biggest = islice((other for other in by_size if other not in begun and other != body), lanes)
        if max(_filled(busy, [sizes[body], *(sizes[other] for other in biggest)])) > end:
            body = by_size[0]
        begun.add(body)
        busy = _filled(busy, [sizes[body]])
        yield body


def _filled(busy: list[int], sizes: Iterable[int]) -> list[int]:
    """The lanes after each body went to the lane that is free first. A heap, as `busy` is."""
    lanes = list(busy)
    for size in sizes:
        heapq.heapreplace(lanes, lanes[0] + size)
    return lanes
