"""In which order the bodies of a plan are begun: image after image, and no later at the end than biggest first. Pure.

An image can be used as soon as it is complete, so those with the least to fetch come first, each whole.
But a big body that begins late is what everybody waits for at the end. So the order of images holds only as long as the
biggest bodies that are left can still end in time.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from transload.planning import Plan


def in_order_of_images(plan: Plan, lanes: int) -> tuple[int, ...]:
    """The steps of `plan` that have bodies, as they are to be begun when `lanes` move at a time."""
    sizes = {step.id: step.descriptor.size for step in plan.blob_steps() if step.origin is None}
    ranked = list(_image_after_image(_bodies_of_images(plan, sizes), sizes))
    return tuple(_ending_early(ranked, sizes, lanes))


def _bodies_of_images(plan: Plan, sizes: Mapping[int, int]) -> list[set[int]]:
    """For each image the bodies that it needs, also those that it mounts from where another image has them."""
    steps = {step.id: step for step in plan.steps}
    found = []
    for image in plan.images:
        pending, seen = list(image.goals), set(image.goals)
        while pending:
            step = steps[pending.pop()]
            more = {*step.needs, *(() if step.after is None else (step.after,))} - seen
            seen |= more
            pending += more
        found.append(seen & sizes.keys())
    return found


def _image_after_image(images: list[set[int]], sizes: Mapping[int, int]) -> Iterator[int]:
    """Every body once; always the image next that lacks the fewest bytes, its biggest bodies first."""
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
        if size != left[number]:  # it lacks less by now, and is in the heap with that too
            continue
        for body in sorted(images[number] - placed, key=lambda body: (-sizes[body], body)):
            yield body
            placed.add(body)
            for other in sharing[body]:
                left[other] -= sizes[body]
                if other != number:
                    heapq.heappush(waiting, (left[other], other))


def _ending_early(ranked: list[int], sizes: Mapping[int, int], lanes: int) -> Iterator[int]:
    """`ranked`, but for what must begin earlier so that nothing ends later than if the biggest came first."""
    by_image, by_size = deque(ranked), deque(sorted(ranked, key=lambda body: (-sizes[body], body)))
    end = max(_filled([0] * lanes, [sizes[body] for body in by_size]))
    busy = [0] * lanes  # until when, if all lanes are equally fast
    begun: set[int] = set()
    while True:
        for waiting in (by_image, by_size):
            while waiting and waiting[0] in begun:
                waiting.popleft()
        if not by_image:
            return
        body = by_image[0]
        biggest = islice((one for one in by_size if one not in begun and one != body), lanes)
        if max(_filled(busy, [sizes[body], *(sizes[one] for one in biggest)])) > end:
            body = by_size[0]
        begun.add(body)
        busy = _filled(busy, [sizes[body]])
        yield body


def _filled(busy: list[int], sizes: Iterable[int]) -> list[int]:
    """Lanes after bodies were given out, each to the lane that is free first; a heap, as `busy` is."""
    lanes = list(busy)
    for size in sizes:
        heapq.heapreplace(lanes, lanes[0] + size)
    return lanes
