"""Serves a store in a thread beside the caller. aiohttp is loaded only when a store is served."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from transload.extras import Extra
from transload.ports import Source, Target
from transload.server.settings import ServeSettings
from transload.values import frozen

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
    """A store that is served in a thread of its own. `host_port` is the beginning of image references.

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
        """Counts of the requests so far."""
        return self._service.counts.snapshot()

    def close(self) -> None:
        """End the server, and wait until its thread has ended. Running requests get the shutdown period to end."""
        self._stop()


@contextlib.contextmanager
def serve(store: Source | Target, settings: ServeSettings | None = None) -> Iterator[Served]:
    """Serve `store` as a registry for the block: the distribution API, in a thread of its own.

    Without `settings` it is read-only, on a free port of loopback. Leaving the block ends the server, after the running
    requests or the shutdown period. Raises `PartMissing` without the extra `serve`, `Busy` if the port is taken,
    `UsageError` if the host is not an address of this machine, `LocalError` if a certificate cannot be used.
    """
    if not hasattr(store, "request_costs"):  # a text or an open_store, perhaps
        raise TypeError(
            f"store must be a store such as LayoutStore(...) or open_store(...).source, not {type(store).__name__}"
        )
    check_installed()
    from transload.server.serving import in_thread

    with in_thread(store, settings or ServeSettings()) as served:
        yield served


def check_installed() -> None:
    """Raise `PartMissing` if aiohttp is not installed."""
    if find_spec("aiohttp") is None:  # jinja2, which only the pages need, may be missing
        raise Extra.SERVE.missing("serving a store", "aiohttp")
