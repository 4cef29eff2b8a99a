"""What all handlers of a server share: the store, the settings, the uploads, the counters, the threads."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from aiohttp import web

from transload.allowance import affordable, files_allowed, space_left
from transload.clock import SYSTEM_CLOCK, Clock
from transload.oci import Digest
from transload.ports import Source, Target
from transload.server.about import About
from transload.server.access import BasicAuth
from transload.server.backend import Backend
from transload.server.pulls import Body, Client, Pulls, Tell
from transload.server.routes import Route
from transload.server.served import ServedTotals
from transload.server.settings import ServeSettings
from transload.server.uploads import ServedUploads
from transload.threads import no_threads
from transload.values import define, field, frozen

if TYPE_CHECKING:
    from transload.server.page.pages import Pages

THREADS = 16

P = ParamSpec("P")
T = TypeVar("T")


@define
class Counts:
    """The running sums behind `ServedTotals`. Only the server's event loop changes them."""

    by_kind: Counter[tuple[str, str]] = field(factory=Counter)
    by_status: Counter[int] = field(factory=Counter)
    bytes_sent: int = 0
    bytes_received: int = 0

    def asked(self, method: str, kind: str) -> None:
        """A request has arrived."""
        self.by_kind[method, kind] += 1

    def snapshot(self) -> ServedTotals:
        """The sums as they are now."""
        by_kind = self.by_kind.copy()
        return ServedTotals(
            total=by_kind.total(),
            by_kind=by_kind,
            by_status=self.by_status.copy(),
            bytes_sent=self.bytes_sent,
            bytes_received=self.bytes_received,
        )


class Service:
    """One store that is served. Its methods block, so they run in a limited number of threads, never in the loop."""

    def __init__(
        self,
        store: Source | Target,
        settings: ServeSettings,
        clock: Clock = SYSTEM_CLOCK,
        about: Callable[[], About] = About,
        tell_pulls: Tell | None = None,
    ) -> None:
        self.store = store
        self.settings = settings
        self.backend = Backend(store)
        self.auth = BasicAuth(settings.users)
        self.counts = Counts()
        self.arriving = 0  # bodies of requests; only the event loop counts them
        self.sending = 0  # blobs in batches: over TLS, or from what is no file
        self.uploads = ServedUploads(settings.spool_folder, clock, spools=self.backend.spools)
        self.pulls = None if tell_pulls is None else Pulls(clock)
        self._tell_pulls = tell_pulls
        self._flights: WeakValueDictionary[Digest, asyncio.Lock] = WeakValueDictionary()
        self._threads: ThreadPoolExecutor | None = None
        self._about = about
        self._clock = clock
        self._pages: Pages | None = None
        self._pages_made = threading.Lock()

    def start(self) -> None:
        """Start the threads, fewer if the system gives no more. Raises `LocalError` if it gives none."""
        self._threads = _threads(affordable(THREADS, files_allowed(), space_left()))

    async def run(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """The result of `work(*arguments)`, called in a thread."""
        loop = asyncio.get_running_loop()
        if self._threads is None:
            raise RuntimeError("the service was not started")
        return await loop.run_in_executor(self._threads, lambda: work(*arguments, **named))

    def pages(self) -> Pages:
        """What makes pages, loaded with jinja2 when the first one is asked for. Raises `PartMissing`."""
        with self._pages_made:
            if self._pages is None:
                from transload.server.page.pages import Pages

                self._pages = Pages(self.backend, self._about, self._clock)
            return self._pages

    async def tell_pulls(self, *, all_of_them: bool = False) -> None:
        """Tell of the pulls that are over, in a thread: the reader of a log may take its time."""
        if self.pulls is not None and self._tell_pulls is not None:
            over, lost = self.pulls.take(all_of_them=all_of_them)
            if over or lost:
                await self.run(self._tell_pulls, over, lost)

    def flight(self, digest: Digest) -> asyncio.Lock:
        """A lock that is held while a blob is stored, so that two clients with the same blob do not collide."""
        return self._flights.setdefault(digest, asyncio.Lock())

    def close(self) -> None:
        """End the threads and close the uploads. Called after the last request."""
        self.uploads.stopping.set()
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
        self.uploads.close()


def _threads(count: int) -> ThreadPoolExecutor:
    """A pool of `count` threads that run already; of fewer if the system does not give so many."""
    pool, gate = ThreadPoolExecutor(count, thread_name_prefix="transload-serve"), threading.Event()
    for started in range(count):
        try:
            pool.submit(gate.wait)  # all wait, so each of them is in a thread of its own
        except RuntimeError:
            if not started:
                pool.shutdown(cancel_futures=True)
                raise no_threads() from None
            pool._max_workers = started  # or it would try again at each call, and fail
            break
    gate.set()
    return pool


@frozen
class Call:
    """One request to a server, and its route."""

    service: Service
    request: web.BaseRequest
    route: Route
    client: Client
    body: Body = field(factory=Body)
