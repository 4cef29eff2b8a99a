"""Fixtures for pytest: registries on loopback, each in a thread of its own. Needs the extra `serve`.

    pytest_plugins = ["transload.testing.fixtures"]  # in the conftest.py at the top

    def test_what_is_published(registry):
        publish(to=f"{registry.host_port}/team")  # any client of registries
        assert list(registry.store.tags("team/app")) == ["1.0"]

`registry` is empty and writable; `serve_registry` starts more, with stores and settings of the test's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Generic, Protocol, TypeVar, overload

import pytest

from transload.memory import MemoryStore
from transload.ports import Source, Target
from transload.server import Served, ServeSettings, serve
from transload.values import field, frozen

Store = TypeVar("Store", bound=Source | Target)


@frozen
class ServedStore(Generic[Store]):
    """A running registry, and the `store` behind it, which a test can write and read without HTTP."""

    store: Store
    served: Served = field(repr=False)

    @property
    def host_port(self) -> str:
        """Its address, as the beginning of image references: `127.0.0.1:PORT`."""
        return self.served.host_port

    @property
    def url(self) -> str:
        """Its address with the scheme: `http://127.0.0.1:PORT`."""
        return self.served.url


class ServeRegistry(Protocol):
    """Serves a store until the test ends; see `serve_registry`."""

    @overload
    def __call__(self, store: None = None, **settings: Any) -> ServedStore[MemoryStore]: ...
    @overload
    def __call__(self, store: Store, **settings: Any) -> ServedStore[Store]: ...
    def __call__(self, store: Any = None, **settings: Any) -> ServedStore[Any]:
        """Serve `store`, or an empty `MemoryStore`. `settings` are those of `ServeSettings`; it is writable by default.

        Raises `UsageError` for settings that contradict each other, `TypeError` for one that does not exist, `Busy` if
        the `port` is taken.
        """
        ...


@pytest.fixture
def serve_registry() -> Iterator[ServeRegistry]:
    """Starts registries, as many as a test wants: `serve_registry(store=None, **settings)`. See `ServeRegistry`."""
    with ExitStack() as running:

        def start(store: Any = None, **settings: Any) -> ServedStore[Any]:
            behind = MemoryStore() if store is None else store
            served = running.enter_context(serve(behind, ServeSettings(**{"writable": True, **settings})))
            return ServedStore(behind, served)

        yield start


@pytest.fixture
def registry(serve_registry: ServeRegistry) -> ServedStore[MemoryStore]:
    """An empty registry that accepts pushes and needs no login."""
    return serve_registry()
