"""A host that gives no useful answer is told of, waited for, and given up; one budget for all that is asked of it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from attrs import evolve

from tests.unit.net.test_http import Sequence, closed_port, get
from tests.unit.registry.wire import Asked, HastyClock, Said, Wire, plain_http, serving
from transload.errors import HostGivenUp, Interrupted, ServerTrouble, Stalled, TooSlow, TransloadError, Unreachable
from transload.events import HostTroubled
from transload.net.flight import Flight
from transload.net.http import Http
from transload.net.messages import HttpRequest
from transload.net.patience import Kind, Patience, attempts_ahead
from transload.net.settings import NetSettings
from transload.threads import Cancellation

Peer = Callable[[socket.socket], None]
HEAD, GET = Kind("HEAD", "blob", "small"), Kind("GET", "blob", "read")
PATCH, COMMIT = Kind("PATCH", "upload", "write"), Kind("PUT", "upload", "small")
DONE = threading.Event()


@contextlib.contextmanager
def peer(talk: Peer, answers: int = 0) -> Iterator[str]:
    """A server that answers properly `answers` times, and then does `talk` with each connection; gives its host."""
    left = [answers]
    opened: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                opened.append(connection)
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

    def handle(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while left[0] > 0 and connection.recv(65536):
                left[0] -= 1
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            talk(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
    for connection in opened:
        connection.close()


def silent(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def headers_only(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    silent(connection)


def dripping(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        DONE.wait(0.01)


def dripping_headers(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X: y\r\n")
        DONE.wait(0.2)


def resetting(connection: socket.socket) -> None:
    connection.recv(65536)


def impatient(**more: object) -> tuple[Http, list[HostTroubled]]:
    """An `Http` on the real clock that gives up after two seconds, and what it tells."""
    told: list[HostTroubled] = []
    settings = {"give_up_after_s": 2, "min_rate": 2000, **more}
    return Http(NetSettings(allow_plain_http=frozenset({"127.0.0.1"}), **settings), listen=told.append), told  # type: ignore[arg-type]


@pytest.mark.parametrize("talk", [silent, headers_only, dripping, dripping_headers, resetting])
def test_a_host_that_dies_is_given_up_however_it_dies(talk: Peer) -> None:
    http, told = impatient()
    with peer(talk, answers=1) as host, http:
        request = HttpRequest("GET", f"http://{host}/", "asking", "test")
        assert http.ask(request).body == b"ok"
        with pytest.raises(HostGivenUp, match="gave no useful answer"):
            http.ask(request)
        with pytest.raises(HostGivenUp):  # and from then on at once
            http.ask(request)
    assert {event.state for event in told} <= {"retrying", "silent"}
    assert all(event.host == host and 0 <= event.left_s <= 1 for event in told)


def test_a_server_that_takes_a_body_in_and_says_nothing_is_given_up() -> None:
    http, _ = impatient()
    with peer(silent, answers=1) as host, http:
        request = HttpRequest("PUT", f"http://{host}/", "sending", "test", body=b"x" * 100_000)
        http.ask(evolve(request, method="GET", body=None))
        with pytest.raises(HostGivenUp):
            http.ask(request)


def test_a_host_whose_bodies_hang_is_given_up_though_it_answers_small_requests() -> None:
    http, _ = impatient()
    over = threading.Event()
    failed: list[str] = []

    def ask_until_it_fails(method: str) -> None:
        try:
            while True:
                http.ask(HttpRequest(method, f"http://{wire.host}/", "asking", "blob"))
        except HostGivenUp as error:
            failed.append(error.message)

    def script(asked: Asked) -> Said:
        return Said(hang_up=asked.method == "GET" and over.wait(60))

    with serving(script) as wire, http:
        threads = [threading.Thread(target=ask_until_it_fails, args=(method,)) for method in ("GET", "HEAD")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        over.set()
    assert len(set(failed)) == 1
    assert len(failed) == 2
    assert failed[0].startswith(f"{wire.host} answers some requests, but gave no useful answer to others for ")


def test_all_threads_share_one_budget() -> None:
    http, _ = impatient()
    errors: list[TransloadError] = []
    with peer(silent, answers=1) as host, http:
        request = HttpRequest("GET", f"http://{host}/", "asking", "test")
        http.ask(request)

        def ask() -> None:
            try:
                http.ask(request)
            except TransloadError as error:
                errors.append(error)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [type(error) for error in errors] == [HostGivenUp] * 8


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_host_that_is_never_ready_is_given_up_and_its_last_word_is_told(status: int) -> None:
    with serving(Sequence(Said(body=b"ok"), Said(status, body=b"words"))) as wire, plain_http() as http:
        assert http.ask(get(wire)).status == 200
        reply = http.ask(get(wire))
        assert (reply.status, reply.body) == (status, b"words")
        assert isinstance(http.clock, HastyClock)
        assert 110 < sum(http.clock.slept) <= 120
        asked = len(wire.asked)
        with pytest.raises(HostGivenUp, match=f"gave no useful answer for 1.. s: asking: .* answers {status}"):
            http.ask(get(wire))
        assert len(wire.asked) == asked


def test_a_host_that_comes_back_in_time_is_waited_for() -> None:
    answers = [Said(body=b"ok"), *[Said(503)] * 9, Said(body=b"ok again")]
    told: list[HostTroubled] = []
    settings = NetSettings(allow_plain_http=frozenset({"127.0.0.1"}))
    with serving(Sequence(*answers)) as wire, Http(settings, clock=HastyClock(), listen=told.append) as http:
        http.ask(get(wire))
        assert http.ask(get(wire)).body == b"ok again"
    told = [event for event in told if event.state != "silent"]  # on a busy machine the watch looks in between, too
    assert [event.state for event in told] == ["retrying"] * 9 + ["back"]
    assert [event.attempt for event in told[:9]] == list(range(2, 11))
    assert all(event.attempt <= event.attempts for event in told[:9])
    assert isinstance(told[0].error, ServerTrouble)


def test_a_connection_that_is_refused_in_the_middle_is_waited_for() -> None:
    with serving(lambda asked: Said(body=b"ok")) as wire, plain_http() as http:
        http.ask(get(wire))
        request = get(wire)
    http.close()
    with http, pytest.raises(HostGivenUp, match="refuses connections"):
        http.ask(request)
    assert isinstance(http.clock, HastyClock)
    assert 110 < sum(http.clock.slept) <= 120


def test_a_host_that_never_answered_is_given_up_after_the_attempts() -> None:
    with closed_port() as port, plain_http(attempts=4) as http:
        request = HttpRequest("GET", f"http://127.0.0.1:{port}/", "asking", "test")
        with pytest.raises(Unreachable, match="refuses connections") as caught:
            http.ask(request)
        assert not isinstance(caught.value, HostGivenUp)
        assert http.traffic.retries == 3
        with pytest.raises(HostGivenUp, match="refuses connections"):
            http.ask(request)


def test_a_wish_beyond_patience_ends_it_at_once() -> None:
    with serving(Sequence(Said(429, {"Retry-After": "3600"}))) as wire, plain_http() as http:
        assert http.ask(get(wire)).status == 429
        with pytest.raises(HostGivenUp, match="answers 429, and asks to wait for 3600 s"):
            http.ask(get(wire))
        assert len(wire.asked) == 1
        assert isinstance(http.clock, HastyClock)
        assert http.clock.slept == []


def listening(told: list[HostTroubled]) -> Http:
    return Http(NetSettings(allow_plain_http=frozenset({"127.0.0.1"})), clock=HastyClock(), listen=told.append)


def asking_others(http: Http, wire: Wire, patch: pytest.MonkeyPatch) -> None:
    """Another request succeeds after each wait."""
    http.clock.sleep_s(1)
    sleep = http.clock.sleep_s

    def sleep_and_ask(seconds: float, wake: threading.Event | None = None) -> None:
        sleep(seconds, wake)
        http.ask(get(wire, "/good"))

    patch.setattr(http.clock, "sleep_s", sleep_and_ask)


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_request_alone_in_trouble_gets_half_the_time_of_the_host_once(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    told: list[HostTroubled] = []
    with serving(lambda asked: Said(status if asked.path == "/bad" else 200)) as wire, listening(told) as http:
        asking_others(http, wire, monkeypatch)
        closing = HttpRequest("PUT", f"http://{wire.host}/bad", "closing", "upload")
        began_s = http.clock.monotonic_s()
        assert http.ask(closing).status == status
        assert 60 <= http.clock.monotonic_s() - began_s < 75
        waits = [event for event in told if event.wait_s > 2]
        assert [event.attempt for event in waits] == sorted({event.attempt for event in waits})
        assert waits[0].wait_s < waits[-2].wait_s <= 15
        assert "answer" in str(waits[0].error)
        assert all(event.until_s is not None for event in waits)
        before = len(wire.asked)
        assert http.ask(closing).status == status
        assert [asked.path for asked in wire.asked[before:]].count("/bad") == 5
        assert http.ask(get(wire, "/good")).status == 200


@pytest.mark.parametrize("purpose", ["upload", "blob"])
def test_a_500_to_one_request_is_waited_out_for_an_upload_only(monkeypatch: pytest.MonkeyPatch, purpose: str) -> None:
    bad: list[float] = []

    def script(asked: Asked) -> Said:
        if asked.path != "/bad":
            return Said(200)
        bad.append(http.clock.monotonic_s())
        return Said(500 if bad[-1] - bad[0] < 20 else 201)

    with serving(script) as wire, plain_http() as http:
        asking_others(http, wire, monkeypatch)
        request = HttpRequest("PUT", f"http://{wire.host}/bad", "uploading", purpose)
        assert http.ask(request).status == (201 if purpose == "upload" else 500)
        assert purpose == "upload" or len(bad) == 5


def test_a_host_that_is_left_alone_does_not_answer_again_with_what_it_was_asked_before() -> None:
    told: list[HostTroubled] = []
    clock = HastyClock()
    patience = Patience("r.example", NetSettings(), clock, told.append)
    for _ in range(2):
        patience.begin(GET, clock.monotonic_s())
    patience.failed(GET, ServerTrouble("busy"), 1, 6.0)
    clock.sleep_s(1)
    patience.useful(GET)
    assert [event.state for event in told] == ["retrying"]
    clock.sleep_s(5.5)
    patience.useful(GET)
    assert [event.state for event in told] == ["retrying", "back"]
    patience.useful(GET)
    assert len(told) == 2


@pytest.mark.parametrize("talk", [silent, headers_only, dripping])
def test_an_interruption_ends_any_wait(talk: Peer) -> None:
    cancellation = Cancellation()
    settings = NetSettings(allow_plain_http=frozenset({"127.0.0.1"}))
    with peer(talk) as host, Http(settings, cancellation=cancellation) as http:
        threading.Timer(0.1, cancellation.cancel).start()
        with pytest.raises(Interrupted):
            http.ask(HttpRequest("GET", f"http://{host}/", "asking", "test"))


def test_an_interruption_ends_a_connection_that_is_being_made() -> None:
    """The listener's queue is full, so that the system drops what asks for a place in it."""
    cancellation = Cancellation()
    with socket.socket() as server, contextlib.ExitStack() as held:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        host = f"127.0.0.1:{server.getsockname()[1]}"
        settings = NetSettings(allow_plain_http=frozenset({"127.0.0.1"}), connect_timeout_s=60)
        with Http(settings, cancellation=cancellation) as http:
            threading.Timer(0.1, cancellation.cancel).start()
            with pytest.raises(Interrupted):
                http.ask(HttpRequest("GET", f"http://{host}/", "asking", "test"))


