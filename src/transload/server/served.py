"""A store that is served beside its caller. aiohttp is loaded when something is really served."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from attrs import frozen

from transload.errors import PartMissing
from transload.ports import Source, Target
from transload.server.settings import ServeSettings

if TYPE_CHECKING:
    from transload.server.service import Service


@frozen(kw_only=True)
class ServedTotals:
    """Counts of a server's requests so far. Bytes are those of bodies.

    `by_kind` counts by method and kind of endpoint, such as `("GET", "blob")`; `by_status` by the answer's status.
    """

    total: int
    by_kind: Counter[tuple[str, str]]
    by_status: Counter[int]
    bytes_sent: int
    bytes_received: int


class Served:
    """A store being served in a thread of its own. `host_port` is what image references begin with.

    `url` is the same with its scheme.
    """

    def __init__(self, service: Service, port: int, stop: Callable[[], None]) -> None:
        host = service.settings.host
        self.host_port = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.url = f"{'https' if service.settings.tls_certificate else 'http'}://{self.host_port}"
        self._service = service
        self._stop = stop

    @property
    def requests(self) -> ServedTotals:
        """What was asked so far."""
        return self._service.counts.snapshot()

    def close(self) -> None:
        """End, after the running requests or the shutdown period; returns when the thread has ended."""
        self._stop()


@contextlib.contextmanager
def serve(store: Source | Target, settings: ServeSettings | None = None) -> Iterator[Served]:
    """Serve `store` as a registry for the block: the distribution API, in a thread of its own.

    Read-only, on a free port of loopback, unless `settings` say otherwise. Leaving the block ends it, after the running
    requests or the shutdown period. Raises `PartMissing` without the extra `serve`, `Busy` if the port is taken,
    `UsageError` for a host that is no address of this machine, `LocalError` for a certificate that cannot be used.
    """
    check_installed()
    from transload.server.serving import in_thread

    with in_thread(store, settings or ServeSettings()) as served:
        yield served


def check_installed() -> None:
    """Raises `PartMissing` without aiohttp."""
    if find_spec("aiohttp") is None:
        raise PartMissing(
            "serving a store needs aiohttp, which is not installed", hint="install it: python3 -m pip install aiohttp"
        )
