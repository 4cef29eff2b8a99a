"""Who refers to what in a store with an `index.json`: found by looking at every manifest it leads to, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attrs import evolve, frozen

from transload.errors import BlobUnknown, LimitExceeded, SchemaUnsupported
from transload.oci import Descriptor, Digest, Manifest

_DEPTH = 8  # of indexes in indexes
_MANIFESTS = 200_000


@frozen
class _Known:
    """What has to be remembered of a manifest."""

    descriptor: Descriptor
    subject: Digest | None
    manifests: tuple[Descriptor, ...]


class Referrers:
    """Walks from the listed manifests; what was learnt of a digest stays true, so it is remembered."""

    def __init__(self, listed: Callable[[], Iterable[Descriptor]], read: Callable[[Descriptor], Manifest]) -> None:
        self._listed = listed
        self._read = read
        self._known: dict[Digest, _Known] = {}

    def referrers(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:  # noqa: ARG002 - one pool for all
        """See `transload.ports.Refers`; the descriptors as the distribution specification lists referrers."""
        return tuple(known.descriptor for known in self._walk() if known.subject == digest)

    def refers(self, descriptor: Descriptor) -> bool:
        """Whether this manifest has a subject."""
        known = self._look(descriptor)
        return known is not None and known.subject is not None

    def _walk(self) -> Iterator[_Known]:
        seen: set[Digest] = set()
        level = list(self._listed())
        for _ in range(_DEPTH):
            below: list[Descriptor] = []
            for descriptor in level:
                if descriptor.digest not in seen and (known := self._look(descriptor)):
                    seen.add(descriptor.digest)
                    below.extend(known.manifests)
                    yield known
            if len(seen) + len(below) > _MANIFESTS:
                raise LimitExceeded(f"the index lists more than {_MANIFESTS} manifests")
            level = below

    def _look(self, descriptor: Descriptor) -> _Known | None:
        """None for what is not there (a layout may hold part of an index only) and for what refers to nothing."""
        if descriptor.digest not in self._known:
            if not descriptor.is_manifest:
                return None
            try:
                self._known[descriptor.digest] = _known(self._read(descriptor))
            except (BlobUnknown, SchemaUnsupported):
                return None
        return self._known[descriptor.digest]


def _known(manifest: Manifest) -> _Known:
    descriptor = evolve(
        manifest.descriptor, artifact_type=manifest.artifact_type, annotations=dict(manifest.annotations)
    )
    return _Known(descriptor, manifest.subject.digest if manifest.subject else None, manifest.manifests)
