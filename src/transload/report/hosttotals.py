"""What a run asked of one host, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from transload.values import field, frozen

if TYPE_CHECKING:
    from transload.errors import Side


@frozen(kw_only=True)
class HostTotals:
    """Requests to one host and the bytes sent and received. `side` None: both sides, or neither (a token service).

    `by_purpose` has the requests by method and purpose: `{"GET blob": 3}`.
    """

    host: str
    requests: int
    bytes_received: int = 0
    bytes_sent: int = 0
    side: Side | None = None
    by_purpose: Mapping[str, int] = field(factory=dict, hash=False)

    def to_json(self) -> dict[str, Any]:
        """One entry of `traffic`."""
        return {
            "host": self.host,
            "side": self.side,
            "requests": self.requests,
            "by_purpose": dict(sorted(self.by_purpose.items())),
            "bytes_received": self.bytes_received,
            "bytes_sent": self.bytes_sent,
        }
