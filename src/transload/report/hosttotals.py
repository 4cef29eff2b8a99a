"""What a run asked of one host, in numbers."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from transload.errors import Side


@frozen(kw_only=True)
class HostTotals:
    """Requests to one host and the bytes sent and received. `side` None: both sides, or neither (a token service)."""

    host: str
    requests: int
    bytes_received: int = 0
    bytes_sent: int = 0
    side: Side | None = None

    def to_json(self) -> dict[str, Any]:
        """One entry of `traffic`."""
        return {
            "host": self.host,
            "side": self.side,
            "requests": self.requests,
            "bytes_received": self.bytes_received,
            "bytes_sent": self.bytes_sent,
        }
