"""Opens the docker and podman engines of this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from transload.app.location import Location
from transload.app.settings import Environment
from transload.archive import ArchiveStore
from transload.engines.address import EngineKind, find_engine
from transload.engines.api import EngineApi
from transload.engines.engine import Check
from transload.engines.store import EngineStore

_KINDS: dict[str, EngineKind] = {"docker": "docker", "podman": "podman"}


def open_api(kind: str, environment: Environment, check: Check) -> EngineApi:
    """The engine `docker` or `podman` of this machine; `check` may end a wait for it.

    Raises `UsageError` for an address that is no socket.
    """
    return EngineApi(find_engine(_KINDS[kind], environment.engines), check=check)


def open_images(
    location: Location, environment: Environment, check: Check, at_end: Callable[[Callable[[], None]], None]
) -> EngineStore:
    """The images of an engine as a store; what it keeps meanwhile goes at the end."""
    folder = environment.state or Path(tempfile.gettempdir())  # /tmp may lie in memory
    store = EngineStore(
        open_api(location.kind, environment, check),
        location.value,
        folder,
        lambda file, called: ArchiveStore(called, file),
    )
    at_end(store.close)
    return store
