"""Large blobs on several connections, from servers that are slow, lie, break off or refuse: always the right bytes."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Iterator

import pytest

from tests.unit.registry.slowwire import Act, IdleMachine, Request, Script, SlowServer, real_time, slow_server
from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import NotFound, ServerTrouble, SizeMismatch
from transload.net import patience
from transload.net.http import Http
from transload.oci import Name
from transload.registry import segments
from transload.registry.room import ROOM
from transload.registry.store import RegistryStore
from transload.testing.layers import noise

SIZE = 24 << 20
BLOB = b"".join(noise("several connections", SIZE))


def read(store: RegistryStore, server: SlowServer, offset: int = 0, length: int | None = None) -> bytes:
    with store.open("a/b", server.descriptor, offset, length) as chunks:
        return b"".join(bytes(chunk) for chunk in chunks)


def assert_free(http: Http, store: RegistryStore) -> None:
    """Nothing is left behind: no slot, no connection of the level, no block, no thread."""
    for host in http._hosts.values():
        assert host.slots._busy.total == 0
    assert store._api.reading.in_use == 0
    assert ROOM.used == 0
    assert ROOM._free == []
    assert not [thread for thread in threading.enumerate() if thread.name == "_read"]


@contextlib.contextmanager
def far_away(
    script: Script, blob: bytes = BLOB, clock: Clock = SYSTEM_CLOCK, **settings: int
) -> Iterator[tuple[SlowServer, RegistryStore]]:
    """A slow server and a store that reads from it; in the end all is given back."""
    with slow_server(blob, script) as server, real_time(clock, **settings) as http:
        store = RegistryStore(server.host, http)
        yield server, store
        assert_free(http, store)


def in_parts(server: SlowServer) -> list[Request]:
    return [request for request in server.asked if request.part is not None]


def same(got: bytes, wanted: bytes = BLOB) -> bool:
    """Not compared as bytes, whose difference pytest would print for minutes."""
    return hashlib.sha256(got).digest() == hashlib.sha256(wanted).digest()


def test_a_blob_that_comes_slowly_is_read_on_several_connections() -> None:
    with far_away(lambda _: Act()) as (server, store):
        assert same(read(store, server))
        assert server.peak >= 3
        assert store.capabilities.ranges is True
        assert server.asked[0].part is None, "a blob begins with a request for all of it"


def known_as_faster_in_parts(store: RegistryStore) -> None:
    store.capabilities.learn("ranges", True)
    store.capabilities.learn("faster_in_parts", True)


def test_where_parts_are_known_to_be_faster_all_begin_at_once() -> None:
    with far_away(lambda request: Act(pause_s=0.2)) as (server, store):
        known_as_faster_in_parts(store)
        assert same(read(store, server))
        assert server.asked[0].part is not None
        assert all(request.part for request in server.asked), "no connection is closed in the middle of its answer"
        begins = sorted(request.part[0] for request in server.asked if request.part)
        assert begins[0] == 0
        assert len(set(begins)) == len(begins), "no byte is asked for twice"
        assert store.traffic.bytes_received == SIZE


def test_where_parts_were_faster_but_are_refused_now_one_stream_brings_all() -> None:
    with far_away(lambda _: Act(ranged=False)) as (server, store):
        known_as_faster_in_parts(store)
        assert same(read(store, server))
        assert store.capabilities.ranges is False


def test_a_blob_that_comes_fast_is_one_request() -> None:
    with far_away(lambda _: Act(rate=1e12), clock=IdleMachine()) as (server, store):
        assert same(read(store, server))
        assert len(server.asked) == 1


def test_no_more_connections_than_there_are_slots() -> None:
    with far_away(lambda _: Act(), slots_per_host=5) as (server, store):
        known_as_faster_in_parts(store)  # so that none is closed in the middle, which the server notices later
        assert same(read(store, server))
        assert 2 <= server.peak <= 5


def test_a_small_request_gets_the_connection_of_a_part_at_once() -> None:
    """All slots are used by one blob; who asks something small need not wait until a part has come."""
    blob_is_slow = Act(rate=500e3)

    def script(request: Request) -> Act:
        return blob_is_slow if "/blobs/" in request.path else Act(status=404)

    with far_away(script, BLOB[: 8 << 20], slots_per_host=4) as (server, store):
        known_as_faster_in_parts(store)
        with store.open("a/b", server.descriptor) as chunks:
            got = [bytes(next(chunks))]
            until_s = time.monotonic() + 10
            while server.moving < 4 and time.monotonic() < until_s:
                time.sleep(0.01)
            assert server.moving == 4
            with pytest.raises(NotFound):
                store.resolve(Name("a/b", "v1"))
            parts = [request.part for request in server.asked if "/blobs/" in request.path]
            asked = [request.path for request in server.asked]
            assert len(parts) == 4, "none of the parts has come to its end by then"
            assert asked[-1].endswith("/manifests/v1")
            got += [bytes(chunk) for chunk in chunks]
        assert same(b"".join(got), server.blob)
        assert server.peak <= 4 + 1, "the server notices a little later that a connection has ended"


def test_with_one_connection_it_stays_one() -> None:
    with far_away(lambda _: Act(rate=24e6), slots_per_host=1) as (server, store):
        assert same(read(store, server))
        assert len(server.asked) == 1


@pytest.mark.parametrize(("offset", "length"), [(1_000_003, None), (3, 20 << 20)])
def test_a_part_of_a_blob_is_read_so_too(offset: int, length: int | None) -> None:
    with far_away(lambda _: Act()) as (server, store):
        end = SIZE if length is None else offset + length
        assert same(read(store, server, offset, length), BLOB[offset:end])
        assert server.peak >= 3


def test_several_connections_that_seemed_no_faster_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first parts come in a bad moment. So one connection goes on, and shows that it is slower by now."""
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 1 << 20)
    began_s = time.monotonic()

    def goes_on_alone(request: Request) -> bool:
        return request.part is not None and request.part[1] == SIZE and SIZE - request.part[0] > 3 << 20

    def script(request: Request) -> Act:
        if request.part and time.monotonic() < began_s + 2.5:
            return Act(rate=1e5, cut=250_000, pause_s=0.02)
        return Act(rate=5e5 if goes_on_alone(request) else 2e6, pause_s=0.02)

    with far_away(script) as (server, store):
        assert same(read(store, server))
        alone = [request.number for request in server.asked if goes_on_alone(request)]
        assert len(alone) == 1, "one connection was tried again in the middle"
        assert len(server.asked) > alone[0] + 2, "and then several again"
        assert store.capabilities.faster_in_parts is not False


