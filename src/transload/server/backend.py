"""Looks up blobs by digest alone, as URLs name them; finds the store's optional powers in one place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from transload.errors import BlobUnknown
from transload.files import local_errors
from transload.infiles import InFiles, Piece
from transload.oci import Descriptor, Digest, Manifest
from transload.ports import Deletes, HasPaths, KnowsSizes, Lenient, Mounts, Refers, Source, Spools, Target

OCTETS = "application/octet-stream"
_REMEMBERED = 100_000


class Backend:
    """A store and its powers. Sizes come from the store, from a file, or from manifests that were served."""

    def __init__(self, store: Source | Target) -> None:
        self.store = store
        self.paths: HasPaths | None = _power(store, "paths")
        self.in_files: InFiles | None = _power(store, "in_files")
        self.sizes: KnowsSizes | None = _power(store, "sizes")
        self.spools: Spools | None = _power(store, "spools")
        # What is deleted from a registry behind this one would be deleted with our login, not with the client's.
        self.deletes: Deletes | None = _power(store, "deletes") if store.request_costs is None else None
        self.lenient: Lenient | None = _power(store, "lenient")
        self.mounts: Mounts | None = _power(store, "mounts")
        self.refers: Refers | None = store.refers
        self._learnt: dict[Digest, int] = {}

    @property
    def target(self) -> Target:
        """The store as a target. Only for callers that know that it can be written to."""
        return cast("Target", self.store)

    def descriptor(self, repository: str, digest: Digest) -> Descriptor:
        """A blob with its size. Raises `BlobUnknown` if the repository does not hold it, or its size is not known."""
        if self.sizes is not None:
            return Descriptor(OCTETS, digest, self.sizes.size(repository, digest))
        size = self._learnt.get(digest) if self.paths is None else _size(self.paths.path(digest))
        if size is not None and self.store.exists(repository, blob := Descriptor(OCTETS, digest, size)):
            return blob
        raise BlobUnknown(f"{repository} has no blob {digest.short}", subject=digest)

    def pieces(self, blob: Descriptor, offset: int, length: int) -> Iterator[Piece] | None:
        """Where bytes of a blob lie, if the store keeps files (see `InFiles`)."""
        if self.in_files is not None:
            return self.in_files.pieces(blob, offset, length)
        return None if self.paths is None else iter((Piece(self.paths.file(blob.digest), offset, length),))

    def learn(self, manifest: Manifest) -> None:
        """Remember the sizes in a manifest, for a store that does not know sizes itself."""
        if self.sizes is not None or self.paths is not None:
            return
        for blob in manifest.blobs:
            self._learnt[blob.digest] = blob.size
        while len(self._learnt) > _REMEMBERED:
            self._learnt.pop(next(iter(self._learnt)))


def _size(path: Path) -> int:
    with local_errors("looking at", path):
        return path.stat().st_size


def _power(store: object, name: str) -> Any:
    return getattr(store, name, None)
