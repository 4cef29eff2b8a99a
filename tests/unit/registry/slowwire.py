"""A registry with one blob, whose connections are slow each for itself, and do what a test tells them to."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from attrs import define, field, frozen

from transload.clock import SYSTEM_CLOCK, Clock, SystemClock
from transload.net.http import Http
from transload.net.settings import NetSettings
from transload.oci import Descriptor, Digest

PIECE = 64 << 10


@frozen(kw_only=True)
class Act:
    """How one request is answered. `cut`: hang up after so many bytes; `shift`: another part than was asked for.

    `pause_s`: before the head; `burst`: so many bytes come at once; `stops_at`: send no more after so many bytes, and
    keep the connection.
    """

    rate: float = 16e6
    burst: int = 0
    status: int | None = None
    headers: Mapping[str, str] = field(factory=dict)
    ranged: bool = True
    shift: int = 0
    shorter: int = 0
    total: int | str | None = None
    cut: int | None = None
    stops_at: int | None = None
    pause_s: float = 0.0
    changed: bool = False


@define(kw_only=True)
class Request:
    """A request as it came: its number, that of its connection, and the bytes that it asked for."""

    number: int
    connection: int
    part: tuple[int, int] | None
    path: str
    headers: Mapping[str, str]


Script = Callable[[Request], Act]


class SlowServer:
    """Serves `blob` by a script; `asked` keeps the requests, `peak` the most bodies at a time, `sent` the bytes.

    `moving` bodies are counted until `noticed_s` after their end.
    """

    noticed_s = 0.0

    def __init__(self, blob: bytes, script: Script) -> None:
        self.blob = blob
        self.script = script
        self.asked: list[Request] = []
        self.connections = self.moving = self.peak = self.sent = 0
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.slow = self  # type: ignore[attr-defined]  # of a server of ours
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def descriptor(self) -> Descriptor:
        """Of the blob."""
        return Descriptor("application/octet-stream", Digest.of(self.blob), len(self.blob))

    @property
    def host(self) -> str:
        """Its address."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def forget_one(self) -> None:
        """A body no longer moves."""
        with self.lock:
            self.moving -= 1

    def __enter__(self) -> SlowServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        slow: SlowServer = self.server.slow  # type: ignore[attr-defined]  # of a server of ours
        with slow.lock:
            slow.connections += 1
            self.number = slow.connections

    def do_GET(self) -> None:  # noqa: N802 - its name there
        slow: SlowServer = self.server.slow  # type: ignore[attr-defined]  # of a server of ours
        form = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        part = (int(form[1]), int(form[2]) + 1) if form else None
        with slow.lock:
            request = Request(
                number=len(slow.asked), connection=self.number, part=part, path=self.path, headers=dict(self.headers)
            )
            slow.asked.append(request)
        act = slow.script(request)
        slow.ending.wait(act.pause_s)
        with slow.lock:
            slow.moving += 1
            slow.peak = max(slow.peak, slow.moving)
        try:
            self._answer(slow, act, part)
        except OSError:
            self.close_connection = True
        finally:
            if slow.noticed_s and act.status is None:
                threading.Timer(slow.noticed_s, slow.forget_one).start()
            else:
                slow.forget_one()

    do_HEAD = do_GET  # noqa: N815 - its name there; only refusals, which have no body

    def _answer(self, slow: SlowServer, act: Act, part: tuple[int, int] | None) -> None:
        size = len(slow.blob)
        start, end = part if part and act.ranged else (0, size)
        ranged = part is not None and act.ranged
        if ranged:
            start, end = start + act.shift, end + act.shift - act.shorter
        body = slow.blob[start:end]
        if act.changed:
            body = bytes(reversed(body))
        status = act.status or (206 if ranged else 200)
        if status >= 300:
            body = b""
        self.send_response_only(status)
        headers = {"Content-Length": str(len(body))}
        if ranged and status == 206:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size if act.total is None else act.total}"
        for name, value in {**headers, **act.headers}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self._body(slow, act, memoryview(body))

    def _body(self, slow: SlowServer, act: Act, body: memoryview) -> None:
        due_s = time.monotonic()
        for at in range(0, len(body), PIECE):
            if act.cut is not None and at >= act.cut:
                self.close_connection = True
                return
            if act.stops_at is not None and at >= act.stops_at:
                slow.ending.wait(30)
                self.close_connection = True
                return
            piece = body[at : at + PIECE]
            self.wfile.write(piece)
            with slow.lock:
                slow.sent += len(piece)
            # What came late, on a busy machine, is not made up for: a connection is never faster than its rate.
            due_s = max(due_s + min(PIECE, max(0, at + PIECE - act.burst)) / act.rate, time.monotonic())
            slow.ending.wait(due_s - time.monotonic())

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
        """Nobody reads it."""


@contextmanager
def slow_server(blob: bytes, script: Script) -> Iterator[SlowServer]:
    """A running server."""
    with SlowServer(blob, script) as server:
        yield server


class IdleMachine(SystemClock):
    """Of a second on this clock, 49 are left to a machine that is busy with other things: its waits are not ours."""

    monotonic_s = staticmethod(lambda: time.monotonic() / 50)


def real_time(clock: Clock = SYSTEM_CLOCK, **settings: Any) -> Http:
    """An `Http` on the clock of the system, with short limits."""
    settings = {"allow_plain_http": frozenset({"127.0.0.1"}), "stall_timeout_s": 5, **settings}
    return Http(NetSettings(**settings), clock=clock)
