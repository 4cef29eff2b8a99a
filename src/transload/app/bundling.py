"""Turns a plan for a target behind an air gap into the contents of a bundle, and the plan that fills it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set

from transload.bundle.format.contents import BundledImage, Contents, ExtraFile, Prerequisite
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.planning.plan import BlobStep, ManifestStep, Plan, PlannedImage, Requests, Share, Step
from transload.planning.planfile import digest
from transload.values import evolve

Where = Callable[[Digest], tuple[str, ...]]
"""The repositories in which the target holds this content."""


def contents_of(
    plan: Plan,
    resolve: Callable[[Name], Descriptor],
    where: Where,
    *,
    extras: Iterable[ExtraFile] = (),
    against: str = "",
) -> Contents:
    """The contents of the bundle for `plan`: the images that can be planned, without those that failed.

    `resolve` says what an unchanged name stands for at the target. Other manifests with a tag, such as a signature of
    cosign, are listed like images, so that the tag is carried too.
    """
    packed = [image for image in plan.images if image.error is None]
    graph = _Graph(plan)
    images = (*(_bundled(image, plan, resolve, graph) for image in packed), *_companions(plan))
    blobs = {step.descriptor.digest: step.descriptor for step in plan.blob_steps() if _is_carried(step)}
    manifests = {step.digest: plan.manifests[step.digest] for step in _manifest_steps(plan)}
    needed: defaultdict[Digest, set[str]] = defaultdict(set)
    descriptors: dict[Digest, Descriptor] = {}
    extras_of = {image.called: [graph.goals[goal] for goal in image.goals] for image in packed}
    for image in images:
        for descriptor in graph.assumed(image.root, extras_of.get(image.name, ()), blobs):
            needed[descriptor.digest].add(str(image.name))
            descriptors[descriptor.digest] = descriptor
    prerequisites = tuple(
        Prerequisite(descriptors[lacking], where(lacking), tuple(sorted(names)))
        for lacking, names in sorted(needed.items())
    )
    return Contents(
        images=images,
        blobs=tuple(blobs.values()),
        manifests=tuple(manifests.values()),
        prerequisites=prerequisites,
        extras=tuple(extras),
        against=against,
        plan_digest=digest(plan),
    )


def filling_plan(plan: Plan, target: str, held: Callable[[Descriptor], bool] = lambda _blob: False) -> Plan:
    """The plan that fills the bundle: every blob and manifest once, nothing mounted, in the same order.

    `held` says which blobs an earlier run left in the unfinished bundle; they count as already there.
    """
    held_steps = {step.id for step in plan.blob_steps() if step.origin is None and held(step.descriptor)}
    steps: list[Step] = []
    new_ids: dict[int, int] = {}
    for step in plan.steps:  # mostly they stay as they are, and there are many
        if isinstance(step, ManifestStep):
            needs = tuple(dict.fromkeys(new_ids[need] for need in step.needs if need in new_ids))
            new_ids[step.id] = len(steps)
            same = (step.id, step.needs) == (len(steps), needs)
            steps.append(step if same else evolve(step, id=len(steps), needs=needs))
        elif step.origin is None and step.id not in held_steps:
            new_ids[step.id] = len(steps)
            same = step.id == len(steps) and step.after is None
            steps.append(step if same else evolve(step, id=len(steps), after=None))
        elif step.after in new_ids:
            new_ids[step.id] = new_ids[step.after]
    images = tuple(
        evolve(
            image,
            goals=tuple(new_ids[goal] for goal in image.goals),
            copied=Share(image.copied.blobs - share.blobs, image.copied.bytes - share.bytes),
            present=Share(image.present.blobs + share.blobs, image.present.bytes + share.bytes),
            mounted=Share(),
        )
        for image, share in zip(plan.images, _shares(plan, held_steps), strict=True)
    )
    source = max(0, plan.requests.source - len(held_steps))  # one for each, where there are any
    return evolve(
        plan,
        target=target,
        images=images,
        steps=tuple(steps),
        requests=Requests(source, at_least=plan.requests.at_least - {"target"}),
    )


def _shares(plan: Plan, steps: Set[int]) -> Iterator[Share]:
    """The share of these blob steps in each image. A step counts for the first image that needs it."""
    sizes = {step.id: step.descriptor.size for step in plan.blob_steps() if step.id in steps}
    begin = 0
    for image in plan.images:
        end = max((begin, *(goal + 1 for goal in image.goals)))
        own = [sizes[step] for step in range(begin, end) if step in sizes]
        yield Share(len(own), sum(own))
        begin = end


def _companions(plan: Plan) -> Iterator[BundledImage]:
    """The manifests that the plan stores under tags which are no images."""
    images = {image.target for image in plan.images}
    for step in _manifest_steps(plan):
        if step.name.tag and step.name not in images:
            source = f"{step.source_store}/{step.source_repository}:{step.name.tag}"
            yield BundledImage(step.name, plan.manifests[step.digest].descriptor, source)


def _is_carried(step: BlobStep) -> bool:
    """Whether the bundle carries the blob; not if the target has it in another repository already."""
    return step.origin is None or step.after is not None


def _manifest_steps(plan: Plan) -> Iterator[ManifestStep]:
    return (step for step in plan.steps if isinstance(step, ManifestStep))


def _bundled(image: PlannedImage, plan: Plan, resolve: Callable[[Name], Descriptor], graph: _Graph) -> BundledImage:
    manifest = plan.manifests.get(image.digest) if image.digest else None
    if manifest is None:
        return BundledImage(image.called, resolve(image.called), image.source_label, present=True)
    left_out = {child for stored in graph.below([manifest.digest]) for child in graph.left_out[stored.digest]}
    return BundledImage(image.called, manifest.descriptor, image.source_label, left_out=tuple(sorted(left_out)))


class _Graph:
    """The manifests that a plan stores, and their children."""

    def __init__(self, plan: Plan) -> None:
        steps = list(_manifest_steps(plan))
        self._manifests = {step.digest: plan.manifests[step.digest] for step in steps}
        self.goals = {step.id: step.digest for step in steps}
        self.left_out = {step.digest: frozenset(step.left_out) for step in steps}

    def below(self, roots: Iterable[Digest]) -> Iterator[Manifest]:
        """Every manifest at and below `roots` that the plan stores, each once."""
        pending, seen = list(roots), set(roots)
        while pending:
            manifest = self._manifests[pending.pop()]
            yield manifest
            new = {child.digest for child in manifest.manifests if child.digest in self._manifests} - seen
            seen |= new
            pending += sorted(new)

    def assumed(
        self, root: Descriptor, extras: Iterable[Digest], blobs: Mapping[Digest, Descriptor]
    ) -> Iterator[Descriptor]:
        """The content that an image and its companions need, but the bundle does not hold."""
        if root.digest not in self._manifests:
            yield root
        stored = {digest for digest in (root.digest, *extras) if digest in self._manifests}
        for manifest in self.below(sorted(stored)):
            yield from (blob for blob in manifest.blobs if blob.digest not in blobs and not blob.is_foreign)
            meant = (child for child in manifest.manifests if child.digest not in self.left_out[manifest.digest])
            yield from (child for child in meant if child.digest not in self._manifests)
