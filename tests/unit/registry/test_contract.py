"""The contract of stores across the wire: a memory store, served by us, asked by us; with resume and referrers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.registry.wire import plain_http
from transload.errors import ServerTrouble
from transload.memory import MemoryStore
from transload.net.http import Http
from transload.ports import Source, Target
from transload.registry.store import RegistryStore
from transload.server import ServeSettings, serve
from transload.testing.contract import Broken, StoreContract, blob, breaks, read, sample
from transload.testing.images import fill

LARGE = blob("resumed", 6_000_000)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    """One for all tests that only read."""
    settings = ServeSettings(writable=True, spool_folder=tmp_path_factory.mktemp("spool"))
    with serve(MemoryStore(), settings) as served, plain_http() as http:
        store = RegistryStore(served.host_port, http)
        for name, built in sample().items():
            fill(store, built, name.repository, name.tag)
        yield store


class TestServed(StoreContract):
    """Everything that the protocol can say."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Target]:
        settings = ServeSettings(writable=True, spool_folder=tmp_path)
        with serve(MemoryStore(), settings) as served, plain_http() as http:
            yield RegistryStore(served.host_port, http)

    @pytest.fixture
    def source(self, published: Source) -> Source:
        return published

    def finished(self, store: RegistryStore) -> int:
        """Go on, and say where; the server may still be taking in what the broken connection left behind."""
        with contextlib.suppress(ServerTrouble), store.begin("app", LARGE.descriptor) as ingest:
            offset = ingest.offset
            ingest.write([LARGE.read()[offset:]])
            ingest.commit()
        return offset

    def test_a_large_blob_goes_on_where_it_was_interrupted(self, store: RegistryStore) -> None:
        with pytest.raises(Broken), store.begin("app", LARGE.descriptor) as ingest:
            ingest.write(breaks(LARGE.read()[:4_000_000]))
        offsets = [self.finished(store) for _ in range(3) if not store.exists("app", LARGE.descriptor)]
        assert 0 < offsets[0] <= 4_000_000
        assert read(store, "app", LARGE.descriptor) == LARGE.read()


def test_a_loopback_server_is_found_by_itself(tmp_path: Path) -> None:
    settings = ServeSettings(writable=True, spool_folder=tmp_path)
    with serve(MemoryStore(), settings) as served, Http() as http:
        assert list(RegistryStore(served.host_port, http).repositories()) == []
        assert served.requests.total == 1
