"""The wires that a copy is measured over, by name: how long they are, how fast, how reliable."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

MB = 1e6


@frozen(kw_only=True)
class Profile:
    """One kind of wire. A rate of 0 means: as fast as the machine.

    `connection_rate` is what each direction of each connection has for itself, in bytes per second, as long wires
    behave where loss or a window limits a stream; `line_rate` is what all connections share, in each direction.
    `reset_share` is the share of exchanges that end with a reset of their connection.
    """

    name: str
    told: str
    round_trip_s: float = 0.0
    connection_rate: float = 0.0
    line_rate: float = 0.0
    reset_share: float = 0.0

    @property
    def way_s(self) -> float:
        """Seconds from one end to the other."""
        return self.round_trip_s / 2

    @property
    def is_bare(self) -> bool:
        """Whether nothing stands in between."""
        return not (self.round_trip_s or self.connection_rate or self.line_rate or self.reset_share)


LOOPBACK = Profile(name="loopback", told="nothing in between")
LAN = Profile(name="lan", told="1 ms, 1 Gbit/s for all connections", round_trip_s=0.001, line_rate=125 * MB)
FAR = Profile(name="far", told="40 ms, 20 MB/s a connection", round_trip_s=0.040, connection_rate=20 * MB)
SATELLITE = Profile(name="satellite", told="600 ms, 2 MB/s a connection", round_trip_s=0.6, connection_rate=2 * MB)
FLAKY = Profile(
    name="flaky",
    told="20 ms, 20 MB/s a connection, 5 % of exchanges reset",
    round_trip_s=0.020,
    connection_rate=20 * MB,
    reset_share=0.05,
)
PROFILES = {profile.name: profile for profile in (LOOPBACK, LAN, FAR, SATELLITE, FLAKY)}


def longest_chain(spans: Iterable[tuple[float, float]]) -> int:
    """The most spans that follow each other, each begun when the one before was over.

    With the span of each exchange (asked until the answer begins) this is the number of round trips in sequence.
    """
    count, free_s = 0, float("-inf")
    for began_s, ended_s in sorted(spans, key=lambda span: span[1]):
        if began_s >= free_s:
            count, free_s = count + 1, ended_s
    return count


def bulk_s(came: Iterable[tuple[float, int]]) -> float:
    """The seconds in which the middle 98 % of all bytes came: what bodies took, without the questions before them.

    `came` has moments and numbers of bytes, in order.
    """
    moments = list(came)
    whole, passed, began_s = sum(count for _, count in moments), 0, None
    for now_s, count in moments:
        passed += count
        if began_s is None and passed > 0.01 * whole:
            began_s = now_s
        if began_s is not None and passed >= 0.99 * whole:
            return now_s - began_s
    return 0.0
