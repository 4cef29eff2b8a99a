"""The reference store: repositories in a dictionary. It follows every rule of the ports, as a strict registry does."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from transload.errors import BlobUnknown, ManifestUnknown, RepositoryUnknown
from transload.oci import Descriptor, Digest, Manifest, Name, Verifier
from transload.ports import Chunk, RequestCosts


class _Repository:
    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.manifests: dict[Digest, Manifest] = {}
        self.tags: dict[str, Digest] = {}
        self.left_out: dict[Digest, frozenset[Digest]] = {}
        self.parked: dict[Digest, bytearray] = {}


class MemoryStore:
    """A target (so also a source) that holds everything in memory. Each repository has blobs of its own.

    It checks what a strict registry checks: it accepts a manifest only if its blobs and children are there.
    """

    blobs_per_repository = True
    request_costs: RequestCosts | None = None

    def __init__(self, locator: str = "memory:") -> None:
        self.locator = locator
        self._repositories: dict[str, _Repository] = {}
        self._lock = threading.RLock()

    @property
    def mounts(self) -> MemoryStore:
        """Mounting is copying a reference."""
        return self

    @property
    def refers(self) -> MemoryStore:
        """Referrers are found by looking at every manifest."""
        return self

    @property
    def sparse(self) -> MemoryStore:
        """It remembers what was left out of an index."""
        return self

    @property
    def lenient(self) -> MemoryStore:
        """It can store manifests whose parts are missing."""
        return self

    @property
    def deletes(self) -> MemoryStore:
        """It can delete manifests, tags and blobs."""
        return self

    @property
    def sizes(self) -> MemoryStore:
        """It knows the size of each blob."""
        return self

    # --- Resolves

    def resolve(self, name: Name) -> Descriptor:
        """The descriptor that `name` stands for. Raises `NotFound`."""
        return self.fetch(name).descriptor

    def fetch(self, name: Name) -> Manifest:
        """The manifest that `name` stands for. Raises `NotFound`."""
        with self._lock:
            repository = self._repositories.get(name.repository, _Repository())
            digest = name.digest or repository.tags.get(name.tag or "")
            manifest = repository.manifests.get(digest) if digest else None
        if manifest is None:
            raise ManifestUnknown(f"{self.locator} has no {name}", subject=str(name))
        return manifest

    def tags(self, repository: str) -> Iterator[str]:
        """Every tag of a repository, sorted, as registries answer. Raises `RepositoryUnknown`."""
        with self._lock:
            if repository not in self._repositories:
                raise RepositoryUnknown(f"{self.locator} has no repository {repository}", subject=repository)
            return iter(sorted(self._repositories[repository].tags))

    def repositories(self) -> Iterator[str]:
        """Every repository, sorted."""
        with self._lock:
            return iter(sorted(self._repositories))

    # --- Reads

    def exists(self, repository: str, descriptor: Descriptor) -> bool:
        """Whether the repository holds this blob or manifest, with this size."""
        with self._lock:
            contents = self._repositories.get(repository, _Repository())
            if descriptor.digest in contents.manifests:
                return len(contents.manifests[descriptor.digest].raw) == descriptor.size
            return (
                len(contents.blobs.get(descriptor.digest, b"")) == descriptor.size
                and descriptor.digest in contents.blobs
            )

    @contextmanager
    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[Chunk]]:
        """Bytes of a blob from `offset`, `length` of them (to the end when None).

        Raises `BlobUnknown`, `SizeMismatch`.
        """
        with self._lock:
            content = self._repositories.get(repository, _Repository()).blobs.get(descriptor.digest)
        if content is None:
            raise BlobUnknown(f"{repository} has no blob {descriptor.digest.short}", subject=descriptor.digest)
        end = descriptor.size if length is None else offset + length
        descriptor.check_size(len(content), self.locator)
        yield _pieces(memoryview(content)[offset:end])

    # --- Sizes

    def size(self, repository: str, digest: Digest) -> int:
        """How many bytes a blob has, when only its digest is known. Raises `BlobUnknown`."""
        with self._lock:
            content = self._repositories.get(repository, _Repository()).blobs.get(digest)
        if content is None:
            raise BlobUnknown(f"{repository} has no blob {digest.short}", subject=digest)
        return len(content)

    # --- Ingests

    @contextmanager
    def begin(self, repository: str, descriptor: Descriptor) -> Iterator[MemoryIngest]:
        """Begin a blob, or continue an unfinished one; without commit, the bytes that have arrived are kept."""
        with self._lock:
            contents = self._repositories.setdefault(repository, _Repository())
            arrived = contents.parked.pop(descriptor.digest, bytearray())
        ingest = MemoryIngest(contents, descriptor, arrived)
        try:
            yield ingest
        finally:
            if ingest.open:
                with self._lock:
                    contents.parked[descriptor.digest] = ingest.arrived

    # --- Names

    def put_manifest(self, name: Name, manifest: Manifest, *, part: bool = False, sparse: bool = False) -> None:  # noqa: ARG002 - it keeps no list
        """Store `manifest` and let `name` stand for it; its blobs and child manifests must be there.

        `sparse` says that children of an index were left out on purpose; `part` changes nothing, since no list is kept.
        Raises `BlobUnknown`, `ManifestUnknown`.
        """
        with self._lock:
            self._check_needs(self._repositories.get(name.repository, _Repository()), manifest, sparse)
            self.point_lacking(name, manifest)

    def point_lacking(self, name: Name, manifest: Manifest) -> None:
        """Store `manifest` under `name` like `put_manifest`, although parts of it may be missing."""
        with self._lock:
            contents = self._repositories.setdefault(name.repository, _Repository())
            contents.manifests[manifest.digest] = manifest
            contents.left_out[manifest.digest] = frozenset(child.digest for child in manifest.manifests)
            if name.tag:
                contents.tags[name.tag] = manifest.digest

    def _check_needs(self, contents: _Repository, manifest: Manifest, sparse: bool) -> None:
        for blob in manifest.blobs:
            if blob.digest not in contents.blobs and not blob.is_foreign:
                raise BlobUnknown(f"{manifest.digest.short} needs blob {blob.digest.short}", subject=blob.digest)
        for child in manifest.manifests:
            if child.digest not in contents.manifests and not sparse:
                raise ManifestUnknown(f"{manifest.digest.short} needs {child.digest.short}", subject=child.digest)

    # --- Sparse

    def left_out(self, repository: str, digest: Digest) -> frozenset[Digest]:
        """Children that this index lacked when it came, and that have not come since."""
        with self._lock:
            contents = self._repositories.get(repository, _Repository())
            return contents.left_out.get(digest, frozenset()) - contents.manifests.keys()

    # --- Deletes

    def delete_manifest(self, name: Name) -> None:
        """Take a tag away, or a manifest by its digest with every tag of it. Raises `ManifestUnknown`."""
        with self._lock:
            digest = self.fetch(name).digest
            repository = self._repositories[name.repository]
            if name.digest is None:
                del repository.tags[name.tag or ""]
                return
            del repository.manifests[digest]
            repository.left_out.pop(digest, None)
            repository.tags = {tag: other for tag, other in repository.tags.items() if other != digest}

    def delete_blob(self, repository: str, digest: Digest) -> None:
        """Take a blob out of a repository. Raises `BlobUnknown`."""
        with self._lock:
            self.size(repository, digest)
            del self._repositories[repository].blobs[digest]

    # --- Mounts

    def mount(self, descriptor: Descriptor, origin: str, repository: str) -> bool:
        """Make a blob of `origin` visible in `repository`; False if `origin` does not hold it."""
        with self._lock:
            content = self._repositories.get(origin, _Repository()).blobs.get(descriptor.digest)
            if content is None:
                return False
            self._repositories.setdefault(repository, _Repository()).blobs[descriptor.digest] = content
            return True

    # --- Refers

    def referrers(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:
        """Descriptors of the manifests whose subject is `digest`; empty if there are none."""
        with self._lock:
            manifests = list(self._repositories.get(repository, _Repository()).manifests.values())
        return tuple(
            manifest.as_referrer for manifest in manifests if manifest.subject and manifest.subject.digest == digest
        )


class MemoryIngest:
    """One blob on its way into a `MemoryStore`."""

    def __init__(self, contents: _Repository, descriptor: Descriptor, arrived: bytearray) -> None:
        self.arrived = arrived
        self.open = True
        self._contents = contents
        self._descriptor = descriptor

    @property
    def offset(self) -> int:
        """How many bytes have arrived: where the next byte belongs."""
        return len(self.arrived)

    def write(self, chunks: Iterable[Chunk]) -> None:
        """Take bytes from `offset` on. An error of `chunks` passes through unchanged."""
        for chunk in chunks:
            self.arrived += chunk

    def commit(self) -> None:
        """Check digest and size, then make the blob visible. Raises `DigestMismatch`, `SizeMismatch`.

        Wrong content is dropped, because it would be wrong on the next attempt too.
        """
        self.open = False
        verifier = Verifier(self._descriptor.digest, self._descriptor.size)
        verifier.update(self.arrived)
        verifier.check()
        self._contents.blobs[self._descriptor.digest] = bytes(self.arrived)

    def abandon(self) -> None:
        """Drop what has arrived."""
        self.open = False
        self.arrived = bytearray()


def _pieces(view: memoryview, size: int = 1 << 16) -> Iterator[memoryview]:
    for start in range(0, len(view), size):
        yield view[start : start + size]