def test_too_slow_is_told_as_such_where_the_host_has_time_left() -> None:
    http, _ = impatient(give_up_after_s=3)
    with peer(dripping) as host, http:
        request = HttpRequest("GET", f"http://{host}/", "reading", "test", lane="read")
        with http.stream(request) as answer, pytest.raises(TooSlow, match="less than 2000 B/s for 1.5 s"):
            for _ in answer.chunks():
                pass


# --- the budget by itself


def patience(told: list[HostTroubled], budget_s: float = 120) -> tuple[Patience, HastyClock]:
    clock = HastyClock()
    return Patience("r.example", NetSettings(give_up_after_s=budget_s), clock, told.append), clock


def test_time_in_which_nobody_asks_is_not_spent() -> None:
    budget, clock = patience([])
    budget.begin(GET, clock.monotonic_s())
    clock.sleep_s(50)
    budget.end(GET, clock.monotonic_s())
    clock.sleep_s(1000)
    budget.begin(GET, clock.monotonic_s())
    assert budget.longest_pause_s(GET) == pytest.approx(70 - 2.4)


def test_short_pauses_between_attempts_are_spent() -> None:
    budget, clock = patience([])
    budget.begin(GET, clock.monotonic_s())
    budget.failed(GET, Stalled("x"), 1, None)
    budget.end(GET, clock.monotonic_s())
    clock.sleep_s(30)
    budget.begin(GET, clock.monotonic_s())
    assert budget.longest_pause_s(GET) == pytest.approx(90 - 2.4)


