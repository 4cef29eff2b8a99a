"""Which parts of an index a store really has: docker saves the index of all platforms with the content of one.

So do `ctr images export --platform` and copies of folders in which files are missing on purpose. The parts that are
there can be copied; the run must say which ones are missing.
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
    """The children that were left out of an image on purpose, if its store remembers that.

    `unwanted` names further children of an index that need not be there.
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
        """Note which children an index leaves out, before they are looked for. Returns the manifest."""
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
    """Says which children are there. Keeps what it reads, so that nothing is read twice for one image.

    `fetch` reads a manifest, `exists` asks for a blob.
    """

    def __init__(self, fetch: Callable[[Descriptor], Manifest], holds: Callable[[Descriptor], bool]) -> None:
        self._fetch = fetch
        self._holds = holds
        self._read: dict[Digest, Manifest | None] = {}
        self._held: dict[Digest, bool] = {}
        self._allowance = Allowance("an image", IMAGE_MANIFESTS_BYTES)

    @classmethod
    def of(cls, store: Source, name: Name) -> Parts:
        """The parts of the image called `name`."""
        return cls(lambda child: store.fetch(name.at(child.digest)), lambda blob: store.exists(name.repository, blob))

    def fetch(self, child: Descriptor) -> Manifest:
        """The child's manifest. Raises `ManifestUnknown`."""
        manifest = self._manifest(child)
        if manifest is None:
            raise ManifestUnknown(f"there is no manifest {child.digest.short}", subject=child.digest)
        return manifest

    def has(self, child: Descriptor, depth: int = 0) -> bool:
        """Whether the child is there with its content; for an index, whether any of its children is."""
        if child.digest not in self._held:
            manifest = self._manifest(child)
            self._held[child.digest] = manifest is not None and self._has_content(manifest, depth)
        return self._held[child.digest]

    def lacking(self, index: Manifest) -> tuple[Descriptor, ...]:
        """The missing children. None if no image is there at all: then the store does not hold a part of the index."""
        held = held_children(index, self.has)
        if all(child.digest not in held or is_attestation(child) for child in index.manifests):
            return ()
        return tuple(child for child in index.manifests if child.digest not in held)

    def _has_content(self, manifest: Manifest, depth: int) -> bool:
        """Tools that leave a platform out leave out its config or all its layers. One missing layer is damage.

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
