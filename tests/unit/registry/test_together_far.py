"""Large blobs on several connections: storage behind the registry, limits, interruption, and any delays and breaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.registry.slowwire import Act, Request, SlowServer, real_time, slow_server
from tests.unit.registry.test_together import BLOB, SIZE, assert_free, far_away, in_parts, read, same
from transload.errors import AccessDenied, NotFound
from transload.login import Login, Secret
from transload.net.rates import RateLimits
from transload.oci import Descriptor, Digest, Name
from transload.registry import segments
from transload.registry.store import RegistryStore

LOGIN = Login("reader", Secret("secret-of-the-reader"))


@contextmanager
def with_storage(valid: int | None = None) -> Iterator[tuple[SlowServer, SlowServer, RegistryStore]]:
    """A registry that asks for a login and leads to a storage, which answers each signed address `valid` times."""
    uses: dict[str, int] = {}

    def stored(request: Request) -> Act:
        uses[request.path] = uses.get(request.path, 0) + 1
        return Act(status=403) if valid is not None and uses[request.path] > valid else Act()

    with slow_server(BLOB, stored) as storage:

        def leads(request: Request) -> Act:
            if "Authorization" not in request.headers:
                return Act(status=401, headers={"WWW-Authenticate": 'Basic realm="test"'})
            return Act(status=307, headers={"Location": f"http://{storage.host}/signed?of={request.number}"})

        with slow_server(BLOB, leads) as registry, real_time() as http:
            store = RegistryStore(registry.host, http, login=LOGIN)
            yield registry, storage, store
            assert_free(http, store)


def test_the_address_of_a_storage_is_used_again_and_gets_no_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 1 << 20)  # so that each connection reads several
    with with_storage() as (registry, storage, store):
        assert same(read(store, registry))
        assert storage.peak >= 3
        assert len(in_parts(storage)) > len(in_parts(registry)), "not every part is asked for at the registry"
        for request in storage.asked:
            assert "Authorization" not in request.headers
            assert not any("secret" in value for value in request.headers.values())


@pytest.mark.parametrize(("pause_s", "wanted"), [(0.0, 0), (0.15, 14)])
def test_far_away_connections_are_of_use_before_bodies_are_asked_for(pause_s: float, wanted: int) -> None:
    with far_away(lambda _: Act(status=404, pause_s=pause_s)) as (_, store):
        assert store.connections_for_bodies == 0, "nothing is known yet"
        for tag in ("v1", "v2"):
            with pytest.raises(NotFound):
                store.resolve(Name("a/b", tag))
        assert store.connections_for_bodies == wanted


def test_a_connection_that_was_opened_ahead_is_taken_after_those_that_were_used() -> None:
    with far_away(lambda _: Act(rate=1e12), BLOB[: 1 << 20]) as (server, store):
        assert same(read(store, server), server.blob)
        store.connect_ahead()
        store.connect_ahead()
        assert same(read(store, server), server.blob)
        assert [request.connection for request in server.asked] == [1, 1]
        with store.open("a/b", server.descriptor) as held:
            next(held)
            assert same(read(store, server), server.blob)
        assert server.connections == 3, "and before a new one"


@pytest.mark.parametrize("valid", [1, 2])
def test_an_address_that_is_no_longer_valid_is_asked_for_again(valid: int) -> None:
    with with_storage(valid) as (registry, storage, store):
        assert same(read(store, registry))
        refused = [request for request in storage.asked if "Authorization" in request.headers]
        assert not refused
        parts = {request.path for request in in_parts(storage)}
        assert len(parts) >= 3, "the registry gave new addresses"


def test_a_refusal_of_the_storage_is_not_blamed_on_a_login() -> None:
    with with_storage(0) as (registry, storage, store):
        with pytest.raises(AccessDenied, match="403") as refused:
            read(store, registry)
        assert f"{registry.host} leads there, and no login is sent" in (refused.value.hint or "")
        assert storage.host in refused.value.message


def test_the_limit_on_the_rate_holds_for_all_connections_together() -> None:
    limit = 40_000_000
    with slow_server(BLOB, lambda _: Act()) as server, real_time(limits=RateLimits(whole=limit)) as http:
        store = RegistryStore(server.host, http)
        began_s = time.monotonic()
        assert same(read(store, server))
        assert time.monotonic() - began_s >= 0.8 * SIZE / limit, "it cannot come sooner"
        assert len(server.asked) <= 40
        assert_free(http, store)


def test_a_huge_blob_and_many_small_ones_both_move() -> None:
    """The blob of one server stands for the huge one, small parts of it for small blobs: level and slots are shared."""
    with far_away(lambda _: Act(rate=6e6), slots_per_host=6) as (server, store):
        ended: list[str] = []

        def small() -> None:
            for number in range(6):
                at = number * 100_000
                assert same(read(store, server, at, 100_000), BLOB[at : at + 100_000])
                ended.append("small")

        level = store._api.reading
        with level.claim(4, lambda: None) as claim, store.open("a/b", server.descriptor) as chunks:
            whole, others = [bytes(next(chunks))], threading.Thread(target=small)
            while sum(map(len, whole)) < 4 << 20:
                whole.append(bytes(next(chunks)))
            claim.want(2, 1)  # as a run does: the huge blob and a small one
            others.start()
            whole += [bytes(chunk) for chunk in chunks]
            ended.append("huge")
        others.join()
        assert same(b"".join(whole))
        assert ended.count("small") == 6
        assert ended[0] == "small", "small ones do not wait for the end of the huge one"
        assert server.peak <= 6 + 1, "there are six slots; the server may still send to the first, which was closed"
        assert len(in_parts(server)) > 6 + 1, "the huge one came on several connections"


FEW = BLOB[: 10 << 20]
ACTS = st.builds(
    Act,
    rate=st.sampled_from([4e6, 16e6, 64e6]),
    pause_s=st.sampled_from([0.0, 0.0, 0.02, 0.2]),
    cut=st.sampled_from([None, None, None, 0, 70_000, 900_000]),
    shorter=st.sampled_from([0, 0, 0, 0, 1, 300_000]),
    status=st.sampled_from([None, None, None, None, 429, 503]),
)


@given(acts=st.lists(ACTS, min_size=1, max_size=12), known=st.booleans())
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_late_or_breaks_the_bytes_are_right(acts: list[Act], known: bool) -> None:
    def script(request: Request) -> Act:
        if request.part is None or request.number >= 3 * len(acts):
            return Act(rate=12e6)
        return acts[request.number % len(acts)]

    with far_away(script, FEW) as (server, store):
        for power in ("ranges", "faster_in_parts") if known else ():
            store.capabilities.learn(power, True)
        assert server.descriptor == Descriptor("application/octet-stream", Digest.of(FEW), len(FEW))
        assert same(read(store, server), FEW)
