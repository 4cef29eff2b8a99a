"""What of an index a store really has: docker saves the index of all platforms with the content of one.

So do `ctr images export --platform` and copies of folders in which files are missing on purpose. What is there can be
copied; what is not there must be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from transload.errors import BlobUnknown, LimitExceeded, ManifestUnknown
from transload.graph import Allowance
from transload.limits import IMAGE_MANIFESTS, IMAGE_MANIFESTS_BYTES, INDEX_DEPTH
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.planning.narrowing import held_children, is_attestation
from transload.ports import Source, Sparse


class LeftOut:
    """The children that were left out of an image on purpose, where its store remembers that.

    `unwanted` tells of further ones that are not looked for.
    """

    def __init__(
        self,
        store: object = None,
        repository: str = "",
        unwanted: Callable[[Manifest], Iterable[Digest]] = lambda _: (),
    ) -> None:
        self._sparse: Sparse | None = getattr(store, "sparse", None)
        self._repository = repository
        self._unwanted = unwanted
        self._digests: set[Digest] = set()

    def meet(self, manifest: Manifest) -> Manifest:
        """Take note of what an index leaves out, before its children are looked for; returns it."""
        if manifest.is_index:
            self._digests.update(self._unwanted(manifest))
            if self._sparse is not None:
                self._digests |= self._sparse.left_out(self._repository, manifest.digest)
        return manifest

    def __contains__(self, child: Descriptor) -> bool:
        return child.digest in self._digests

    def __bool__(self) -> bool:
        return bool(self._digests)


NOTHING_LEFT_OUT = LeftOut()


class Parts:
    """Tells which children are there. What was read is kept, so that nothing is read twice for one image.

    `fetch` reads a manifest, `holds` asks for a blob.
    """

    def __init__(self, fetch: Callable[[Descriptor], Manifest], holds: Callable[[Descriptor], bool]) -> None:
        self._fetch = fetch
        self._holds = holds
        self._read: dict[Digest, Manifest | None] = {}
        self._there: dict[Digest, bool] = {}
        self._allowance = Allowance("an image", IMAGE_MANIFESTS_BYTES)

    @classmethod
    def of(cls, store: Source, name: Name) -> Parts:
        """Those of the image called `name`."""
        return cls(lambda child: store.fetch(name.at(child.digest)), lambda blob: store.holds(name.repository, blob))

    def fetch(self, child: Descriptor) -> Manifest:
        """The child's manifest. Raises `ManifestUnknown`."""
        found = self._manifest(child)
        if found is None:
            raise ManifestUnknown(f"there is no manifest {child.digest.short}", subject=child.digest)
        return found

    def has(self, child: Descriptor, depth: int = 0) -> bool:
        """Whether the child is there with content of its own; of an index, whether any of its children is."""
        if child.digest not in self._there:
            manifest = self._manifest(child)
            self._there[child.digest] = manifest is not None and self._has_content(manifest, depth)
        return self._there[child.digest]

    def lacking(self, index: Manifest) -> tuple[Descriptor, ...]:
        """The children that are not there; none where no image is there at all, since then this is no part of it."""
        held = held_children(index, self.has)
        if all(child.digest not in held or is_attestation(child) for child in index.manifests):
            return ()
        return tuple(child for child in index.manifests if child.digest not in held)

    def _has_content(self, manifest: Manifest, depth: int) -> bool:
        """A lacking layer is damage, and told as such. Who leaves a platform out leaves out its config, or all layers.

        (containerd, archive.WithSkipMissing: the manifest may stay, its blobs are all there or none.)
        """
        if manifest.is_index:
            if depth > INDEX_DEPTH:
                raise LimitExceeded(f"indexes are nested deeper than {INDEX_DEPTH}", subject=manifest.digest)
            return not manifest.manifests or any(self.has(child, depth + 1) for child in manifest.manifests)
        if manifest.config is not None and not self._holds(manifest.config):
            return False
        layers = [layer for layer in manifest.layers if not layer.is_foreign]
        return not layers or any(map(self._holds, layers))

    def _manifest(self, child: Descriptor) -> Manifest | None:
        if child.digest not in self._read:
            if len(self._read) >= IMAGE_MANIFESTS:
                raise LimitExceeded(f"an image of more than {IMAGE_MANIFESTS} manifests", subject=child.digest)
            try:
                self._read[child.digest] = self._allowance.take(self._fetch(child))
            except (ManifestUnknown, BlobUnknown):
                self._read[child.digest] = None
        return self._read[child.digest]
