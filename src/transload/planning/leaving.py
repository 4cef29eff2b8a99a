"""Leaves images out of a plan that was made already, with the steps that only they need. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from transload.errors import TransloadError
from transload.oci import Digest
from transload.planning.plan import BlobStep, ManifestStep, Plan, PlannedImage, Share, Step
from transload.values import evolve


def without(plan: Plan, errors: Mapping[int, TransloadError]) -> Plan:
    """The plan without what is done for some images, which fail with these errors; by their position in the plan.

    A blob that would have been mounted from where a step that is left out brings it is copied instead. The requests of
    the plan stay as they were estimated.
    """
    kept = [image for number, image in enumerate(plan.images) if number not in errors]
    steps, new = _steps(plan, kept)
    images = tuple(_failed(image, errors[n]) if n in errors else image for n, image in enumerate(plan.images))
    return _plan(plan, _counted(images, steps, new), steps, new)


def only(plan: Plan, number: int) -> Plan:
    """The part of the plan that is about one image."""
    image = plan.images[number]
    steps, new = _steps(plan, [image])
    return _plan(plan, _counted((image,), steps, new), steps, new)


def _plan(plan: Plan, images: tuple[PlannedImage, ...], steps: tuple[Step, ...], new: Mapping[int, int]) -> Plan:
    stored = {step.digest for step in steps if isinstance(step, ManifestStep)}
    manifests = {digest: manifest for digest, manifest in plan.manifests.items() if digest in stored}
    images = tuple(evolve(image, goals=tuple(new[goal] for goal in image.goals)) for image in images)
    return evolve(plan, images=images, steps=steps, manifests=manifests)


def _failed(image: PlannedImage, error: TransloadError) -> PlannedImage:
    nothing = Share()
    return evolve(image, status="failed", goals=(), copied=nothing, mounted=nothing, present=nothing, error=error)


def _steps(plan: Plan, images: Iterable[PlannedImage]) -> tuple[tuple[Step, ...], dict[int, int]]:
    """The steps that the images need, numbered anew, and the new number of each."""
    wanted = set(_below([goal for image in images for goal in image.goals], plan.steps))
    new = {step.id: number for number, step in enumerate(step for step in plan.steps if step.id in wanted)}
    carriers: dict[Digest, tuple[str, int]] = {}  # where a kept step brings what was to be mounted from elsewhere
    steps: list[Step] = []
    for step in plan.steps:
        if step.id not in new:
            continue
        if isinstance(step, ManifestStep):
            steps.append(evolve(step, id=new[step.id], needs=tuple(new[need] for need in step.needs)))
        else:
            steps.append(_blob(step, new, carriers))
    return tuple(steps), new


def _blob(step: BlobStep, new: Mapping[int, int], carriers: dict[Digest, tuple[str, int]]) -> BlobStep:
    number, digest = new[step.id], step.descriptor.digest
    if step.after is None:
        return evolve(step, id=number)
    if step.after in new:
        return evolve(step, id=number, after=new[step.after])
    origin, after = carriers.setdefault(digest, (step.repository, number))
    if after == number:
        return evolve(step, id=number, origin=None, after=None)
    return evolve(step, id=number, origin=origin, after=after)


def _below(goals: Iterable[int], steps: tuple[Step, ...]) -> Iterator[int]:
    """The goals and all that they need. What a blob is mounted from is not needed: it can be copied."""
    pending, seen = list(goals), set[int]()
    while pending:
        number = pending.pop()
        if number not in seen:
            seen.add(number)
            pending += steps[number].needs
            yield number


def _counted(
    images: tuple[PlannedImage, ...], steps: tuple[Step, ...], new: Mapping[int, int]
) -> tuple[PlannedImage, ...]:
    """The images with what is copied and mounted for each: what several share counts for the first."""
    seen: set[int] = set()
    counted = []
    for image in images:
        copied = mounted = Share()
        for number in sorted(set(_below((new[goal] for goal in image.goals), steps)) - seen):
            seen.add(number)
            step = steps[number]
            if isinstance(step, BlobStep) and step.origin is None:
                copied = copied.plus(step.descriptor.size)
            elif isinstance(step, BlobStep):
                mounted = mounted.plus(step.descriptor.size)
        counted.append(evolve(image, copied=copied, mounted=mounted))
    return tuple(counted)
