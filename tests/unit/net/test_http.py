"""The door to the network against a scripted server: retries, redirects, errors, counts."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from attrs import evolve

from tests.unit.registry.wire import Asked, HastyClock, Said, Wire, plain_http, serving
from transload.errors import (
    AccessDenied,
    DocumentInvalid,
    HostUnknown,
    Interrupted,
    LimitExceeded,
    ProtocolTrouble,
    Stalled,
    TransloadError,
    Truncated,
    Unreachable,
)
from transload.net.http import Http
from transload.net.messages import HttpRequest
from transload.net.settings import NetSettings


def get(wire: Wire, path: str = "/", **more: object) -> HttpRequest:
    request = HttpRequest("GET", f"http://{wire.host}{path}", "asking", "test")
    return evolve(request, **more)  # type: ignore[arg-type]


class Sequence:
    """Says one thing after the other, the last for ever."""

    def __init__(self, *said: Said) -> None:
        self.said = list(said)

    def __call__(self, asked: Asked) -> Said:
        return self.said.pop(0) if len(self.said) > 1 else self.said[0]


def test_an_answer_is_counted_once() -> None:
    with serving(Sequence(Said(body=b"hello"))) as wire, plain_http() as http:
        reply = http.ask(get(wire, body=b"abc"))
        assert (reply.status, reply.body) == (200, b"hello")
        traffic = http.traffic
        assert (traffic.requests, traffic.bytes_received, traffic.bytes_sent, traffic.retries) == (1, 5, 3, 0)
        assert traffic.host(wire.host).requests == 1
        assert traffic.kinds() == {("GET", "test"): 1}
        assert wire.asked[0].headers["User-Agent"].startswith("transload/")


@pytest.mark.parametrize(
    ("path", "target"), [("", "/"), ("?a=1", "/?a=1"), ("/v2/?n=1&last=a%2Fb", "/v2/?n=1&last=a%2Fb"), ("/a#b", "/a")]
)
def test_what_is_asked_for_is_written_as_it_stands_in_the_url(path: str, target: str) -> None:
    with serving(Sequence(Said(body=b"ok"))) as wire, plain_http() as http:
        assert http.ask(get(wire, path)).status == 200
        assert wire.asked[0].target == target


def test_the_pieces_of_a_large_body_are_complete_though_they_share_a_buffer() -> None:
    body = bytes(range(256)) * 4096
    with serving(Sequence(Said(body=body))) as wire, plain_http() as http, http.stream(get(wire)) as answer:
        pieces = [bytes(piece) for piece in answer.chunks(400_000)]
    assert b"".join(pieces) == body
    assert max(len(piece) for piece in pieces) <= 400_000


@pytest.mark.parametrize("secure", [False, True])
def test_what_has_come_is_handed_on_while_the_rest_is_still_on_its_way(tmp_path: Path, secure: bool) -> None:
    """Half of the body is sent; the rest only when the reader has seen that half, and then the line breaks."""
    seen = threading.Event()

    class Halting(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # noqa: N802
            self.send_response_only(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"x" * 300_000)
            assert seen.wait(60)
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Halting)
    settings = NetSettings(allow_plain_http=frozenset({"127.0.0.1"}))
    if secure:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        settings = NetSettings(ca_files=(tmp_path / "ca.pem",))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    url = f"{'https' if secure else 'http'}://127.0.0.1:{server.server_address[1]}/"
    try:
        with Http(settings) as http, http.stream(HttpRequest("GET", url, "asking", "test", lane="read")) as answer:
            chunks, count = answer.chunks(), 0
            while count < 300_000:
                count += len(next(chunks))
            seen.set()
            with pytest.raises(Truncated):
                next(chunks)
    finally:
        seen.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("status", [408, 429, 499, 500, 502, 503, 504, 522])
def test_what_may_pass_is_asked_again(status: int) -> None:
    with serving(Sequence(Said(status), Said(status), Said(body=b"ok"))) as wire, plain_http() as http:
        assert http.ask(get(wire)).body == b"ok"
        assert (http.traffic.requests, http.traffic.retries) == (3, 2)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 416])
def test_a_refusal_is_not_asked_again(status: int) -> None:
    with serving(Sequence(Said(status))) as wire, plain_http() as http:
        assert http.ask(get(wire)).status == status
        assert len(wire.asked) == 1


def test_the_budget_ends() -> None:
    with serving(Sequence(Said(500))) as wire, plain_http(attempts=3) as http:
        assert http.ask(get(wire)).status == 500
        assert len(wire.asked) == 3


def test_what_must_not_be_repeated_is_not() -> None:
    with serving(Sequence(Said(503))) as wire, plain_http() as http:
        assert http.ask(get(wire, retried=False)).status == 503
        assert len(wire.asked) == 1


def test_the_servers_wish_is_waited_for() -> None:
    with serving(Sequence(Said(429, {"Retry-After": "17"}), Said())) as wire, plain_http() as http:
        http.ask(get(wire))
        assert isinstance(http.clock, HastyClock)
        assert 17 <= sum(http.clock.slept) <= 19


def test_a_wish_beyond_reason_is_told_instead() -> None:
    with serving(Sequence(Said(429, {"Retry-After": "86400"}))) as wire, plain_http() as http:
        assert http.ask(get(wire)).status == 429
        assert len(wire.asked) == 1


def test_a_dropped_connection_is_made_again() -> None:
    script = Sequence(Said(hang_up=True), Said(body=b"x" * 99, cut=50), Said(body=b"ok"))
    with serving(script) as wire, plain_http() as http:
        assert http.ask(get(wire)).body == b"ok"
        assert http.traffic.retries == 2


def test_redirects_are_followed_and_credentials_stay_behind() -> None:
    with serving(lambda asked: Said(body=b"data")) as storage:
        far = f"http://{storage.host}/signed?sig=1"
        script = Sequence(Said(307, {"Location": "/b"}), Said(302, {"Location": far}))
        with serving(script) as wire, plain_http() as http:
            reply = http.ask(get(wire, headers={"Authorization": "Bearer t", "Accept": "x"}))
    assert (reply.body, reply.url) == (b"data", far)
    assert [asked.headers.get("Authorization") for asked in wire.asked] == ["Bearer t", "Bearer t"]
    assert "Authorization" not in storage.asked[0].headers
    assert storage.asked[0].headers["Accept"] == "x"
    assert http.traffic.requests == 3


def test_redirects_in_a_circle_end() -> None:
    with serving(lambda asked: Said(302, {"Location": "/again"})) as wire, plain_http() as http:
        with pytest.raises(ProtocolTrouble, match="redirects"):
            http.ask(get(wire))
        assert len(wire.asked) == 11


def test_a_redirect_without_a_place_is_an_answer_and_a_post_is_not_redirected() -> None:
    def script(asked: Asked) -> Said:
        return Said(302, {"Location": "/x"} if asked.method == "POST" else {})

    with serving(script) as wire, plain_http() as http:
        assert http.ask(get(wire)).status == 302
        assert http.ask(get(wire, method="POST")).status == 302
        assert len(wire.asked) == 2


def test_a_body_over_the_limit_is_refused_and_a_long_explanation_is_cut() -> None:
    with serving(Sequence(Said(body=b"x" * 5000), Said(404, body=b"y" * 500_000))) as wire, plain_http() as http:
        with pytest.raises(LimitExceeded):
            http.ask(get(wire, limit=4999))
        assert len(http.ask(get(wire, limit=4999)).body) == 64 << 10


def test_a_body_that_ends_early_is_truncated_when_poured() -> None:
    script = Sequence(Said(body=b"x" * 1000, cut=400))
    with serving(script) as wire, plain_http() as http, http.stream(get(wire, lane="read")) as answer:
        chunks = answer.chunks()
        assert next(chunks) == b"x" * 400
        with pytest.raises(Truncated):
            next(chunks)


def test_a_stall_is_told_as_such() -> None:
    release = threading.Event()

    def silent(asked: Asked) -> Said:
        release.wait(60)
        return Said(hang_up=True)

    with serving(silent) as wire, plain_http(stall_timeout_s=0.05, attempts=1) as http:
        with pytest.raises(Stalled, match="nothing moved for 0.05 s"):
            http.ask(get(wire))
        release.set()


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses connections: it is taken for the block, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


def test_nobody_listens() -> None:
    with closed_port() as port, plain_http(attempts=2) as http:
        url = f"http://127.0.0.1:{port}/"
        with pytest.raises(Unreachable, match="refuses connections"):
            http.ask(HttpRequest("GET", url, "asking", "test"))
        assert http.traffic.requests == 0
        with pytest.raises(Unreachable, match="refuses connections"):
            Http().origin(url.removeprefix("http://").rstrip("/"))


def test_an_unknown_host() -> None:
    with plain_http() as http, pytest.raises(HostUnknown, match=r"registry\.invalid is not known"):
        http.ask(HttpRequest("GET", "http://registry.invalid/", "asking", "test"))


def test_what_is_no_http() -> None:
    def talk(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=talk, args=(server,))
        thread.start()
        with plain_http() as http, pytest.raises(ProtocolTrouble, match="does not answer in HTTP"):
            http.ask(HttpRequest("GET", f"http://127.0.0.1:{server.getsockname()[1]}/", "asking", "test"))
        thread.join()


def test_an_early_refusal_of_a_body_is_read() -> None:
    """The server answers after the headers and reads nothing: not a broken pipe, and not sent to the end."""
    sent = []

    def chunks() -> Iterator[bytes]:
        for _ in range(400):
            sent.append(1)
            yield b"x" * (1 << 20)

    with serving(lambda asked: Said(413, body=b"too large", unread=True)) as wire, plain_http() as http:
        request = get(wire, method="PATCH", body=chunks(), length=400 << 20, retried=False, lane="write")
        reply = http.ask(request)
        assert (reply.status, reply.body) == (413, b"too large")
        assert len(sent) < 400


def test_an_early_refusal_over_tls_is_read_and_session_tickets_are_not_taken_for_one(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def script(asked: Asked) -> Said:
        return Said(413, body=b"too large", unread=True) if asked.path == "/large" else Said(body=asked.body[-3:])

    with Wire(script, context) as wire, Http(NetSettings(ca_files=(tmp_path / "ca.pem",))) as http:
        request = HttpRequest("PATCH", f"https://{wire.host}/", "sending", "test", retried=False, lane="write")
        for body in (b"first, on a new connection", b"second, on the same"):
            reply = http.ask(evolve(request, body=iter([body]), length=len(body)))
            assert reply.body == body[-3:]
        large = (b"x" * (1 << 20) for _ in range(400))
        reply = http.ask(evolve(request, url=f"{request.url}large", body=large, length=400 << 20))
        assert (reply.status, reply.body) == (413, b"too large")


def test_a_server_that_stops_reading_is_a_stall() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, plain_http(stall_timeout_s=0.2) as http:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        chunks = (b"x" * (1 << 20) for _ in range(400))
        request = HttpRequest(
            "PATCH", url, "sending", "test", body=chunks, length=400 << 20, retried=False, lane="write"
        )
        with pytest.raises(Stalled, match=r"sending: nothing moved for 0\.2 s"):
            http.ask(request)


def test_an_error_of_the_bodys_source_passes_as_it_is() -> None:
    mine = ConnectionResetError("of the source")

    def chunks() -> Iterator[bytes]:
        yield b"x"
        raise mine

    with serving(lambda asked: Said()) as wire, plain_http() as http:
        request = get(wire, method="PUT", body=chunks(), length=10, retried=False, lane="write")
        with pytest.raises(ConnectionResetError) as caught:
            http.ask(request)
        assert caught.value is mine
        assert http.ask(get(wire)).status == 200  # the connection was dropped, not used again


def test_a_cancellation_is_seen_in_the_middle_of_a_body() -> None:
    with serving(lambda asked: Said(body=b"x" * 3_000_000)) as wire, plain_http() as http:
        with http.stream(get(wire, lane="read")) as answer:
            chunks = answer.chunks()
            assert next(chunks)
            http.cancellation.cancel()
            with pytest.raises(Interrupted):
                next(chunks)
        with pytest.raises(Interrupted):
            http.ask(get(wire))


def test_connections_are_closed_with_it_although_an_answer_is_kept() -> None:
    """The answer refers to the pool, and urllib3 closes a pool when nothing refers to it any more."""
    with serving(lambda asked: Said(body=b"plain")) as wire:
        with Http() as http:
            answers = [http.stream(get(wire)) for _ in range(2)]
            bodies = [answer.__enter__() for answer in answers]
            assert [b"".join(body.chunks()) for body in bodies] == [b"plain"] * 2
            for answer in answers:
                answer.__exit__(None, None, None)
            assert connections_to(wire.host)
        assert not connections_to(wire.host)
        assert len(bodies) == 2


def connections_to(host: str) -> int:
    """How many of this machine's connections to this address are not closed on our side (proc_net_tcp)."""
    port = f":{int(host.rpartition(':')[2]):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[2].endswith(port) and line[3] in {"01", "08"} for line in lines)


