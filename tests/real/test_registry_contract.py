"""The contract of stores, held by a real docker-registry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.servers import StartRegistry
from transload.net.http import Http
from transload.ports import Source, Target
from transload.registry.store import RegistryStore
from transload.testing.contract import APP, StoreContract, sample
from transload.testing.images import fill


@pytest.fixture(scope="module")
def published(_start_for_session: StartRegistry) -> Iterator[Source]:
    """One for all tests that only read."""
    with Http() as http:
        store = RegistryStore(_start_for_session().host, http)
        for name, built in sample().items():
            fill(store, built, name.repository, name.tag)
        yield store


class TestDockerRegistry(StoreContract):
    """Plain HTTP, anonymous."""

    manifest_algorithms = ("sha256",)

    def test_tags_are_listed_per_repository(self, source: Source) -> None:
        # docker-registry has no referrers API, so the list of a signature's subject is a tag like any other
        tags = [tag for tag in source.tags(APP) if not tag.startswith("sha256-")]
        assert sorted(tags) == ["1.0", "1.0-docker", "list", "multi", "nested"]

    @pytest.fixture
    def source(self, published: Source) -> Source:
        return published

    @pytest.fixture
    def store(self, start_registry: StartRegistry) -> Iterator[Target]:
        with Http() as http:
            yield RegistryStore(start_registry().host, http)
