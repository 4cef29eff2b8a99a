"""The proxy itself: plain HTTP/1.1 on loopback, one thread for each connection, a connection onward per request."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from transload.testing.laboratory.exchange import Answer, Asked, HangUp, Onward
from transload.testing.laboratory.script import Fault, Script
from transload.testing.laboratory.tally import Tally
from transload.values import evolve

_PIECE = 64 << 10
_SLOW_PIECE = 16 << 10
_TIMEOUT_S = 120.0
_LEAVE_S = 5.0  # for requests that are still under way at the end
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "proxy-connection", "te", "trailer", "upgrade"}
_BROKEN = (OSError, http.client.HTTPException)


class Laboratory:
    """Stands before `upstream` for the block: a registry as `host:port` (plain HTTP), or a function that answers.

    `faults` are tried in their order; the first that fits a request and has times left spoils it. `seed` decides
    chances and places that are not given. `rate` limits the bytes of all bodies together, both ways, in bytes per
    second. `tls` makes the front speak TLS.
    """

    def __init__(
        self,
        upstream: str | Onward,
        faults: Iterable[Fault] = (),
        *,
        seed: object = 0,
        rate: float | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.script = Script(faults, seed)
        self.tally = Tally()
        self.line = Line(rate)
        self.closing = threading.Event()
        self._onward: Onward = _To(upstream) if isinstance(upstream, str) else upstream
        self._server = _Server(self)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def host_port(self) -> str:
        """Where clients connect, and the beginning of image references."""
        return f"127.0.0.1:{self._server.port}"

    @property
    def url(self) -> str:
        """The same with its scheme, without a slash at the end."""
        return f"{'https' if isinstance(self._server.socket, ssl.SSLSocket) else 'http'}://{self.host_port}"

    def __enter__(self) -> Laboratory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_until_quiet(self) -> None:
        """Wait until all that clients have sent was dealt with and every connection is closed, as after their end."""
        # Connections are accepted in their order: when this one is, those before it were, too.
        with socket.create_connection(("127.0.0.1", self._server.port)) as last:
            self._server.wait_for(last.getsockname())
        self._server.wait_until_none()

    def answer(self, asked: Asked) -> Answer:
        """The answer to a request, spoilt or not. Raises `HangUp`."""
        struck = self.script.next_for(asked)
        if struck is None:
            return self._onward(asked)
        fault, dice = struck
        self.tally.struck[fault.on] += 1
        return fault.act(asked, self._onward, dice)


class Line:
    """What all connections share: a number of bytes per second."""

    def __init__(self, rate: float | None) -> None:
        self.rate = rate
        self._free_s = 0.0
        self._lock = threading.Lock()

    def pieces(self, body: Iterable[bytes]) -> Iterator[bytes]:
        """The same bytes, as fast as the line takes them."""
        for piece in body:
            if not self.rate:
                yield piece
                continue
            for start in range(0, len(piece), _SLOW_PIECE):
                part = piece[start : start + _SLOW_PIECE]
                self._pass(len(part))
                yield part

    def _pass(self, count: int) -> None:
        with self._lock:
            now_s = time.monotonic()
            self._free_s = max(now_s, self._free_s) + (count / self.rate if self.rate else 0)
            wait_s = self._free_s - now_s
        time.sleep(wait_s)


class _To:
    """Passes requests on to a registry."""

    def __init__(self, host_port: str) -> None:
        self._host_port = host_port

    def __call__(self, asked: Asked) -> Answer:
        connection = asked.over.enter_context(
            contextlib.closing(http.client.HTTPConnection(self._host_port, timeout=_TIMEOUT_S))
        )
        try:
            answer = asked.over.enter_context(contextlib.closing(_exchange(connection, asked)))
        except _BROKEN as error:
            raise HangUp from error
        headers = tuple((name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP)
        return Answer(answer.status, headers, _body(answer))


def _exchange(connection: http.client.HTTPConnection, asked: Asked) -> http.client.HTTPResponse:
    connection.putrequest(asked.method, asked.target, skip_host=True, skip_accept_encoding=True)
    for name, value in asked.headers.items():
        if name.lower() not in _HOP_BY_HOP - {"transfer-encoding"} | {"expect"}:
            connection.putheader(name, value)
    connection.endheaders()
    chunked = "Content-Length" not in asked.headers and "Transfer-Encoding" in asked.headers
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has answered before it read all
        for piece in asked.body:
            connection.send(_chunk(piece) if chunked else piece)
        if chunked:
            connection.send(b"0\r\n\r\n")
    return connection.getresponse()


def _body(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while piece := answer.read(_PIECE):
            yield piece
    except _BROKEN as error:
        raise HangUp from error


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, laboratory: Laboratory) -> None:
        self.laboratory = laboratory
        self.resets: set[socket.socket] = set()
        self._open: set[socket.socket] = set()
        self._latest: object = None
        self._changed = threading.Condition()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def port(self) -> int:
        return self.server_address[1]

    def wait_for(self, client: object) -> None:
        """Wait until the connection from this address was the latest to be accepted."""
        with self._changed:
            self._changed.wait_for(lambda: self._latest == client)

    def wait_until_none(self, timeout_s: float | None = None) -> None:
        """Wait until no connection is open."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open, timeout_s)

    def process_request(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        with self._changed:
            self._latest = client_address
            self._open.add(request)
            self._changed.notify_all()
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:  # type: ignore[no-untyped-def]
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()
        if request in self.resets:  # a shutdown would say that all was sent
            self.resets.discard(request)
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        with self._changed:
            still_open = list(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.wait_until_none(_LEAVE_S)

    def handle_error(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        if not self.laboratory.closing.is_set():
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body follows the headers without waiting for a delayed acknowledgement
    timeout = _TIMEOUT_S
    server: _Server

    def handle(self) -> None:
        try:
            super().handle()
        except HangUp as gone:
            self._leave(reset=gone.reset)
        except OSError:  # the client has gone
            self.close_connection = True

    def _serve(self) -> None:
        with contextlib.ExitStack() as over:
            self._pass_on(over)

    def _pass_on(self, over: contextlib.ExitStack) -> None:
        laboratory = self.server.laboratory
        asked = Asked(self.command, self.path, self.headers, iter(()), closing=laboratory.closing, over=over)
        seen = laboratory.tally.arrived(asked)
        arriving = laboratory.tally.inward(asked, laboratory.line.pieces(self._request_body()))
        answer = laboratory.answer(evolve(asked, body=arriving))
        if not answer.early:
            for _ in arriving:
                pass
        self._say(asked, answer)
        seen.status = answer.status

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_CONNECT = _serve  # noqa: N815

    def _say(self, asked: Asked, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        bodiless = self.command == "HEAD" or answer.status in {204, 304}
        chunked = not bodiless and answer.header("Content-Length") is None
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if not bodiless:
            self._send_body(asked, answer, chunked)
        if answer.early:
            self._linger()

    def _send_body(self, asked: Asked, answer: Answer, chunked: bool) -> None:
        laboratory = self.server.laboratory
        sent, stated = 0, None if chunked else answer.length
        for piece in laboratory.tally.outward(asked, laboratory.line.pieces(answer.body)):
            self.wfile.write(_chunk(piece) if chunked else piece)
            sent += len(piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        if stated is not None and sent != stated:
            raise HangUp(reset=False)

    def _request_body(self) -> Iterator[bytes]:
        """The body of the request; raises `HangUp` if the client goes away within it."""
        if "Content-Length" in self.headers:
            yield from self._counted(int(self.headers["Content-Length"]))
        elif "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline(100).split(b";")[0] or b"0", 16):
                yield from self._counted(size)
                self.rfile.readline(10)
            self.rfile.readline(10)

    def _counted(self, count: int) -> Iterator[bytes]:
        left = count
        while left:
            piece = self.rfile.read1(min(left, _PIECE))
            if not piece:
                raise HangUp
            left -= len(piece)
            yield piece

    def _linger(self) -> None:
        """Let the client read the answer before the connection goes: what it still sends is dropped."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while self.connection.recv(_PIECE):
                pass

    def _leave(self, *, reset: bool) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            if reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.server.resets.add(self.connection)
            else:
                self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
        """Nobody reads it."""


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece)
