"""What ingests of local stores have in common: bytes are hashed as they come, and wrong ones are dropped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from transload.errors import CorruptError
from transload.oci import Digest, Verifier
from transload.ports import Chunk


class HashedIngest(ABC):
    """The rules of `transload.ports.Ingest` for a store that keeps what has arrived and can hash it again.

    A store gives `_append`, `_settle` and `abandon`, and passes what an earlier writer left to `_verifier`.
    """

    def __init__(self, digest: Digest, size: int) -> None:
        self._verifier = Verifier(digest, size)

    @property
    def offset(self) -> int:
        """How many bytes are there and hashed: where the next byte belongs."""
        return self._verifier.seen

    def write(self, chunks: Iterable[Chunk]) -> None:
        """Hash and append each chunk. Raises `SizeMismatch` as soon as there are too many bytes; then all are dropped.

        An error of `chunks` passes through, and what came before it stays.
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

        Wrong content is dropped: to take it up again would be wrong too.
        """
        try:
            self._verifier.check()
            self._settle()
        except CorruptError:
            self.abandon()
            raise

    @abstractmethod
    def _append(self, chunk: Chunk) -> None:
        """Write a chunk behind what is there."""

    @abstractmethod
    def _settle(self) -> None:
        """Make the blob visible; its bytes were the right ones when they came."""

    @abstractmethod
    def abandon(self) -> None:
        """Drop what has arrived."""