LIES = {
    "ignores ranges": Act(ranged=False),
    "another part": Act(shift=-1),
    "no Content-Range": Act(headers={"Content-Range": ""}),
    "not satisfiable": Act(status=416),
    "another size": Act(total=SIZE - 1),
    "garbage": Act(headers={"Content-Range": "bytes lots/many"}),
    "a part without bytes": Act(headers={"Content-Length": "0"}),
    "coded bytes": Act(headers={"Content-Encoding": "gzip"}),
    "each part cut short": Act(shorter=900_000),
    "two parts": Act(headers={"Content-Range": "", "Content-Type": "multipart/byteranges; boundary=x"}),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_server_that_does_not_send_parts_gets_one_stream(lie: Act) -> None:
    with far_away(lambda request: lie if request.part else Act()) as (server, store):
        assert same(read(store, server))
        assert store.capabilities.ranges is False
        assert len(in_parts(server)) <= 8, "nobody asks again"
        assert [request.part for request in server.asked].count(None) == 1, "the stream that there was goes on"
        asked = len(server.asked)
        assert same(read(store, server))
        assert len(server.asked) == asked + 1, "it is known now"


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_server_that_stops_sending_parts_gets_one_stream(lie: Act) -> None:
    script: Script = lambda request: lie if request.part and request.number > 10 else Act()  # noqa: E731 - short
    with far_away(script) as (server, store), contextlib.suppress(SizeMismatch, ServerTrouble):
        assert same(read(store, server))  # the one stream may not begin in the middle either


def test_parts_that_are_cut_short_now_and_then_are_completed() -> None:
    def script(request: Request) -> Act:
        return Act(shorter=700_000 if request.part and request.number % 3 == 0 else 0)

    with far_away(script) as (server, store):
        assert same(read(store, server))
        assert server.peak >= 3


@pytest.mark.parametrize("after", [0, 100_000, 900_000])
def test_a_connection_that_breaks_is_replaced(after: int) -> None:
    def script(request: Request) -> Act:
        return Act(cut=after) if request.part and request.number % 3 == 0 else Act()

    with far_away(script) as (server, store):
        assert same(read(store, server))
        again = store.traffic.bytes_received - SIZE
        assert again <= 2 << 20, "only what is missing is asked for again"


def test_a_slow_connection_is_taken_over() -> None:
    def script(request: Request) -> Act:
        return Act(rate=100e3) if request.number == 3 else Act()

    with far_away(script) as (server, store):
        assert same(read(store, server))
        slow = next(request for request in server.asked if request.number == 3)
        assert slow.part is not None
        rest = [request.part for request in in_parts(server) if request.part and request.part[1] == slow.part[1]]
        assert len(rest) == 2
        assert rest[1][0] > slow.part[0], "only its missing bytes"


@pytest.mark.parametrize("stopped", [Act(stops_at=200_000), Act(pause_s=20)])
def test_a_silent_connection_is_taken_over(stopped: Act) -> None:
    with far_away(lambda request: stopped if request.number == 4 else Act()) as (server, store):
        assert same(read(store, server))
        assert server.asked[4].part is not None


@pytest.mark.parametrize("hangs", [Act(rate=1e5), Act(stops_at=2 << 20)])
@pytest.mark.parametrize("known", [False, True])
def test_the_first_connection_is_taken_over_if_it_hangs_while_others_go_on(hangs: Act, known: bool) -> None:
    first: list[Request] = []

    def script(request: Request) -> Act:
        begins = request.part is None or request.part[0] == 0
        first.extend([request] if begins else [])
        return hangs if first == [request] else Act()

    with far_away(script, stall_timeout_s=60) as (server, store):
        if known:
            known_as_faster_in_parts(store)
        assert same(read(store, server))
        assert store.traffic.retries == 0, "the connection was not waited for until it was given up"


def test_several_connections_that_bring_far_less_than_one_are_given_up() -> None:
    """Such a server punishes whoever opens several. Its parts would take minutes."""

    def script(request: Request) -> Act:
        goes_on_alone = request.part is None or (request.part[1] == SIZE and SIZE - request.part[0] > SIZE // 2)
        return Act(rate=8e6 if goes_on_alone else 2e3)

    with far_away(script, stall_timeout_s=60) as (server, store):
        assert same(read(store, server))
        assert store.traffic.retries == 0, "none was waited for until it was given up"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("after", ["", "600"])
def test_where_parts_are_refused_for_now_the_stream_goes_on(status: int, after: str) -> None:
    refusal = Act(status=status, headers={"Retry-After": after})
    with far_away(lambda request: refusal if request.part else Act(rate=24e6)) as (server, store):
        assert same(read(store, server))
        assert store.capabilities.ranges is None
        assert len(in_parts(server)) <= 8


def test_a_registry_that_refuses_more_connections_for_long_is_not_given_up() -> None:
    refusal = Act(status=429, headers={"Retry-After": "600"})

    def script(request: Request) -> Act:
        return refusal if server.moving > 2 else Act()

    with far_away(script) as (server, store):
        assert same(read(store, server))


def test_a_registry_that_counts_closed_connections_for_a_while_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers see late that a connection has ended. The one that goes on alone is refused until then."""
    monkeypatch.setattr(
        patience, "_JUST_NOW_S", 120.0
    )  # a busy machine may take ten seconds for the second of this server
    refusal = Act(status=429, headers={"Retry-After": "600"})
    late: list[Request] = []

    def script(request: Request) -> Act:
        if server.moving < 2:
            return Act()
        late.append(request)
        return refusal

    with far_away(script, BLOB[: 8 << 20]) as (server, store):
        server.noticed_s = 1.0
        assert same(read(store, server), BLOB[: 8 << 20])
        with store.open("a/b", server.descriptor) as chunks:
            next(chunks)
        assert same(read(store, server), BLOB[: 8 << 20])
        assert late


@pytest.mark.parametrize("after", [1, 2 << 20, 12 << 20])
def test_whoever_leaves_in_the_middle_leaves_nothing_behind(after: int) -> None:
    with far_away(lambda _: Act()) as (server, store):
        got = 0
        with store.open("a/b", server.descriptor) as chunks:
            for chunk in chunks:
                got += len(chunk)
                if got >= after:
                    break


def test_an_error_of_the_reader_passes_and_leaves_nothing_behind() -> None:
    with far_away(lambda _: Act()) as (server, store):

        def fail_in_the_middle() -> None:
            with store.open("a/b", server.descriptor) as chunks:
                for number, _ in enumerate(chunks):
                    assert 1 / (40 - number)

        with pytest.raises(ZeroDivisionError):
            fail_in_the_middle()


def test_wrong_bytes_are_read_again_on_one_connection() -> None:
    """The digest shows that parts are wrong. Who reads the blob again gets it as a whole."""
    with far_away(lambda request: Act(changed=request.part is not None)) as (server, store):
        assert not same(read(store, server))
        assert same(read(store, server))
