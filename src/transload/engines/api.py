"""The API of docker and podman on a socket: requests with streamed bodies, answers that are JSON, events or bytes.

Docker Engine API (https://docs.docker.com/reference/api/engine/); podman answers the same paths, and its own ones below
`/libpod` (https://docs.podman.io/en/latest/_static/api.html).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import Any
from urllib.parse import urlencode

from transload.engines.address import EngineAddress
from transload.engines.socket import EngineConnection
from transload.errors import (
    AccessDenied,
    NotFound,
    ProtocolTrouble,
    Refused,
    ServerTrouble,
    StorageFull,
    TransloadError,
    Unreachable,
)
from transload.limits import (
    ENGINE_ANSWER_BYTES,
    ENGINE_ANSWER_VALUES,
    ENGINE_EVENT_BYTES,
    ENGINE_EVENTS,
    PROBLEM_BYTES,
    PROBLEM_VALUES,
)
from transload.ports import Chunk
from transload.strictjson import NotJson, read_json

Query = Mapping[str, str] | Sequence[tuple[str, str]]
"""The parameters of a request; in a sequence, a name may be there more than once."""

STALL_S = 60.0
_READ_AT_ONCE = 256 << 10
_TEXT = 300
_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_BROKEN = (OSError, HTTPException)


class EngineApi:
    """Requests to one engine. A connection for each request: sockets of this machine cost nothing to open."""

    def __init__(
        self, address: EngineAddress, stall_s: float = STALL_S, check: Callable[[], None] = lambda: None
    ) -> None:
        """`check` is called while an answer is waited for, and may raise `Interrupted`."""
        self.address = address
        self._stall_s = stall_s
        self._check = check

    def value(self, method: str, path: str, query: Query | None = None, doing: str = "asking") -> Any:
        """The JSON value that the engine answers; None for an empty answer. Raises like `ask`."""
        with self.ask(method, path, query, doing=doing) as answer:
            return answer.value()

    @contextlib.contextmanager
    def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: Iterable[Chunk] | None = None,
        doing: str = "asking",
    ) -> Iterator[Answer]:
        """Send a request, with a body of any length if it has one, and give the answer if it reports success.

        An error that `body` raises passes through unchanged; the connection is broken off then, so the engine gets
        no end of the body. Raises `Unreachable`, `Stalled`, `PermissionRefused`, `AccessDenied`, `NotFound`,
        `Refused`, `StorageFull`, `ServerTrouble`, `ProtocolTrouble`.
        """
        connection = EngineConnection(self.address, self._stall_s, self._check)
        try:
            with self._translated(doing):
                connection.putrequest(method, path + (f"?{urlencode(query)}" if query else ""))
                for name, text in (headers or {}).items():
                    connection.putheader(name, text)
                if body is not None:
                    connection.putheader("Transfer-Encoding", "chunked")
                    connection.putheader("Content-Type", "application/x-tar")
                elif method != "GET":
                    connection.putheader("Content-Length", "0")
                connection.endheaders()
            if body is not None:
                self._send(connection, body, doing)
            with self._translated(doing):
                answer = Answer(self, connection.getresponse(), doing)
                answer.check()
            yield answer
        finally:
            connection.end()

    def _send(self, connection: EngineConnection, body: Iterable[Chunk], doing: str) -> None:
        """Send the body in chunks (RFC 9112, section 7.1). An engine that stops reading has answered already."""
        for chunk in body:
            if not chunk:
                continue
            with self._translated(doing):
                try:
                    connection.send(b"%x\r\n" % len(chunk))
                    connection.send(chunk)
                    connection.send(b"\r\n")
                except (BrokenPipeError, ConnectionResetError):
                    return
        with self._translated(doing), contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(b"0\r\n\r\n")

    @contextlib.contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (ConnectionResetError, BrokenPipeError, IncompleteRead) as error:
            raise self._broke_off(doing) from error
        except _BROKEN as error:
            raise self._no_engine(doing, str(error) or type(error).__name__) from error

    def _broke_off(self, doing: str) -> Unreachable:
        kind = self.address.kind
        return Unreachable(
            f"{doing}: the {kind} engine at {self.address} broke off: it was stopped, or it is no {kind} engine",
            subject=str(self.address),
            hint=f"look at its log: journalctl -u {kind}; then run the same command again",
        )

    def _no_engine(self, doing: str, why: str) -> ProtocolTrouble:
        return ProtocolTrouble(
            f"{doing}: what answers at {self.address} is no {self.address.kind} engine: {printable(why)}",
            subject=str(self.address),
            hint="check the address of the socket",
        )


class Answer:
    """An answer that reports success. It is read inside the block of `EngineApi.ask`."""

    def __init__(self, api: EngineApi, response: HTTPResponse, doing: str) -> None:
        self._api = api
        self._response = response
        self._doing = doing

    def value(self) -> Any:
        """All of it as one JSON value; None if it is empty. Raises `ProtocolTrouble`, `Unreachable`."""
        raw = self._read(ENGINE_ANSWER_BYTES + 1)
        return self._json(raw, ENGINE_ANSWER_BYTES) if raw.strip() else None

    def events(self) -> Iterator[Mapping[str, Any]]:
        """Its JSON objects, a line each, as they come. Raises the error that an event reports, like `ask`."""
        for count, line in enumerate(self._lines()):
            if count >= ENGINE_EVENTS:
                raise self._api._no_engine(self._doing, f"it sends more than {ENGINE_EVENTS} messages")
            if not line.strip():
                continue
            event = self._json(line, ENGINE_EVENT_BYTES)
            if not isinstance(event, dict):
                raise self._api._no_engine(self._doing, "a message is no JSON object")
            if problem := _reported({"errorDetail": event.get("errorDetail"), "error": event.get("error")}):
                raise problem_of(self._api.address, 0, problem, self._doing)
            yield event

    def chunks(self) -> Iterator[bytes]:
        """Its bytes as they come, of any number: the reader bounds them. Raises `Unreachable`."""
        while True:
            with self._api._translated(self._doing):
                chunk = self._response.read1(_READ_AT_ONCE)
                left = self._response.length
            if not chunk:
                if left:
                    raise self._api._broke_off(self._doing)
                return
            yield chunk

    def check(self) -> None:
        """Raises the error that the answer reports, if it reports one."""
        if self._response.status in range(200, 300):
            return
        raw = self._read(PROBLEM_BYTES)[:PROBLEM_BYTES]
        try:
            told = _reported(read_json(raw, limit=PROBLEM_BYTES, values=PROBLEM_VALUES))
        except NotJson:
            told = raw.decode("utf-8", "replace")
        raise problem_of(self._api.address, self._response.status, told or self._response.reason, self._doing)

    def _lines(self) -> Iterator[bytes]:
        """The lines. One that is longer than a message may be ends where it is too long.

        Not by `HTTPResponse.readline`: it takes a broken chunk for the end, and one of a negative size reads all that
        comes into memory.
        """
        rest = b""
        for chunk in self.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            if len(rest) > ENGINE_EVENT_BYTES:
                yield rest
        yield rest

    def _read(self, limit: int) -> bytes:
        """At most about `limit` bytes of it. Raises `Unreachable` if it ends too early."""
        read = bytearray()
        for chunk in self.chunks():
            read += chunk
            if len(read) >= limit:
                break
        return bytes(read)

    def _json(self, raw: bytes, limit: int) -> Any:
        try:
            return read_json(raw, limit=limit, values=ENGINE_ANSWER_VALUES, twins=True)
        except NotJson as error:
            raise self._api._no_engine(self._doing, f"its answer {error.verdict}") from error


def _reported(document: Any) -> str:
    """The error that an answer or an event has: docker's `message` or `errorDetail`, podman's `cause` and `message`."""
    if not isinstance(document, dict):
        return ""
    detail = document.get("errorDetail")
    texts = [detail.get("message")] if isinstance(detail, dict) else []
    texts += [document.get("message"), document.get("error"), document.get("cause")]
    return next((text for text in texts if isinstance(text, str) and text), "")


def problem_of(address: EngineAddress, status: int, told: str, doing: str) -> TransloadError:
    """The error for a refusal of an engine; `status` is 0 if it came in the middle of an answer, or from a program."""
    text = f"{doing}: the {address.kind} engine answers{f' {status}' if status else ''}: {printable(told)}"
    if _FULL.search(told):
        return StorageFull(
            f"{doing}: the disk of the {address.kind} engine is full",
            subject=str(address),
            hint=_ROOM[address.kind],
        )
    if status in {401, 403}:
        return AccessDenied(text, subject=str(address), hint="an access rule of the engine may stand in the way")
    if status == 404:
        return NotFound(text, subject=str(address))
    if 400 <= status < 500:
        return Refused(text, subject=str(address))
    if status in range(100, 400):
        return ProtocolTrouble(text, subject=str(address), hint="check the address of the socket")
    return ServerTrouble(text, subject=str(address))


_ROOM = {
    "docker": "free some space there: docker system df; docker image prune",
    "podman": "free some space there: podman system df; podman image prune",
    "containerd": "free some space there: ctr -n k8s.io images ls; crictl rmi --prune",
}


def printable(text: str) -> str:
    """A text from outside for one line of a message, at most 300 characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text[: 4 * _TEXT]).split())
    return line if len(line) <= _TEXT else line[:_TEXT] + "…"
