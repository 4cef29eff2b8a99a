"""Stores one manifest of a run at the target, and brings what the target has lost of it meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from transload.errors import NotFound, Refused
from transload.events import How
from transload.oci import Manifest
from transload.planning import BlobStep, ManifestStep, Plan, Step
from transload.ports import Target
from transload.values import field, frozen


@frozen
class Naming:
    """A step that stores a manifest of `plan` at `target`. `is_part`: it completes no image, so an index follows."""

    plan: Plan
    target: Target
    step: ManifestStep
    is_part: bool = field(kw_only=True)

    @property
    def manifest(self) -> Manifest:
        """The manifest."""
        return self.plan.manifests[self.step.digest]

    def point(self, place: Callable[[BlobStep], object]) -> None:
        """Store it. `place` brings blobs that the target said it had, but has not (collected since), once."""
        try:
            self._point()
        except NotFound:
            self._heal(place)
            self._point_healed()

    def _point(self) -> None:
        step = self.step
        self.target.put_manifest(step.name, self.manifest, part=self.is_part, sparse=bool(step.left_out))

    def _point_healed(self) -> None:
        try:
            self._point()
        except NotFound as error:
            if not self.step.left_out:
                raise
            raise Refused(  # docker-registry before version 3, among others
                "the target does not take an incomplete index"
                f" ({len(self.step.left_out)} of {len(self.manifest.manifests)} left out)",
                subject=str(self.step.name),
                hint="write a new index (--platform with --narrow rewritten), or copy all platforms; "
                "where transload serves the target, --allow-sparse takes it",
            ) from error

    def _heal(self, place: Callable[[BlobStep], object]) -> None:
        step = self.step
        for blob in self.manifest.blobs:
            if not self.target.exists(step.name.repository, blob):
                lacking = BlobStep(
                    id=step.id,
                    descriptor=blob,
                    source_store=step.source_store,
                    source_repository=step.source_repository,
                    repository=step.name.repository,
                )
                place(lacking)


def how_of(step: Step) -> How:
    """What is told of a manifest that was stored."""
    return "tagged" if isinstance(step, ManifestStep) and step.name.tag else "stored"
