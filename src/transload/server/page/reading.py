"""Reads content for pages: bounded, and checked against its digest, since a page must not show what is damaged."""

from __future__ import annotations

from transload.errors import DigestMismatch
from transload.oci import Descriptor, Digest
from transload.ports import Source
from transload.wording import in_words


class NotShown(Exception):
    """A page does not show this content. The message says why, as the end of a sentence, and names no place here."""


def content_of(store: Source, repository: str, blob: Descriptor, limit: int) -> bytes:
    """The bytes of a blob. Raises `NotShown` before the first byte of a larger one, and what reading raises."""
    if blob.size > limit:
        raise NotShown(f"it has {in_words(blob.size)}, and a page shows at most {in_words(limit)}")
    with store.open(repository, blob) as chunks:
        raw = b"".join(map(bytes, chunks))
    if Digest.of(raw, blob.digest.algorithm) != blob.digest:
        raise DigestMismatch(f"blob {blob.digest.short} has other bytes than its digest says", subject=blob.digest)
    return raw
