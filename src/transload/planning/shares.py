"""Cuts a plan into shares of blobs, one for each of several machines, and says what is left after them. Pure.

A share has every step of a plan for some of its blobs: it copies each of them once, and mounts it in the other
repositories that need it. So no step waits for another share, and where a registry refuses to mount, the shares copy
side by side. A share has no manifests and points no tags: that is `finishing`, when all shares are done.

Every machine that has the same plan and the same number of shares finds the same shares.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping

from transload.errors import UsageError
from transload.limits import SHARES
from transload.oci import Digest
from transload.planning.plan import BlobStep, ManifestStep, Plan, PlannedImage, Requests, Share
from transload.values import evolve, frozen


@frozen
class ShareNumber:
    """Which share: `number` of `of`, counted from 1. Raises `UsageError` if there is no such share."""

    number: int
    of: int

    def __attrs_post_init__(self) -> None:
        check_shares(self.of)
        if not 1 <= self.number <= self.of:
            raise UsageError(
                f"there is no share {self.number} of {self.of}",
                hint=f"the shares are 1/{self.of} to {self.of}/{self.of}",
            )

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def to_json(self) -> dict[str, int]:
        """Both numbers."""
        return {"number": self.number, "of": self.of}


def check_shares(of: int) -> None:
    """Raises `UsageError` if a plan cannot be cut into so many shares."""
    if not 1 <= of <= SHARES:
        raise UsageError(f"a plan is cut into 1 to {SHARES:,} shares, not {of:,}")


def holders(plan: Plan, of: int) -> dict[Digest, int]:
    """The number of the share that brings each blob of the plan, counted from 1.

    The biggest blob goes to the share that has the fewest bytes, then the next. Blobs that the target has already, and
    that are only mounted, go to the share with the fewest steps. Raises as `check_shares` does.
    """
    check_shares(of)
    copied: dict[Digest, int] = {}
    steps: dict[Digest, int] = {}
    for step in plan.blob_steps():
        digest = step.descriptor.digest
        steps[digest] = steps.get(digest, 0) + 1
        if step.origin is None:
            copied[digest] = copied.get(digest, 0) + step.descriptor.size
    found: dict[Digest, int] = {}
    emptiest = [(0, 0, number) for number in range(1, of + 1)]  # bytes, steps, share
    for digest in sorted(copied, key=lambda digest: (-copied[digest], digest)):
        size, count, number = emptiest[0]
        heapq.heapreplace(emptiest, (size + copied[digest], count + steps[digest], number))
        found[digest] = number
    fewest = [(count, number) for _, count, number in emptiest]
    heapq.heapify(fewest)
    for digest in sorted(steps.keys() - copied.keys(), key=lambda digest: (-steps[digest], digest)):
        count, number = fewest[0]
        heapq.heapreplace(fewest, (count + steps[digest], number))
        found[digest] = number
    return found


def share_of(plan: Plan, which: ShareNumber) -> Plan:
    """What one share does, as a plan of blobs only. It may have nothing to do, and then it has no images.

    Its images are those that need one of its blobs; their goals are these blobs, so that an image which is done here is
    not at the target yet. It does not say how many requests it takes, since only the whole plan knows that.
    """
    holding = holders(plan, which.of)
    mine = [step for step in plan.blob_steps() if holding[step.descriptor.digest] == which.number]
    new = {step.id: number for number, step in enumerate(mine)}
    steps = tuple(evolve(step, id=new[step.id], after=None if step.after is None else new[step.after]) for step in mine)
    images = tuple(_images(plan, new, steps))
    return evolve(plan, images=images, steps=steps, manifests={}, requests=Requests(), share=which)


def cut(plan: Plan, of: int) -> Iterator[Plan]:
    """All shares of a plan, the first one first. Raises as `check_shares` does."""
    return (share_of(plan, ShareNumber(number, of)) for number in range(1, of + 1))


def finishing(plan: Plan) -> Plan:
    """What is left when every blob of the plan is at the target: manifests, and tags last.

    Its images count as there what shares have brought. As with `share_of`, the requests are not known.
    """
    left = [step for step in plan.steps if isinstance(step, ManifestStep)]
    new = {step.id: number for number, step in enumerate(left)}
    steps = tuple(
        evolve(step, id=new[step.id], needs=tuple(new[need] for need in step.needs if need in new)) for step in left
    )
    images = tuple(
        evolve(
            image,
            goals=tuple(new[goal] for goal in image.goals if goal in new),
            copied=Share(),
            mounted=Share(),
            present=_sum((image.copied, image.mounted, image.present)),
        )
        for image in plan.images
    )
    return evolve(plan, images=images, steps=steps, requests=Requests())


@frozen
class Lacking:
    """What of one share is not at the target: its number, and its blobs as the steps that bring them."""

    number: int
    steps: tuple[BlobStep, ...]


def lacking_by_share(plan: Plan, lacking: Iterable[BlobStep], of: int) -> tuple[Lacking, ...]:
    """The shares that have not brought all their blobs, by number. `lacking` are steps of the plan."""
    holding = holders(plan, of)
    found: dict[int, list[BlobStep]] = {}
    for step in lacking:
        found.setdefault(holding[step.descriptor.digest], []).append(step)
    return tuple(Lacking(number, tuple(found[number])) for number in sorted(found))


def _images(plan: Plan, new: Mapping[int, int], steps: tuple[BlobStep, ...]) -> Iterator[PlannedImage]:
    """The images that need a step of the share, each with what is done for it there; common blobs count once."""
    counted: set[int] = set()
    for image in plan.images:
        goals = sorted({new[step] for step in _below(image.goals, plan) if step in new})
        if not goals:
            continue
        copied = mounted = Share()
        for step in (steps[goal] for goal in goals if goal not in counted):
            if step.origin is None:
                copied = copied.plus(step.descriptor.size)
            else:
                mounted = mounted.plus(step.descriptor.size)
        counted.update(goals)
        yield evolve(image, goals=tuple(goals), copied=copied, mounted=mounted, present=Share())


def _below(goals: Iterable[int], plan: Plan) -> Iterator[int]:
    """The goals and all that they need."""
    pending, seen = list(goals), set[int]()
    while pending:
        number = pending.pop()
        if number not in seen:
            seen.add(number)
            pending += plan.steps[number].needs
            yield number


def _sum(shares: Iterable[Share]) -> Share:
    blobs = size = 0
    for share in shares:
        blobs, size = blobs + share.blobs, size + share.bytes
    return Share(blobs, size)