def test_silence_is_told_within_three_seconds_and_then_more_and_more_rarely() -> None:
    told: list[HostTroubled] = []
    budget, clock = patience(told)
    budget.begin(GET, clock.monotonic_s())
    for _ in range(170):
        clock.sleep_s(0.5)
        budget.tell_silence()
    assert [round(event.troubled_s) for event in told] == [2, 5, 10, 20, 40, 80]
    budget.useful(GET)
    assert [event.state for event in told] == ["silent"] * 6 + ["back"]
    budget.tell_silence()
    assert len(told) == 7


def asked(budget: Patience, kind: Kind, clock: HastyClock) -> None:
    """A useful answer to a request of this kind, at once."""
    budget.begin(kind, clock.monotonic_s())
    budget.useful(kind)
    budget.end(kind, clock.monotonic_s())


def test_answers_of_one_kind_do_not_make_up_for_those_of_another() -> None:
    told: list[HostTroubled] = []
    budget, clock = patience(told)
    budget.begin(GET, clock.monotonic_s())
    for _ in range(12):
        assert not budget.is_over()
        clock.sleep_s(10)
        asked(budget, HEAD, clock)
        budget.tell_silence()
    assert budget.is_over()
    assert [event.state for event in told] == ["silent"] * 4, "and it never said that the host is back"
    told_s = "r.example answers some requests, but gave no useful answer to others for 120 s"
    assert budget.error("reading").message == told_s


