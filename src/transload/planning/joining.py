"""Adds artifacts that this machine made to a plan: each refers to an image, and is brought with it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from transload.oci import Digest, Manifest, Name
from transload.planning.plan import BlobStep, ManifestStep, Plan, PlannedImage, Step
from transload.values import evolve


def with_referrers(plan: Plan, referrers: Mapping[int, Iterable[Manifest]]) -> Plan:
    """The plan with manifests that refer to images, by the images' position in it. Their source has their blobs.

    They come after the steps of their image, and before those of the next. The requests of the plan stay as they were
    estimated.
    """
    if not referrers:
        return plan
    joining = _Joining(plan)
    images = tuple(joining.image(image, referrers.get(number, ())) for number, image in enumerate(plan.images))
    joining.rest()
    return Plan(
        target=plan.target,
        images=images,
        steps=tuple(joining.steps),
        manifests={**plan.manifests, **joining.manifests},
        requests=plan.requests,
        asked=plan.asked,
    )


class _Joining:
    def __init__(self, plan: Plan) -> None:
        self.steps: list[Step] = []
        self.manifests: dict[Digest, Manifest] = {}
        self._waiting = iter(plan.steps)
        self._new: dict[int, int] = {}
        self._places: dict[tuple[str, Digest], int] = {}
        self._carriers: dict[Digest, tuple[str, int]] = {}

    def image(self, image: PlannedImage, manifests: Iterable[Manifest]) -> PlannedImage:
        """Add the steps up to the last one of an image, then those of its referrers."""
        self._take(max(image.goals, default=-1))
        goals = [self._new[goal] for goal in image.goals]
        copied = image.copied
        for manifest in manifests:
            for blob in manifest.blobs:
                if blob.digest not in self._carriers:
                    copied = copied.plus(blob.size)
            goals.append(self._referrer(image, manifest))
        return evolve(image, goals=tuple(goals), copied=copied)

    def rest(self) -> None:
        """Add the steps that no image waits for."""
        for step in self._waiting:
            self._add(step)

    def _take(self, last: int) -> None:
        if last in self._new or last < 0:
            return
        for step in self._waiting:
            self._add(step)
            if step.id == last:
                return

    def _add(self, step: Step) -> None:
        number = self._new[step.id] = len(self.steps)
        if isinstance(step, ManifestStep):
            self.steps.append(evolve(step, id=number, needs=tuple(self._new[need] for need in step.needs)))
            return
        self._note(step, number)
        after = None if step.after is None else self._new[step.after]
        self.steps.append(evolve(step, id=number, after=after))

    def _note(self, step: BlobStep, number: int) -> None:
        self._places.setdefault((step.repository, step.descriptor.digest), number)
        if step.origin is None:
            self._carriers.setdefault(step.descriptor.digest, (step.repository, number))

    def _referrer(self, image: PlannedImage, manifest: Manifest) -> int:
        repository = image.target.repository
        blobs = tuple(dict.fromkeys(self._blobs(image, manifest)))
        subject = tuple(self._new[goal] for goal in image.goals)
        self.manifests[manifest.digest] = manifest
        self.steps.append(
            ManifestStep(
                id=len(self.steps),
                digest=manifest.digest,
                name=Name(repository, None, manifest.digest),
                needs=(*blobs, *subject),
                source_store=image.source_store,
                source_repository=image.source.repository,
            )
        )
        return len(self.steps) - 1

    def _blobs(self, image: PlannedImage, manifest: Manifest) -> Iterator[int]:
        """The steps that bring the blobs of a manifest, new ones for those that no step brings."""
        repository = image.target.repository
        for blob in manifest.blobs:
            if (repository, blob.digest) not in self._places:
                origin, after = self._carriers.get(blob.digest, (None, None))
                step = BlobStep(
                    id=len(self.steps),
                    descriptor=blob,
                    source_store=image.source_store,
                    source_repository=image.source.repository,
                    repository=repository,
                    origin=origin,
                    after=after,
                )
                self.steps.append(step)
                self._note(step, step.id)
            yield self._places[repository, blob.digest]