def test_a_loopback_server_without_tls_is_found_without_a_request() -> None:
    with serving(lambda asked: Said(body=b"plain")) as wire, Http() as http:
        assert str(http.origin(wire.host)) == f"http://{wire.host}"
        assert http.traffic.requests == 0
        assert wire.asked == []


def test_other_hosts_are_spoken_to_over_tls_unless_named() -> None:
    with Http(NetSettings(allow_plain_http=frozenset({"named.example:5000"}))) as http:
        assert http.origin("registry.example:5000").scheme == "https"
        assert http.origin("named.example").scheme == "https"
        assert http.origin("named.example:5000").scheme == "http"


def test_a_proxy_is_asked_with_its_credentials() -> None:
    with serving(lambda asked: Said(body=b"from the proxy")) as proxy:
        proxies = {"http": f"http://user:p%40ss@{proxy.host}"}
        with Http(NetSettings(proxies=proxies, no_proxy="inner.invalid")) as http:
            reply = http.ask(HttpRequest("GET", "http://registry.invalid/v2/", "asking", "test"))
            assert reply.body == b"from the proxy"
            with pytest.raises(HostUnknown):
                http.ask(HttpRequest("GET", "http://x.inner.invalid/", "asking", "test"))
    assert proxy.lines == ["GET http://registry.invalid/v2/"]
    assert proxy.asked[0].headers["Proxy-Authorization"] == "Basic dXNlcjpwQHNz"


