"""HTTP messages: requests and replies as values, and an answer whose body is still to be read."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Protocol

from urllib3 import BaseHTTPResponse

from transload.errors import LimitExceeded, ProtocolTrouble, Side, TransloadError
from transload.limits import MANIFEST_BYTES, PROBLEM_BYTES
from transload.net.address import Origin, redacted
from transload.net.backoff import RETRIED
from transload.net.coding import unpacked
from transload.net.flight import Flight
from transload.net.host import CROWDED
from transload.net.pace import Meter
from transload.net.slots import Lane
from transload.net.traffic import Asked
from transload.ports import Chunk
from transload.threads import Cancellation
from transload.values import field, frozen

CHUNK = 768 << 10
"""Bodies are passed on in pieces of at most this many bytes."""
_WHOLE = 64 << 10
_FRAME = 16 << 10
"""The same for a body without a length (chunked): a piece is passed on only when all of it is there."""


class Gauge(Protocol):
    """What wants to know how a host takes the bodies that are asked of it, whichever host it was in the end."""

    def answered(self, after_s: float) -> None:
        """A useful answer began, so many seconds after the request."""
        ...

    def crowded(self) -> None:
        """The host has too much to do (429, 503)."""
        ...


def tell(gauge: Gauge, lane: Lane, status: int, after_s: float) -> None:
    """Tell of an answer. A redirect tells nothing of who sends the body; after a sent body its size counts most."""
    if status in CROWDED:
        gauge.crowded()
    elif status < 300 and lane == "read":
        gauge.answered(after_s)


@frozen
class HttpRequest:
    """One HTTP request. `doing` describes it for people (in errors), `purpose` in one word (in the counts).

    `body` is bytes, or chunks with their total `length` in bytes. Chunks can be sent only once, so `retried` must be
    False then. `limit` is the most bytes of a body that `Http.ask` accepts. `retried`: whether asking again does no
    harm. `registry` is the registry for which another host is asked: a token server, or storage. `side` is the side of
    the copy, whose limit on the rate counts then. With `ends_early`, a body without a length ends by itself when the
    run is cancelled, so that the request is complete. `asked` counts the requests of the store that asks; `gauge` is
    told of the answers. `cancellation` ends this request alone (see `Http.cut`); it lies within that of the `Http`.
    With `give_way`, it fails while too many other requests are under way, rather than wait; and this is called when a
    small request needs its slot (see `Slots.hold`). `look` is called now and then while the host has to act next.
    """

    method: str
    url: str
    doing: str
    purpose: str
    headers: Mapping[str, str] = field(factory=dict, repr=False, kw_only=True)
    body: bytes | Iterable[Chunk] | None = field(default=None, repr=False, kw_only=True)
    length: int | None = field(default=None, kw_only=True)
    lane: Lane = field(default="small", kw_only=True)
    retried: bool = field(default=True, kw_only=True)
    limit: int = field(default=MANIFEST_BYTES, kw_only=True)
    registry: Origin | None = field(default=None, kw_only=True)
    side: Side | None = field(default=None, kw_only=True)
    ends_early: bool = field(default=False, kw_only=True)
    asked: Asked | None = field(default=None, repr=False, eq=False, kw_only=True)
    gauge: Gauge | None = field(default=None, repr=False, kw_only=True)
    give_way: Callable[[], None] | None = field(default=None, kw_only=True, repr=False, eq=False)
    cancellation: Cancellation | None = field(default=None, kw_only=True, repr=False, eq=False)
    look: Callable[[], None] | None = field(default=None, kw_only=True, repr=False, eq=False)


@frozen
class Reply:
    """A whole answer: status, headers (any case), body, and the URL it came from, after redirects.

    `by_proxy`: a proxy saw the request, and may have answered itself. `is_last`: the host is given up and gets no more
    requests.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str = field(repr=redacted)
    by_proxy: bool = field(default=False, kw_only=True)
    is_last: bool = field(default=False, kw_only=True)

    @property
    def origin(self) -> Origin:
        """The server that answered."""
        return Origin.of(self.url)

    @property
    def content_type(self) -> str:
        """The media type without parameters, lower case; empty if there is none."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


class Answer:
    """An answer whose body is still on the wire. `Http.stream` makes it and closes it."""

    def __init__(
        self,
        response: BaseHTTPResponse,
        *,
        url: str,
        held: ExitStack,
        translate: Callable[[BaseException], TransloadError | None],
        received: Callable[[int], None],
        cancellation: Cancellation,
        flight: Flight,
        meter: Meter | None = None,
        by_proxy: bool = False,
    ) -> None:
        self.by_proxy = by_proxy
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.url = url
        self._response = response
        self._held = held
        self._translate = translate
        self._received = received
        self._cancellation = cancellation
        self._flight = flight
        self._meter = meter

    def chunks(self, size: int = CHUNK, check: Callable[[], None] | None = None) -> Iterator[Chunk]:
        """The body as it comes from the wire, in pieces of at most `size` bytes, which may be views of one buffer.

        Raises what `Http` raises, also in the middle of the body. After each piece, `check` may raise `Interrupted`;
        without it, that is done as soon as the request is cancelled.
        """
        check = check or self._cancellation.check
        size = min(size, _FRAME) if getattr(self._response, "chunked", False) else size
        size = min(size, self._meter.piece) if self._meter else size
        read = partial(next, self._response.stream(size, decode_content=False), None)
        try:
            while True:
                chunk = self._metered(size, read)
                if chunk is None:
                    break
                self._received(len(chunk))
                yield chunk  # also when all is to end: what has arrived can be kept
                check()
            self._landed()
        except Exception as error:  # `_translate` knows foreign errors; all others pass
            translated = self._translate(error)
            if translated is None:
                raise
            raise translated from error

    def _metered(self, size: int, read: Callable[[], Chunk | None]) -> Chunk | None:
        """What `read` gives: at most `size` bytes, which are paid for before, or nothing at the end.

        Only this time is the host's; what we or the caller take before and afterwards is not.
        """
        meter = self._meter
        if meter is not None:
            meter.take(size)
        self._flight.resume()
        piece = None
        try:
            piece = read()
        finally:
            if meter is not None:
                meter.give_back(size - len(piece or b""))
        self._flight.pause()
        return piece

    @property
    def head(self) -> Reply:
        """What is known before the body is read."""
        return Reply(self.status, self.headers, b"", self.url, by_proxy=self.by_proxy)

    def reply(self, limit: int) -> Reply:
        """Read the whole body and close. An error's body is cut at its limit; any other raises `LimitExceeded`."""
        try:
            body = self._read(limit if self.status < 400 else PROBLEM_BYTES)
        finally:
            self.close()
        return Reply(self.status, self.headers, body, self.url, by_proxy=self.by_proxy, is_last=self._flight.is_last)

    def _read(self, limit: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        most = min(_WHOLE, self._meter.piece) if self._meter else _WHOLE
        is_empty = self._response.closed  # as most answers to uploads are: no time is spent on reading nothing
        if not is_empty:
            self._flight.resume()
        try:
            while not is_empty and size <= limit and (part := self._part(min(most, limit + 1 - size))):
                parts.append(bytes(part))  # a copy: it may be a view of a buffer that is used again
                size += len(part)
            self._landed()
        except Exception as error:  # `_translate` knows foreign errors; all others pass
            translated = self._translate(error)
            if translated is None:
                raise
            if self.status >= 400 and self._flight.verdict is None:  # the status matters more than a broken explanation
                return b"".join(parts)
            raise translated from error
        finally:
            self._received(size)
        body = b"".join(parts)
        if size <= limit:
            body = self._unpacked(body, limit)
        if len(body) > limit and self.status < 400:
            raise LimitExceeded(f"{redacted(self.url)} answers with more than {limit} bytes")
        return body[:limit]

    def _part(self, size: int) -> Chunk:
        if self._meter is None:
            part: Chunk = self._response.read(size)
            return part
        self._flight.pause()
        return self._metered(size, partial(self._response.read, size)) or b""

    def _unpacked(self, body: bytes, limit: int) -> bytes:
        coding = self.headers.get("Content-Encoding", "")
        try:
            return unpacked(body, coding, limit)
        except zlib.error as error:
            if self.status >= 400:
                return b""
            raise ProtocolTrouble(
                f"{redacted(self.url)} answers with a damaged or incomplete {coding.strip()[:20]!r} body: {error}"
            ) from error

    def _landed(self) -> None:
        """The body is complete, unless the connection was cut: a body without a length ends then too."""
        if self._flight.verdict is not None:
            raise ConnectionResetError
        if self.status not in RETRIED:
            self._flight.landed()

    def pass_on(self) -> None:
        """A redirect: a useful answer whose body is not read."""
        self._flight.landed()
        self.close()

    def close(self) -> None:
        """Give the slot back. A connection with unread bytes is closed."""
        if self._response.closed:
            self._response.release_conn()
        self._response.close()
        self._held.close()
