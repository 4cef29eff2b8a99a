"""Counts what goes over the wire: requests, bytes, retries, in total and per host. Safe for threads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

from transload.threads import AHEAD
from transload.values import define, field, frozen


@define
class _Sums:
    requests: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    retries: int = 0
    kinds: Counter[str] = field(factory=Counter)


@frozen
class HostTraffic:
    """What was sent to and received from one host. Bytes are those of bodies only.

    `kinds` are the requests by method and purpose: `{"GET blob": 3}`.
    """

    requests: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    retries: int = 0
    kinds: Mapping[str, int] = field(factory=dict, hash=False, kw_only=True)

    def since(self, before: HostTraffic) -> HostTraffic:
        """What has come since `before`."""
        return HostTraffic(
            self.requests - before.requests,
            self.bytes_received - before.bytes_received,
            self.bytes_sent - before.bytes_sent,
            self.retries - before.retries,
            kinds=Counter(self.kinds) - Counter(before.kinds),
        )


class Asked:
    """The requests that were sent for one store, by method and purpose. Tokens and redirects count, too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kinds: Counter[tuple[str, str]] = Counter()
        self._ahead = 0

    @property
    def total(self) -> int:
        """All requests so far, without those of steps that began before their plan was complete."""
        return sum(self.kinds().values()) - self._ahead

    def kinds(self) -> Counter[tuple[str, str]]:
        """Requests by method and purpose: `{("GET", "blob"): 3}`."""
        with self._lock:
            return Counter(self._kinds)

    def note(self, method: str, purpose: str) -> None:
        """A request was sent."""
        with self._lock:
            self._kinds[method, purpose] += 1
            self._ahead += getattr(AHEAD, "now", False)


class Traffic:
    """Running sums. Every HTTP request that was sent counts, also redirects and token requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = _Sums()
        self._hosts: dict[str, _Sums] = {}
        self._kinds: Counter[tuple[str, str]] = Counter()

    @property
    def requests(self) -> int:
        """Requests sent."""
        return self._total.requests

    @property
    def bytes_received(self) -> int:
        """Bytes of answers' bodies."""
        return self._total.bytes_received

    @property
    def bytes_sent(self) -> int:
        """Bytes of requests' bodies."""
        return self._total.bytes_sent

    @property
    def retries(self) -> int:
        """Requests that were repeated after a failure."""
        return self._total.retries

    def hosts(self) -> dict[str, HostTraffic]:
        """The sums per `host[:port]`."""
        with self._lock:
            return {
                host: HostTraffic(
                    sums.requests, sums.bytes_received, sums.bytes_sent, sums.retries, kinds=dict(sums.kinds)
                )
                for host, sums in self._hosts.items()
            }

    def host(self, netloc: str) -> HostTraffic:
        """The sums of one `host[:port]`."""
        return self.hosts().get(netloc, HostTraffic())

    def kinds(self) -> dict[tuple[str, str], int]:
        """Requests by method and purpose: `{("GET", "blob"): 3}`."""
        with self._lock:
            return dict(self._kinds)

    def add(self, netloc: str, more: HostTraffic) -> None:
        """Count what other processes sent to a host, and received from it."""
        with self._lock:
            self._kinds.update({_method_and_purpose(kind): number for kind, number in more.kinds.items()})
            for sums in (self._total, self._of(netloc)):
                sums.requests += more.requests
                sums.bytes_received += more.bytes_received
                sums.bytes_sent += more.bytes_sent
                sums.retries += more.retries
                sums.kinds.update(more.kinds)

    def asked(self, netloc: str, method: str, purpose: str) -> None:
        """A request is being sent."""
        with self._lock:
            self._kinds[method, purpose] += 1
            for sums in (self._total, self._of(netloc)):
                sums.requests += 1
                sums.kinds[f"{method} {purpose}"] += 1

    def received(self, netloc: str, size: int) -> None:
        """Bytes of a body arrived."""
        with self._lock:
            for sums in (self._total, self._of(netloc)):
                sums.bytes_received += size

    def sent(self, netloc: str, size: int) -> None:
        """Bytes of a body were sent."""
        with self._lock:
            for sums in (self._total, self._of(netloc)):
                sums.bytes_sent += size

    def retried(self, netloc: str) -> None:
        """A request is about to be repeated."""
        with self._lock:
            for sums in (self._total, self._of(netloc)):
                sums.retries += 1

    def _of(self, netloc: str) -> _Sums:
        return self._hosts.setdefault(netloc, _Sums())


def _method_and_purpose(kind: str) -> tuple[str, str]:
    method, _, purpose = kind.partition(" ")
    return method, purpose
