"""Reads a large blob: on one connection, or on several where one is slower than the line.

It begins on one, so a blob that comes fast costs one request. If bytes are waited for, others read what follows (see
`together`), until that is the end, helps no more, or the server refuses parts. Then one goes on where they stopped.
Where several connections are known to be faster, the others begin at once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from transload.errors import Interrupted
from transload.limits import READ_IN_PARTS, SEGMENT_LEAST_BYTES
from transload.net.messages import CHUNK
from transload.oci import Descriptor, Digest
from transload.ports import Chunk
from transload.registry.api import Api
from transload.registry.download import Download
from transload.registry.experience import NO_HELP, Experience
from transload.registry.level import FAR_S
from transload.threads import Cancellation

if TYPE_CHECKING:
    from transload.registry.overtaking import Overtaking
    from transload.registry.together import Together

LEAST_BYTES = 2 << 20
"""Of smaller blobs, or rests of blobs, none is read on several connections: other blobs are waiting."""
_DISTANCES = ((FAR_S, 0.0, LEAST_BYTES), (0.01, 0.1, LEAST_BYTES), (0.0, 0.25, 4 * LEAST_BYTES))
"""By the seconds until an answer: how much waiting is measured at a time, and from how many bytes on several
connections are of use. Nearby, one busy moment is no sign."""
_FAST = 100e6  # bytes a second: what brings so much, no server slows down; it is a line of 1 Gbit/s
_WAITS = 0.5  # share of the time that has to be waited for bytes
_WORTH_S = 0.75  # that the rest takes on one connection …
_ROUND_TRIPS = 6  # … and how many waits for an answer: there are three before others bring their first bytes
_OTHERS_COME, _PARTS_FOLLOW = 2, 3  # waits until others bring their first bytes: usually, and at most
_WHOLE_S = 0.25  # a piece that takes longer is handed on before it is whole (`net.connection`)
_HARM = 0.1  # several connections that bring less than this share of what one did are given up at once
_DOUBTS = 3  # times that one connection is tried again in the middle of a blob, since several seemed no faster


class Readings:
    """What all readings of one registry know of it: how fast connections are, and which blobs came in parts."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._in_parts: dict[Digest, None] = {}
        self.known = Experience(lambda: api.reading.nearest_s)

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
        self._together: Together | None = None
        self._others_at = end
        self._doubts = 0
        self._alone: float | None = None
        self._several: float | None = None
        """The bytes a second that several connections brought, if that seemed no faster than one."""
        self._until = end
        self._overtaking: Overtaking | None = None
        self._download = self._rest()

    def begin(self) -> None:
        """See `Download`."""
        self._begin_together()
        self._begin_one()

    def _begin_one(self) -> None:
        clock = self._api.http.clock
        began_s = clock.monotonic_s()
        try:
            self._download.begin()
        except Interrupted:
            self._anew()
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
                self._begin_one()
                yield from self._on_one()

    def close(self) -> None:
        """Give all connections back."""
        self._download.close()
        if self._together is not None:
            self._together.close()

    def _rest(self, end: int | None = None) -> Download:
        self._token = Cancellation.within(self._api.http.cancellation)
        return Download(
            api=self._api,
            repository=self._repository,
            descriptor=self._descriptor,
            offset=self._at,
            end=self._end if end is None else end,
            check=self._check,
            token=self._token,
            look=self._look,
        )

    def _look(self) -> None:
        """The next bytes are waited for. End the connection that they should come on if others bring them sooner."""
        others_go_on = self._together is not None and self._api.capabilities.ranges
        if self._overtaking and self._overtaking.is_due(self._at, self._first_until if others_go_on else self._at):
            self._api.http.cut(self._token)

    @property
    def _first_until(self) -> int:
        """Where others read on, or the end."""
        return min(self._until, self._others_at)

    def _check(self) -> None:
        """Raise `Interrupted` if the run is to end, unless others have brought what follows soon."""
        cancellation = self._api.http.cancellation
        if cancellation.cancelled and not (self._together and self._together.waits_for(self._first_until - self._at)):
            cancellation.check()

    # --- on one connection

    def _on_one(self) -> Iterator[Chunk]:
        """Bytes of the download, to its end or to where others have begun. Others begin if this one is slow."""
        clock = self._api.http.clock
        chunks, waited_s, began_s = self._download.chunks(), 0.0, clock.monotonic_s()
        since, self._until, first, first_s = self._at, self._others_at, self._at, began_s
        window_s, _ = self._by_distance
        while True:
            asked_s = clock.monotonic_s()
            try:
                chunk = next(chunks, None)
            except Interrupted:
                self._anew()
                chunks = self._download.chunks()
                continue
            if chunk is None:
                if self._at < self._end:  # not asked for: others began with this one
                    self._goes_on()
                return
            now_s = clock.monotonic_s()
            waited_s += now_s - asked_s
            if len(chunk) >= self._until - self._at and self._until < self._end:
                chunk, rest = memoryview(chunk)[: self._until - self._at], memoryview(chunk)[self._until - self._at :]
                if len(chunk):
                    self._at += len(chunk)
                    yield chunk
                if self._goes_on():
                    self._download.close()
                    return
                chunk, self._until = rest, self._end
                since, waited_s, began_s = self._at, 0.0, clock.monotonic_s()
            self._at += len(chunk)
            yield chunk
            if self._together is None and waited_s >= window_s:
                now_s = clock.monotonic_s()
                self._settle_doubt(self._at - first, now_s - first_s)
                if waited_s > _WAITS * (now_s - began_s):
                    brought = self._at - since
                    self._until = self._measured(brought / waited_s, alone=brought / (now_s - began_s))
                since, waited_s, began_s = self._at, 0.0, now_s

    def _anew(self) -> None:
        """Ask on another connection for what the first one should have brought. Raises `Interrupted` if all ends."""
        if self._api.http.cancellation.cancelled or not self._token.cancelled:
            raise Interrupted("interrupted")
        self._download.close()
        self._download = self._rest(self._first_until)
        self._begin_one()

    def _measured(self, rate: float, *, alone: float) -> int:
        if rate < _FAST:
            self._known.rates.append(rate)
        return self._spread(rate, alone)

    @property
    def _by_distance(self) -> tuple[float, int]:
        return next((window_s, least) for from_s, window_s, least in _DISTANCES if self._known.latency_s >= from_s)

    def _settle_doubt(self, count: int, took_s: float) -> None:
        """Several connections seemed no faster than one. See what one brings now: the line may have been busy."""
        if self._several is None or took_s < self._known.judged_s:
            return
        self._tries = self._several > NO_HELP * count / took_s
        self._several = None
        if not self._tries:
            self._api.capabilities.learn("faster_in_parts", False)

    def _begin_together(self) -> None:
        """Let others begin with the first request, where this is known to be faster, or likely since it is far away."""
        capabilities, reading = self._api.capabilities, self._api.reading
        known = capabilities.ranges and capabilities.faster_in_parts
        if known or (reading.is_far and reading.spare > 1):
            self._api.reading.enter()  # for the one that is not under way yet, so that the others leave it a place
            try:
                self._others_at = self._spread(self._known.rate, at_once=True)
            finally:
                self._api.reading.leave()
            if known:
                self._download = self._rest(self._others_at)  # no more, so that its connection can be used again

    def _spread(self, rate: float | None, alone: float | None = None, *, at_once: bool = False) -> int:
        """Let others read what follows, if that is worth it and allowed. Returns where they begin; the end if not.

        `rate` is what one connection brings, None if that is not known; `alone` with the time that it waited for us.
        Others begin `at_once` with this one, or after it.
        """
        latency_s, left, guess = self._known.latency_s, self._end - self._at, rate or self._known.expected_rate
        share = left // (1 + max(1, self._api.reading.spare))
        alone_s = 0.0 if at_once else _OTHERS_COME * latency_s
        follows = min(share + guess * alone_s, _PARTS_FOLLOW * guess * latency_s)
        begins = self._at + _to_a_chunk(max(SEGMENT_LEAST_BYTES, int(follows)), guess)
        _, least = self._by_distance
        worth = left >= least and left / guess >= max(_WORTH_S, _ROUND_TRIPS * latency_s)
        limit = self._api.http.settings.limits.lowest
        if not (worth and self._tries and guess < _FAST) or (limit is not None and guess > limit / 2):
            return self._end
        if self._api.capabilities.rules_out("ranges") or self._api.capabilities.rules_out("faster_in_parts"):
            self._tries = False
            return self._end
        from transload.registry.overtaking import Overtaking  # few runs need them
        from transload.registry.together import Together

        self._alone, self._overtaking = alone, Overtaking(self._api.http.clock, self._known)
        self._together = Together(
            api=self._api, repository=self._repository, descriptor=self._descriptor, start=begins, end=self._end,
            known=self._known, alone=alone,
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
        together, self._together, self._others_at = self._together, None, self._end
        if together is not None:
            together.close()

    # --- on several

    def _on_several(self, together: Together) -> Iterator[Chunk]:
        """Bytes that others bring, as long as they do."""
        judged = False
        for chunk in together.chunks():
            if len(chunk):
                self._at += len(chunk)
                yield chunk
            if not judged and (helps := together.helps) is not None:
                judged = True
                if helps:
                    self._api.capabilities.learn("faster_in_parts", True)
                elif self._doubts < _DOUBTS:
                    self._tries, self._doubts, self._several = False, self._doubts + 1, together.rate
                    if self._alone is not None and together.rate < _HARM * self._alone:
                        break  # what they have begun would take long, too
                    together.dissolve()
        self._tries &= not together.is_refused
        if self._at >= self._end:
            self._readings.came_in_parts(self._descriptor.digest)
        self._give_up()


def _to_a_chunk(ahead: int, rate: float) -> int:
    """Where others begin, so many bytes ahead: if pieces come whole, at the end of one: the rest is lost."""
    return -(-ahead // CHUNK) * CHUNK if rate * _WHOLE_S >= CHUNK else ahead
