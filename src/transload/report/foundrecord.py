"""A transfer record as it was found: at an image, in a bundle, in a file. Nothing in it is believed by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transload.oci import Digest
from transload.values import field, frozen


@frozen(kw_only=True)
class FoundRecord:
    """A transfer record as it was found. Nothing in it is proved unless `verified` is true.

    `digest` is that of the artifact, or of the file. `signed_by` are the keys that it names. `verified` says whether
    the key that was given signed it; None if no key was given. `problem` says why it does not count, `record` is its
    predicate (docs/formats/transfer-record.md), empty if it cannot be read. `carried` means that it is of another
    target, and came along with the image.
    """

    digest: Digest
    signed_by: tuple[str, ...] = ()
    verified: bool | None = None
    problem: str | None = None
    record: Mapping[str, Any] = field(factory=dict, hash=False)
    carried: bool = False

    def to_json(self) -> dict[str, Any]:
        """One entry of `records` (docs/formats/json-output.md)."""
        return {
            "digest": self.digest,
            "signed_by": list(self.signed_by),
            "verified": self.verified,
            "problem": self.problem,
            "carried": self.carried,
            "record": dict(self.record),
        }