def test_a_body_that_moves_makes_up_for_whatever_serves_the_same_purpose() -> None:
    budget, clock = patience([])
    budget.begin(COMMIT, clock.monotonic_s())
    budget.begin(GET, clock.monotonic_s())
    for _ in range(3):
        clock.sleep_s(50)
        asked(budget, PATCH, clock)
        budget.useful(HEAD)
        assert budget.longest_pause_s(COMMIT) == pytest.approx(120 - 2.4)
    assert budget.longest_pause_s(GET) == 0


def test_what_is_told_of_one_kind_is_over_when_that_kind_is_answered() -> None:
    told: list[HostTroubled] = []
    budget, clock = patience(told)
    for kind in (HEAD, GET):
        budget.begin(kind, clock.monotonic_s())
        budget.failed(kind, Stalled("x"), 1, 1.0)
    clock.sleep_s(5)
    budget.useful(HEAD)
    assert [event.state for event in told] == ["retrying", "retrying"]
    budget.useful(GET)
    assert [event.state for event in told] == ["retrying", "retrying", "back"]


def test_a_slow_body_beside_a_request_that_waits_is_not_silence() -> None:
    told: list[HostTroubled] = []
    budget, clock = patience(told)
    budget.begin(COMMIT, clock.monotonic_s())
    clock.sleep_s(5)
    budget.tell_silence({PATCH})
    assert told == []
    budget.tell_silence({GET})
    assert [event.state for event in told] == ["silent"]


