"""What a server still holds after its clients have gone: sessions that wait, and nothing of the requests before."""

from __future__ import annotations

import gc
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web

from benchmarks.crowd import Client
from tests.unit.server.asking import until
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.ports import Target
from transload.server import Served, ServeSettings, serve
from transload.server.uploads import ServedUpload

ROUNDS = 3
ACTIONS = 120


def address(served: Served) -> tuple[str, int]:
    host, _, port = served.host_port.rpartition(":")
    return host, int(port)


def held() -> Counter[str]:
    """How many of our sessions, and of aiohttp's requests and connections, are there."""
    gc.collect()
    kinds = (web.BaseRequest, web.RequestHandler, web.StreamResponse, ServedUpload)
    return Counter(kind.__name__ for thing in gc.get_objects() for kind in kinds if isinstance(thing, kind))


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_nothing_of_a_request_is_held_after_it(tmp_path: Path, kind: str) -> None:
    """A session once held its last request, and with it megabytes that had arrived before the connection broke."""
    store: Target = MemoryStore() if kind == "memory" else LayoutStore(tmp_path / "site", create=True)
    with serve(store, ServeSettings(writable=True)) as served:
        clients = [Client(address(served), number, seed=3, largest=2 << 20) for number in range(2)]
        for _ in range(ROUNDS):
            for client in clients:
                for _ in range(ACTIONS // ROUNDS // 2):
                    client.step()
                client.leave()
            until(lambda: held()["RequestHandler"] == 0)
            assert held()["BaseRequest"] == 0
            assert held()["StreamResponse"] == 0
        assert held()["ServedUpload"] > 0, "some were abandoned"
        assert [sentence for client in clients for sentence in client.account.wrong] == []
    assert held()["ServedUpload"] == 0
