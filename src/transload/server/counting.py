"""Counters of a served store: requests are part of what is promised, so they are counted where they arrive."""

from __future__ import annotations

from collections import Counter

from attrs import define, field, frozen


@frozen
class ServedTotals:
    """What was asked of a server so far. Bytes are those of bodies.

    `by_kind` counts by method and kind of endpoint, such as `("GET", "blob")`; `by_status` by the answer's status.
    """

    total: int
    by_kind: Counter[tuple[str, str]]
    by_status: Counter[int]
    bytes_sent: int
    bytes_received: int


@define
class Counts:
    """The running sums behind a `ServedTotals`; changed by the server's loop alone."""

    by_kind: Counter[tuple[str, str]] = field(factory=Counter)
    by_status: Counter[int] = field(factory=Counter)
    bytes_sent: int = 0
    bytes_received: int = 0

    def asked(self, method: str, kind: str) -> None:
        """A request has arrived."""
        self.by_kind[method, kind] += 1

    def snapshot(self) -> ServedTotals:
        """The sums as they are now."""
        by_kind = self.by_kind.copy()
        return ServedTotals(by_kind.total(), by_kind, self.by_status.copy(), self.bytes_sent, self.bytes_received)
