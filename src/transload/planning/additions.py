"""How much each release of a plan adds to those before it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from transload.oci import Name
from transload.planning.plan import BlobStep, Plan, Share, Step
from transload.values import frozen


@frozen(kw_only=True)
class ReleaseNames:
    """A release in a plan: its catalog, its tag, and what its images are called at the target."""

    catalog: str
    tag: str
    names: Collection[Name]


@frozen(kw_only=True)
class Addition:
    """What a release adds to a plan: `copied` are the blobs to read for it that no release before it needs.

    `images` counts all of its images in the plan, also those that are unchanged or missing.
    """

    catalog: str
    tag: str
    images: int
    copied: Share


def additions(plan: Plan, releases: Sequence[ReleaseNames]) -> tuple[Addition, ...]:
    """What each of `releases` adds to those before it, in their order; oldest first is what people expect.

    A blob that is mounted counts where its bytes are read first. So the sum is what the plan reads for all of them.
    """
    steps = {step.id: step for step in plan.steps}
    by_name = {image.target: image for image in plan.images}
    seen: set[int] = set()
    counted: list[Addition] = []
    for release in releases:
        images = [by_name[name] for name in release.names if name in by_name]
        copied = Share()
        for step in _unseen([goal for image in images for goal in image.goals], steps, seen):
            if isinstance(step, BlobStep) and step.origin is None:
                copied = copied.plus(step.descriptor.size)
        counted.append(Addition(catalog=release.catalog, tag=release.tag, images=len(images), copied=copied))
    return tuple(counted)


def _unseen(goals: list[int], steps: dict[int, Step], seen: set[int]) -> Iterator[Step]:
    """The goals and every step below them that is not in `seen`, which gets them."""
    pending = list(goals)
    while pending:
        number = pending.pop()
        if number in seen:
            continue
        seen.add(number)
        step = steps[number]
        pending += step.needs
        if step.after is not None:
            pending.append(step.after)
        yield step
