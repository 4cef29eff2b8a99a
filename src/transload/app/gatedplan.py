"""`apply --gate`: the images of a saved plan are shown to gates, as the plan has them, before anything is copied."""

from __future__ import annotations

from transload.app.gates import Gates
from transload.app.gating import Gating
from transload.app.mirror import Prepared
from transload.app.stores import Stores
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.passing import PassedOn
from transload.planning import ManifestStep, Plan, Request
from transload.planning.request import Item
from transload.ports import Source
from transload.threads import Cancellation
from transload.values import evolve


def gated_plan(prepared: Prepared, gates: Gates, stores: Stores, cancellation: Cancellation, bodies: int) -> Prepared:
    """The same run without the images that the gates refuse. Raises as `Gating.passed` does."""
    plan = prepared.plan
    items = (
        Item(
            image.source_store,
            image.source if image.digest is None else Name(image.source.repository, None, image.digest),
            image.target,
        )
        for image in plan.images
    )
    foreign = any(step.descriptor.is_foreign for step in plan.blob_steps())
    sources = {locator: _AsPlanned(source, plan) for locator, source in prepared.sources.items()}
    asked = evolve(prepared, sources=sources, request=Request(tuple(items), foreign_layers=foreign))
    gating = Gating(gates=gates, stores=stores, cancellation=cancellation, bodies=bodies)
    return gating.passed(asked)


class _AsPlanned(PassedOn):
    """A source with the manifests of a plan: a narrowed index has a digest that its publisher does not know."""

    def __init__(self, source: Source, plan: Plan) -> None:
        super().__init__(source)
        self._manifests = plan.manifests
        self._left_out = {
            step.digest: frozenset(step.left_out) for step in plan.steps if isinstance(step, ManifestStep)
        }

    @property
    def sparse(self) -> _AsPlanned:
        """Itself: the plan says what it leaves out."""
        return self

    def left_out(self, repository: str, digest: Digest) -> frozenset[Digest]:
        """See `Sparse`."""
        if digest in self._left_out:
            return self._left_out[digest]
        own = getattr(self._source, "sparse", None)
        return own.left_out(repository, digest) if own is not None else frozenset()

    def resolve(self, name: Name) -> Descriptor:
        """See `Resolves`."""
        manifest = self._planned(name)
        return manifest.descriptor if manifest else self._source.resolve(name)

    def fetch(self, name: Name) -> Manifest:
        """See `Resolves`. A manifest that the target has already is not in the plan."""
        return self._planned(name) or self._source.fetch(name)

    def _planned(self, name: Name) -> Manifest | None:
        return self._manifests.get(name.digest) if name.digest is not None else None