def test_a_proxy_that_wants_credentials_says_so() -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:  # noqa: N802 - the name that http.server asks for
            self.send_error(407)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        proxies = {"https": f"http://127.0.0.1:{server.server_address[1]}"}
        with Http(NetSettings(proxies=proxies, attempts=1)) as http, pytest.raises(AccessDenied, match="proxy asks"):
            http.ask(HttpRequest("GET", "https://registry.invalid/v2/", "asking", "test"))
        server.shutdown()


def test_a_file_that_is_no_certificate(tmp_path: Path) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("not a certificate")
    for settings in (NetSettings(ca_files=(wrong,)), NetSettings(client_certificate=wrong)):
        with Http(settings) as http, pytest.raises(DocumentInvalid, match=r"ca\.pem"):
            http.ask(HttpRequest("GET", "https://registry.invalid/", "asking", "test"))
    with Http(NetSettings(ca_files=(tmp_path / "none",))) as http, pytest.raises(TransloadError, match="none"):
        http.ask(HttpRequest("GET", "https://registry.invalid/", "asking", "test"))


def test_a_407_is_the_proxys_over_plain_http_too() -> None:
    with serving(lambda asked: Said(407)) as proxy:
        settings = NetSettings(proxies={"http": f"http://{proxy.host}"})
        with Http(settings) as http, pytest.raises(AccessDenied, match="the proxy asks for credentials"):
            http.ask(HttpRequest("GET", "http://registry.invalid/v2/", "asking", "test"))
    assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    ("status", "kind", "words"), [(502, Unreachable, "cannot reach"), (403, AccessDenied, "allow")]
)
def test_what_a_proxy_answers_to_a_tunnel_names_the_host(status: int, kind: type[TransloadError], words: str) -> None:
    with serving(lambda asked: Said(status)) as proxy:
        settings = NetSettings(proxies={"https": f"http://{proxy.host}"}, attempts=1)
        with Http(settings) as http, pytest.raises(kind, match=r"registry\.invalid") as caught:
            http.ask(HttpRequest("GET", "https://registry.invalid/v2/", "asking", "test"))
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_who_sent_us_to_a_host_that_cannot_be_reached_is_told() -> None:
    inner = "http://127.0.0.1:1/storage?signature=secret"
    with serving(lambda asked: Said(307, {"Location": inner})) as wire, plain_http(attempts=1) as http:
        with pytest.raises(
            Unreachable, match=rf"127\.0\.0\.1:1 refuses .*\({wire.host} sent us to 127\.0\.0\.1:1\)"
        ) as caught:
            http.ask(get(wire))
        assert "let it give an address that works from here" in (caught.value.hint or "")
        assert "secret" not in f"{caught.value} {caught.value.hint}"
