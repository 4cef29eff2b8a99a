"""A memory store, served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.server.shelf import RepositoryContent
from transload.memory import MemoryStore
from transload.server import Served, ServeSettings, serve


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def served(store: MemoryStore) -> Iterator[Served]:
    with serve(store, ServeSettings(writable=True)) as served:
        yield served


@pytest.fixture
def shelf(tmp_path: Path) -> RepositoryContent:
    return RepositoryContent(tmp_path)


@pytest.fixture
def shelved(shelf: RepositoryContent) -> Iterator[Served]:
    with serve(shelf, ServeSettings(writable=True)) as served:
        yield served
