"""A source that is asked each question once, for plans to several targets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

from transload.oci import Descriptor, Digest, Manifest, Name, verified
from transload.oci.mediatype import DOCKER_CONFIG, OCI_CONFIG, is_signature
from transload.passing import PassedOn
from transload.planning.answers import Answers
from transload.ports import Chunk, Refers, Source

_CONFIGS = (OCI_CONFIG, DOCKER_CONFIG)
_BLOB_BYTES, _BLOBS_BYTES = 64 << 10, 16 << 20  # of one config or signature that is kept, and of all


class AskedOnce(PassedOn):
    """`source`, whose answers about names are kept: all plans see the same content. Safe for threads.

    Large blobs are not kept, see `transload.transfer.sharing`.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._once = Answers().once
        self._lock = threading.Lock()
        self._room = _BLOBS_BYTES
        self._kept: set[Digest] = set()

    @property
    def refers(self) -> Refers | None:
        """This wrapper, if the source knows referrers."""
        return None if self._source.refers is None else self

    # --- Resolves

    def resolve(self, name: Name) -> Descriptor:
        """See `Resolves`."""
        return self._once(("resolve", name), lambda: self._source.resolve(name))

    def fetch(self, name: Name) -> Manifest:
        """See `Resolves`."""
        return self._once(("fetch", name), lambda: self._source.fetch(name))

    def tags(self, repository: str) -> Iterator[str]:
        """See `Resolves`."""
        return iter(self._once(("tags", repository), lambda: tuple(self._source.tags(repository))))

    def repositories(self) -> Iterator[str]:
        """See `Resolves`."""
        return iter(self._once(("repositories",), lambda: tuple(self._source.repositories())))

    # --- Refers

    def referrers(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:
        """See `Refers`."""
        refers = self._source.refers
        return (
            ()
            if refers is None
            else self._once(("referrers", repository, digest), lambda: refers.referrers(repository, digest))
        )

    # --- Reads

    def exists(self, repository: str, descriptor: Descriptor) -> bool:
        """See `Reads`."""
        return self._once(
            ("exists", repository, descriptor.digest), lambda: self._source.exists(repository, descriptor)
        )

    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AbstractContextManager[Iterator[Chunk]]:
        """See `Reads`. Configs and signatures are kept: plans read them to decide, and the runs read them again."""
        if offset or length is not None or not self.keeps(descriptor):
            return self._source.open(repository, descriptor, offset, length)
        return nullcontext(iter((self._once(("open", descriptor.digest), lambda: self._read(repository, descriptor)),)))

    def keeps(self, descriptor: Descriptor) -> bool:
        """Whether this content is kept from its first reading on, which sets the room for it aside."""
        if descriptor.media_type not in _CONFIGS and not is_signature(descriptor.media_type):
            return False
        with self._lock:
            if descriptor.digest not in self._kept and descriptor.size <= min(_BLOB_BYTES, self._room):
                self._room -= descriptor.size
                self._kept.add(descriptor.digest)
            return descriptor.digest in self._kept

    def _read(self, repository: str, descriptor: Descriptor) -> bytes:
        """The verified content, so that what came damaged is asked for again."""
        with self._source.open(repository, descriptor) as chunks:
            return verified(chunks, descriptor.digest, descriptor.size)
