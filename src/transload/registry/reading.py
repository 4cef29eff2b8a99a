"""Reads a large blob: on one connection, or on several where one is slower than the line.

It begins on one, so a blob that comes fast costs one request. If bytes are waited for, others read what follows (see
`together`), until that is the end, helps no more, or the server refuses parts. Then one goes on where they stopped.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from transload.limits import READ_IN_PARTS, SEGMENT_LEAST_BYTES
from transload.oci import Descriptor, Digest
from transload.ports import Chunk
from transload.registry.api import Api
from transload.registry.download import Download
from transload.registry.together import Experience, Together

LEAST_BYTES = 8 << 20
"""Of smaller blobs, or rests of blobs, none is read on several connections: other blobs are waiting."""
_WINDOW_S = 0.25  # of waiting, which is measured at a time
_FAST = 100e6  # bytes a second: what brings so much, no server slows down; it is a line of 1 Gbit/s
_WAITS = 0.5  # share of the time that has to be waited for bytes
_WORTH_S = 0.75  # that the rest takes on one connection …
_ROUND_TRIPS = 6  # … and how many waits for an answer: there are three before others bring their first bytes
_PARTS_FOLLOW = 3


class Readings:
    """What all readings of one registry know of it: how fast connections are, and which blobs came in parts."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._in_parts: dict[Digest, None] = {}
        self.known = Experience()

    def of(self, repository: str, descriptor: Descriptor, offset: int, end: int) -> Download | Reading:
        """A reading of a blob from `offset` to before `end`."""
        with self._lock:
            again = descriptor.digest in self._in_parts
        if descriptor.is_manifest or end - offset < LEAST_BYTES or again:
            return Download(api=self._api, repository=repository, descriptor=descriptor, offset=offset, end=end)
        return Reading(self, api=self._api, repository=repository, descriptor=descriptor, offset=offset, end=end)

    def came_in_parts(self, digest: Digest) -> None:
        """A blob came to its end in parts. If it is asked for again, something may have been wrong with them."""
        with self._lock:
            self._in_parts[digest] = None
            if len(self._in_parts) > READ_IN_PARTS:
                del self._in_parts[next(iter(self._in_parts))]


class Reading:
    """One reading of a large blob, like a `Download`: `begin`, then `chunks`; always `close`."""

    def __init__(
        self, readings: Readings, *, api: Api, repository: str, descriptor: Descriptor, offset: int, end: int
    ) -> None:
        self._readings = readings
        self._known = readings.known
        self._api = api
        self._repository = repository
        self._descriptor = descriptor
        self._at = offset
        self._end = end
        self._tries = True
        self._download = self._rest()
        self._together: Together | None = None

    def begin(self) -> None:
        """See `Download`."""
        clock = self._api.http.clock
        began_s = clock.monotonic_s()
        self._download.begin()
        if not self._known.latencies_s:
            self._known.latencies_s.append(clock.monotonic_s() - began_s)

    def chunks(self) -> Iterator[Chunk]:
        """The bytes. What fails is tried again as `Download` does."""
        yield from self._on_one()
        while self._at < self._end:
            if self._together is not None:
                yield from self._on_several(self._together)
            if self._at < self._end:
                self._download = self._rest()
                self.begin()
                yield from self._on_one()

    def close(self) -> None:
        """Give all connections back."""
        self._download.close()
        if self._together is not None:
            self._together.close()

    def _rest(self) -> Download:
        return Download(
            api=self._api, repository=self._repository, descriptor=self._descriptor, offset=self._at, end=self._end
        )

    # --- on one connection

    def _on_one(self) -> Iterator[Chunk]:
        """Bytes of the download, to its end or to where others have begun."""
        clock = self._api.http.clock
        chunks, waited_s, began_s = self._download.chunks(), 0.0, clock.monotonic_s()
        since, until = self._at, self._end
        while True:
            asked_s = clock.monotonic_s()
            chunk = next(chunks, None)
            if chunk is None:
                return
            now_s = clock.monotonic_s()
            waited_s += now_s - asked_s
            if len(chunk) >= until - self._at and until < self._end:
                chunk, rest = memoryview(chunk)[: until - self._at], memoryview(chunk)[until - self._at :]
                if len(chunk):
                    self._at += len(chunk)
                    yield chunk
                if self._goes_on():
                    self._download.close()
                    return
                chunk, until = rest, self._end
            self._at += len(chunk)
            yield chunk
            if until == self._end and waited_s >= _WINDOW_S:
                waits = waited_s > _WAITS * (clock.monotonic_s() - began_s)
                until = self._spread((self._at - since) / waited_s) if waits else until
                since, waited_s, began_s = self._at, 0.0, clock.monotonic_s()

    def _spread(self, rate: float) -> int:
        """Let others read what follows, if that is worth it and allowed. Returns where they begin; the end if not."""
        latency_s, left = self._known.latency_s, self._end - self._at
        begins = self._at + max(SEGMENT_LEAST_BYTES, int(_PARTS_FOLLOW * rate * latency_s))
        worth = left >= LEAST_BYTES and left / rate >= max(_WORTH_S, _ROUND_TRIPS * latency_s)
        limit = self._api.http.settings.limits.lowest
        if not (worth and self._tries and rate < _FAST) or (limit is not None and rate > limit / 2):
            return self._end
        if self._api.capabilities.rules_out("ranges") or self._api.capabilities.rules_out("faster_in_parts"):
            self._tries = False
            return self._end
        self._known.rates.append(rate)
        self._together = Together(
            api=self._api, repository=self._repository, descriptor=self._descriptor, start=begins, end=self._end,
            known=self._known, alone=rate,
        )  # fmt: skip
        if self._together.staff():
            return begins
        self._give_up()
        return self._end

    def _goes_on(self) -> bool:
        """Whether others go on from here. If not, the download does, which asked for everything."""
        if self._together is not None and self._together.await_confirmation():
            return True
        self._tries = False
        self._give_up()
        return False

    def _give_up(self) -> None:
        together, self._together = self._together, None
        if together is not None:
            together.close()

    # --- on several

    def _on_several(self, together: Together) -> Iterator[Chunk]:
        """Bytes that others bring, as long as they do."""
        judged = False
        for chunk in together.chunks():
            self._at += len(chunk)
            yield chunk
            if not judged and (helps := together.helps) is not None:
                judged = True
                self._api.capabilities.learn("faster_in_parts", helps)
                if not helps:
                    self._tries = False
                    together.dissolve()
        self._tries &= not together.is_refused
        if self._at >= self._end:
            self._readings.came_in_parts(self._descriptor.digest)
        self._give_up()
