"""A server that answers as a test scripts it, on real sockets: for what no well-behaved registry does."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from attrs import define, field, frozen

from transload.login import Login
from transload.net.http import Http
from transload.net.settings import NetSettings
from transload.registry.store import RegistryStore


@define
class Asked:
    """A request as it came in. The body is read when somebody looks at it, or after the answer."""

    method: str
    target: str
    headers: Message
    _read: Callable[[], bytes] = field(repr=False)
    _body: bytes | None = None

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)

    @property
    def body(self) -> bytes:
        if self._body is None:
            self._body = self._read()
        return self._body


@frozen
class Said:
    """An answer. `cut`: hang up after so many bytes of the body; `length`: what Content-Length claims instead."""

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""
    cut: int | None = None
    length: int | None = None
    hang_up: bool = False
    unread: bool = False


def refused(status: int, code: str = "", message: str = "", detail: Any = None, **headers: str) -> Said:
    """An error body as the specification has it."""
    body = json.dumps({"errors": [{"code": code, "message": message, "detail": detail}]}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Said(status, {"Content-Type": "application/json", **named}, body)


Script = Callable[[Asked], Said]


class Wire:
    """Answers every request by the script; `asked` keeps them in order of arrival."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.wire = self  # type: ignore[attr-defined]
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def lines(self) -> list[str]:
        return [f"{asked.method} {asked.target}" for asked in self.asked]

    def __enter__(self) -> Wire:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body follows the headers without waiting for a delayed acknowledgement

    def _serve(self) -> None:
        wire: Wire = self.server.wire  # type: ignore[attr-defined]
        length = int(self.headers.get("Content-Length") or 0)
        chunked = self.headers.get("Transfer-Encoding") == "chunked"
        asked = Asked(
            self.command, self.path, self.headers, self._chunks if chunked else lambda: self.rfile.read(length)
        )
        wire.asked.append(asked)
        said = wire.script(asked)
        if said.hang_up:
            self.close_connection = True
            return
        if not said.unread:
            _ = asked.body
        self._say(said)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _say(self, said: Said) -> None:
        self.send_response_only(said.status)
        headers = {"Content-Length": str(len(said.body) if said.length is None else said.length), **said.headers}
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said.body if said.cut is None else said.body[: said.cut])
        if said.cut is not None or said.unread or "Content-Length" in said.headers:
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_CONNECT = _serve  # noqa: N815

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
        """Nobody reads it."""


@contextlib.contextmanager
def serving(script: Script) -> Iterator[Wire]:
    with Wire(script) as wire:
        yield wire


@contextlib.contextmanager
def talking(script: Script, *, login: Login | None = None, **settings: Any) -> Iterator[tuple[Wire, RegistryStore]]:
    """A scripted registry and a store that talks to it."""
    with Wire(script) as wire, plain_http(**settings) as http:
        yield wire, RegistryStore(wire.host, http, login=login)


def plain_http(**settings: Any) -> Http:
    """An `Http` that speaks to scripted servers without asking them for TLS first, on a hasty clock."""
    settings = {"allow_plain_http": frozenset({"127.0.0.1", "localhost"}), "stall_timeout_s": 5, **settings}
    return Http(NetSettings(**settings), clock=HastyClock())


class HastyClock:
    """A clock whose sleeps take no time but move it on; `slept` keeps how long they would have been."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._now_s = 1000.0

    def monotonic_s(self) -> float:
        return self._now_s

    def wall_s(self) -> float:
        return 1_700_000_000.0 + self._now_s

    def sleep_s(self, seconds: float, wake: threading.Event | None = None) -> None:
        if wake is None or not wake.is_set():
            self.slept.append(seconds)
            self._now_s += seconds
