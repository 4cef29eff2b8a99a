"""What is known of the text of a ledger, which is made piece by piece and kept nowhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from transload.oci import Digest
from transload.strictjson import values_in
from transload.values import frozen


@frozen
class LedgerText:
    """The digest of a text, its length in bytes, and how many values begin in it."""

    digest: Digest
    size: int
    values: int

    @classmethod
    def of(cls, pieces: Iterable[bytes]) -> LedgerText:
        """What is known of a text when it has passed by."""
        hasher, size, values = hashlib.sha256(), 0, 0
        for piece in pieces:
            hasher.update(piece)
            size += len(piece)
            values += values_in(piece)
        return cls(Digest(f"sha256:{hasher.hexdigest()}"), size, values)
