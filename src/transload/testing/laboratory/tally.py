"""What passed through the laboratory: requests, and bytes by blob."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

from transload.testing.laboratory.exchange import Asked
from transload.values import define, field


@define
class Seen:
    """A request, in the order of arrival. Its status is 0 until it was answered to the end, and if that never came."""

    method: str
    kind: str
    target: str
    status: int = 0


@define
class Tally:
    """Counts of requests and of bytes of bodies. It is read when all is quiet, or for what only grows.

    `fetched` counts the bytes of each blob that went to clients, by digest. `received` counts the bytes of each upload
    session, by the path of its address; `uploads` has the digest of each session that a client has closed.
    """

    requests: list[Seen] = field(factory=list)
    fetched: Counter[str] = field(factory=Counter)
    received: Counter[str] = field(factory=Counter)
    uploads: dict[str, str] = field(factory=dict)
    struck: Counter[str] = field(factory=Counter)
    _lock: threading.Lock = field(factory=threading.Lock, repr=False, eq=False)

    @property
    def bytes_fetched(self) -> int:
        """Bytes of all blobs that went to clients."""
        return sum(self.fetched.values())

    @property
    def bytes_received(self) -> int:
        """Bytes of all uploads that came from clients."""
        return sum(self.received.values())

    def by_kind(self) -> Counter[str]:
        """How many requests there were of each method and endpoint, as "GET blob"."""
        return Counter(f"{seen.method} {seen.kind}" for seen in list(self.requests))

    def uploaded(self) -> Counter[str]:
        """Bytes that came for each blob, by digest, in the sessions that were closed."""
        counts: Counter[str] = Counter()
        for session, digest in list(self.uploads.items()):
            counts[digest] += self.received[session]
        return counts

    def arrived(self, asked: Asked) -> Seen:
        """Count a request."""
        seen = Seen(asked.method, asked.route.kind, asked.target)
        with self._lock:
            self.requests.append(seen)
        return seen

    def outward(self, asked: Asked, body: Iterator[bytes]) -> Iterator[bytes]:
        """The body of an answer; its bytes are counted once they went out."""
        if asked.method != "GET" or asked.route.kind != "blob":
            yield from body
            return
        digest = asked.route.reference
        for piece in body:
            yield piece
            with self._lock:
                self.fetched[digest] += len(piece)

    def inward(self, asked: Asked, body: Iterator[bytes]) -> Iterator[bytes]:
        """The body of a request; its bytes are counted as they come."""
        digest = "".join(asked.query.get("digest", ())[:1])
        session = asked.path if asked.route.kind == "upload" else f"{asked.path}{digest}"
        if asked.route.kind not in {"upload", "uploads"}:
            yield from body
            return
        if digest and asked.method in {"PUT", "POST"}:
            with self._lock:
                self.uploads[session] = digest
        for piece in body:
            with self._lock:
                self.received[session] += len(piece)
            yield piece