def test_attempts_that_fit_into_what_is_left() -> None:
    assert attempts_ahead(1, 120, 0) == 15
    assert attempts_ahead(1, 60, 60) == 1
    assert attempts_ahead(5, 0, 0) == 1


# --- one request by itself


def flight(told: list[HostTroubled]) -> tuple[Flight, Patience, HastyClock]:
    budget, clock = patience(told)
    one = Flight(budget, GET, clock, 1024)
    budget.begin(GET, clock.monotonic_s())
    one.on_wire = True
    return one, budget, clock


def look(one: Flight) -> bool:
    return one.look(60, 120)


def test_a_slow_line_that_moves_is_left_alone() -> None:
    one, budget, clock = flight([])
    for _ in range(600):
        clock.sleep_s(1)
        one.moved += 1100
        assert look(one)
        assert not budget.is_over()
    assert one.verdict is None


def test_what_moves_too_little_is_cut_after_the_window() -> None:
    one, _, clock = flight([])
    for _ in range(59):
        clock.sleep_s(1)
        one.moved += 10
        assert not look(one)
        assert one.verdict is None
    clock.sleep_s(1)
    look(one)
    assert one.verdict == "slow"


def test_what_does_not_move_at_all_is_left_to_the_stall_timeout_and_the_budget() -> None:
    one, _, clock = flight([])
    clock.sleep_s(119)
    look(one)
    assert one.verdict is None
    clock.sleep_s(1)
    look(one)
    assert one.verdict == "silent"


def test_while_its_reader_or_its_source_is_busy_no_time_is_spent() -> None:
    one, budget, clock = flight([])
    clock.sleep_s(50)
    one.pause()
    clock.sleep_s(1000)
    assert not look(one)
    one.resume()
    clock.sleep_s(50)
    look(one)
    assert one.verdict is None
    assert budget.longest_pause_s(GET) == pytest.approx(20 - 2.4)


@pytest.mark.parametrize(("seconds", "useful"), [(30, False), (4, True)])
def test_an_answer_that_comes_by_the_drop_is_no_useful_one(seconds: int, useful: bool) -> None:
    one, budget, clock = flight([])
    for _ in range(seconds):
        clock.sleep_s(1)
        one.moved += 10
        look(one)
    one.landed()
    assert (budget.useful_s is not None) is useful


def test_an_answer_that_comes_late_but_at_once_is_a_useful_one() -> None:
    one, budget, clock = flight([])
    clock.sleep_s(50)
    look(one)
    one.moved += 200
    one.landed()
    assert budget.useful_s is not None


# --- a loopback host before its first request


def test_a_loopback_host_that_drops_connections_is_left_to_the_first_request() -> None:
    with socket.socket() as server, contextlib.ExitStack() as held:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        with Http(NetSettings(connect_timeout_s=0.1)) as http:
            assert http.origin(f"127.0.0.1:{server.getsockname()[1]}").scheme == "http"


def test_an_interruption_ends_the_wait_for_a_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()

    def silent_server(*_: object, **__: object) -> list[object]:
        asked.set()
        DONE.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", silent_server)
    cancellation = Cancellation()

    def cancel_when_asked() -> None:
        asked.wait()
        cancellation.cancel()

    with Http(NetSettings(), cancellation=cancellation) as http:
        threading.Thread(target=cancel_when_asked, daemon=True).start()
        with pytest.raises(Interrupted):
            http.ask(HttpRequest("GET", "https://registry.invalid/", "asking", "test"))


def test_a_request_that_nobody_repeats_is_not_counted_as_an_attempt() -> None:
    """A part of a blob that others read is dropped when it is refused; it was told as "retrying (2 of 16)"."""
    told: list[HostTroubled] = []
    budget, clock = patience(told)
    budget.begin(GET, clock.monotonic_s())
    budget.failed(GET, Stalled("x"), 1, 1.0, is_repeated=False)
    budget.failed(GET, Stalled("x"), 2, 1.0)
    assert [(event.attempt, event.attempts > 0) for event in told] == [(0, False), (3, True)]
