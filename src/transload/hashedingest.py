"""The common part of ingests in local stores: bytes are hashed as they come, and wrong content is dropped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from transload.errors import CorruptError
from transload.oci import Digest, Verifier
from transload.ports import Chunk


class HashedIngest(ABC):
    """The rules of `transload.ports.Ingest` for a store that keeps what has arrived and can hash it again.

    A store adds `_append`, `_settle` and `abandon`, and passes the bytes of an earlier writer to `_verifier`.
    """

    def __init__(self, digest: Digest, size: int) -> None:
        self._verifier = Verifier(digest, size)

    @property
    def offset(self) -> int:
        """How many bytes are stored and hashed: the position of the next byte."""
        return self._verifier.seen

    def write(self, chunks: Iterable[Chunk]) -> None:
        """Hash and append each chunk. Raises `SizeMismatch` as soon as there are too many bytes; then all are dropped.

        An error of `chunks` passes through, and the bytes before it are kept.
        """
        for chunk in chunks:
            try:
                self._verifier.update(chunk)
            except CorruptError:
                self.abandon()
                raise
            self._append(chunk)

    def commit(self) -> None:
        """Check digest and size, then make the blob visible. Raises `DigestMismatch`, `SizeMismatch`.

        Wrong content is dropped, because it would be wrong on the next attempt too.
        """
        try:
            self._verifier.check()
            self._settle()
        except CorruptError:
            self.abandon()
            raise

    @abstractmethod
    def _append(self, chunk: Chunk) -> None:
        """Write a chunk after the stored bytes."""

    @abstractmethod
    def _settle(self) -> None:
        """Make the blob visible; its digest was checked already."""

    @abstractmethod
    def abandon(self) -> None:
        """Drop what has arrived."""
