"""A store of files with one pool for all repositories, which offers every optional power that a server looks for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from transload.errors import BlobUnknown, ManifestUnknown
from transload.files import Folder
from transload.memory import MemoryIngest, MemoryStore
from transload.oci import Descriptor, Digest, Name
from transload.ports import Chunk

POOL = "pool"


class RepositoryContent(MemoryStore):
    """Blobs are files when they were adopted or put there; everything else is the memory store's."""

    blobs_per_repository = False

    def __init__(self, folder: Path) -> None:
        super().__init__("shelf:")
        self.folder = folder
        self.adopted: list[Digest] = []
        self.opened: list[Digest] = []
        self.paths: RepositoryContent | None = self
        self.spools = self
        self.gone: set[object] = set()

    def put(self, content: bytes) -> Digest:
        digest = Digest.of(content)
        (self.folder / digest.encoded).write_bytes(content)
        return digest

    def path(self, digest: Digest) -> Path:
        path = self.folder / digest.encoded
        if not path.exists():
            raise BlobUnknown(f"no blob {digest.short}", subject=digest)
        return path

    def file(self, digest: Digest) -> FileIO:
        return FileIO(self.path(digest))

    def size(self, repository: str, digest: Digest) -> int:
        return self.path(digest).stat().st_size

    def exists(self, repository: str, descriptor: Descriptor) -> bool:
        return (self.folder / descriptor.digest.encoded).exists()

    def spool_file(self, identifier: str) -> tuple[Folder, str]:
        return Folder(self.folder), f"spooled-{identifier}"

    def spooled(self) -> list[str]:
        names = [path.name for path in self.folder.iterdir()]
        return [name.removeprefix("spooled-") for name in names if name.startswith("spooled-")]

    def adopt(self, repository: str, descriptor: Descriptor, name: str) -> None:
        Folder(self.folder).move(name, Folder(self.folder), descriptor.digest.encoded)
        self.adopted.append(descriptor.digest)

    @contextmanager
    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[Chunk]]:
        self.opened.append(descriptor.digest)
        with super().open(repository, descriptor, offset, length) as chunks:
            yield chunks

    @contextmanager
    def begin(self, repository: str, descriptor: Descriptor) -> Iterator[MemoryIngest]:
        with super().begin(POOL, descriptor) as ingest:
            yield ingest
            if not ingest.open:
                (self.folder / descriptor.digest.encoded).write_bytes(ingest.arrived)

    def delete_manifest(self, name: Name) -> None:
        if name in self.gone:
            raise ManifestUnknown(f"no {name}", subject=str(name))
        self.gone.add(name)

    def delete_blob(self, repository: str, digest: Digest) -> None:
        self.path(digest).unlink()


class Slow:
    """Chunks that come only when a gate opens."""

    def __init__(self, *chunks: bytes) -> None:
        self.gate = threading.Event()
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        first, *rest = self._chunks
        yield first
        assert self.gate.wait(60)
        yield from rest
