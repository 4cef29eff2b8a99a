"""How many connections a verb opens to a host, and how fast it moves: what `Network` says, for every kind of copy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import transload
from tests.unit.net.doorman import doorman
from transload import Environment, MemoryStore, Network
from transload.errors import UsageError
from transload.server import Served, ServeSettings, serve
from transload.testing.images import fill, image
from transload.testing.laboratory import Laboratory, refuses_mounts

IMAGE = image("many layers", [60_000] * 12)


@pytest.fixture
def vendor() -> Iterator[Served]:
    store = MemoryStore()
    for number in range(3):
        fill(store, image(f"app {number}", [60_000] * 6), f"app{number}", "1")
    fill(store, IMAGE, "one", "1")
    with serve(store) as served:
        yield served


@pytest.fixture
def local() -> Iterator[Served]:
    with serve(MemoryStore(), ServeSettings(writable=True)) as served:
        yield served


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16])
def test_a_host_gets_no_more_connections_than_that(vendor: Served, local: Served, count: int) -> None:
    with doorman(vendor.host_port) as source, doorman(local.host_port) as target:
        network = Network(max_connections=count)
        nothing = Environment()
        transload.mirror(origin=source.host_port, to=target.host_port, jobs=16, network=network, environment=nothing)
    assert 1 <= source.most <= count
    assert 1 <= target.most <= count


def test_a_copy_within_one_registry_takes_two_where_one_is_allowed(local: Served) -> None:
    """One to read and one to write, if the registry makes no mounts: with a single one it could never end."""
    with Laboratory(local.host_port, [refuses_mounts()]) as registry, doorman(registry.host_port) as front:
        store = transload.RegistryStore(registry.host_port, transload.Http())
        fill(store, image("large layers", [5_000_000] * 2), "one", "1")
        result = transload.copy(
            f"{front.host_port}/one:1",
            f"{front.host_port}/two:1",
            network=Network(max_connections=1),
            environment=Environment(),
        )
    assert [entry.status for entry in result.images] == ["copied"]
    assert front.most == 2


@pytest.mark.parametrize(
    ("count", "error"), [(0, UsageError), (-1, UsageError), ("3", TypeError), (2.5, TypeError), (True, TypeError)]
)
def test_no_connection_at_all_is_an_error(count: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="max_connections must be"):
        Network(max_connections=count)


def test_a_rate_that_is_none_is_an_error() -> None:
    with pytest.raises(UsageError, match="'fast' is not a rate"):
        Network(limit_rate="fast")


def test_copies_between_folders_keep_to_the_limit(tmp_path: Path) -> None:
    """Without a limit they are cloned or copied whole; with one they move in its pieces."""
    positions: list[int] = []
    for number, limit in enumerate((None, "2MB/s", "source=2MB/s", "target=2MB/s")):
        seen: set[int] = set()

        def progress(event: transload.AnyEvent, seen: set[int] = seen) -> None:
            if isinstance(event, transload.StepMoved):
                seen.add(event.position)

        fill(transload.LayoutStore(tmp_path / "source", create=True), image("large", [600_000]), "a", "1")
        network = Network(limit_rate=limit) if limit else Network()
        result = transload.mirror(
            origin=f"oci:{tmp_path / 'source'}", to=f"oci:{tmp_path / str(number)}", network=network, progress=progress
        )
        assert not result.failures
        positions.append(len(seen))
    assert min(positions[1:]) > positions[0] + 3, positions
