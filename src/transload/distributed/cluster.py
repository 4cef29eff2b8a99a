"""A cluster of Dask, as the coordinator sees it: whether its workers fit, tasks given out, and what they tell.

Dask's own promises that this relies on: a task whose worker is lost runs on another one; one that was running when
`allowed-failures` workers died ends with `KilledWorker`; futures that their client has dropped are forgotten.
"""

from __future__ import annotations

import contextlib
import pkgutil
import queue
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from distributed import Client, KilledWorker
from distributed import __version__ as dask_version  # type: ignore[attr-defined]  # not declared
from distributed.client import ClosedClientError

from transload.clock import SYSTEM_CLOCK, Clock
from transload.distributed import worker
from transload.distributed.coordinator import Ended
from transload.distributed.messages import Message
from transload.errors import DocumentInvalid, PrerequisiteMissing, Unreachable
from transload.planning import Plan
from transload.planning.planfile import dump_plan
from transload.threads import Cancellation
from transload.trust.doubt import plain, shown
from transload.version import __version__

_LOOK_S = 2.0
"""How often the scheduler is asked which workers there are."""
_RESULT_S = 20.0
_VERSIONS = {
    "Dask": ("distributed:__version__", dask_version),
    "transload": ("transload.version:__version__", __version__),
}
"""What must be the same everywhere: where it is found, and which it is here."""
_ALIKE = "install the same version everywhere: the scheduler, the workers and here"
_AGAIN = "run the same again: what is there already is not sent again"


class DaskCluster:
    """The workers of `client`, for one run. `jobs` is how many tasks a worker does at a time, at most."""

    def __init__(self, client: Client, errand: worker.Errand, *, jobs: int, clock: Clock = SYSTEM_CLOCK) -> None:
        self._client: Any = client  # its methods have no types
        self._errand = errand
        self._jobs = jobs
        self._clock = clock
        self._news: queue.SimpleQueue[Message | Ended | Unreachable] = queue.SimpleQueue()
        self._futures: dict[str, Any] = {}
        self._checked: set[str] = set()
        self._looked_s = float("-inf")
        self._threads: Mapping[str, int] = {}
        self._gone = False

    @property
    def address(self) -> str:
        """The scheduler's."""
        return str(self._client.scheduler.address) if self._client.scheduler else "of this client"

    # --- before the first task

    @contextlib.contextmanager
    def joined(self) -> Iterator[None]:
        """In this block, hear of the run's tasks; at its end, nothing of them is left at the scheduler."""
        with self._asking():
            self._client.subscribe_topic(worker.TOPIC, self._hear)
        try:
            yield
        finally:
            self._leave()

    def wait(self, patience_s: float, cancellation: Cancellation, tell: Callable[[str], None]) -> None:
        """Wait until there is a worker, and check all of them. Raises `Unreachable`, `PrerequisiteMissing`."""
        until_s, told = self._clock.monotonic_s() + patience_s, False
        while not self.at_a_time():
            if self._clock.monotonic_s() > until_s:
                raise Unreachable(
                    f"the scheduler {self.address} has had no worker for {patience_s:.0f} seconds",
                    hint=f"start workers: dask worker {self.address}",
                )
            if not told:
                tell(f"the scheduler has no worker yet: waiting for one, up to {patience_s:.0f} seconds")
            told = True
            self._clock.sleep_s(0.5, cancellation.wake)
            cancellation.check()

    def _check_scheduler(self) -> None:
        """The scheduler reads what tasks call, so it needs transload too."""
        for what, (where, _) in _VERSIONS.items():
            with self._asking():
                try:
                    found: Any = self._client.run_on_scheduler(pkgutil.resolve_name, where)
                except ImportError as error:
                    found = error
            _check_version(f"the scheduler {self.address}", what, found)

    def _check_workers(self, addresses: list[str]) -> None:
        for what, (where, _) in _VERSIONS.items():
            with self._asking():
                found = self._client.run(pkgutil.resolve_name, where, workers=addresses, on_error="return")
            there = {address: version for address, version in found.items() if not isinstance(version, OSError)}
            for address, version in sorted(there.items()):  # the others have gone meanwhile
                _check_version(f"the worker {address}", what, version)
        self._checked.update(there)

    # --- the coordinator's side

    def at_a_time(self) -> int:
        """See `coordinator.Cluster`. New workers are checked first. Raises `PrerequisiteMissing`."""
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s >= _LOOK_S or not self._threads:
            self._looked_s = now_s
            with self._asking():
                self._threads = dict(self._client.nthreads())
            if not self._checked:
                self._check_scheduler()
            if new := [address for address in self._threads if address not in self._checked]:
                self._check_workers(new)
        return sum(min(threads, self._jobs) for threads in self._threads.values())

    def submit(self, task: str, part: Plan) -> None:
        """See `coordinator.Cluster`."""
        with self._asking():
            future = self._client.submit(
                worker.carry, self._errand.for_worker(len(self._threads)), task, dump_plan(part), key=task, pure=False
            )
        self._futures[task] = future
        future.add_done_callback(self._end)

    def news(self, timeout_s: float) -> list[Message | Ended]:
        """See `coordinator.Cluster`. Raises `PrerequisiteMissing` if a task failed and a worker does not fit."""
        found: list[Message | Ended] = []
        with contextlib.suppress(queue.Empty):
            heard = self._news.get(timeout=timeout_s)
            while True:
                if isinstance(heard, Unreachable):
                    raise heard
                if isinstance(heard, Ended):
                    self._futures.pop(heard.task, None)
                    if heard.error is not None:  # a bug, or a worker had it that came a moment ago
                        self._looked_s = float("-inf")
                        self.at_a_time()
                found.append(heard)
                heard = self._news.get_nowait()
        return found

    def stop(self) -> None:
        """See `coordinator.Cluster`."""
        with self._asking():
            self._client.run(worker.stop, self._errand.name, on_error="ignore")

    def _leave(self) -> None:
        with contextlib.suppress(Unreachable, PrerequisiteMissing), self._asking():
            self._client.unsubscribe_topic(worker.TOPIC)
            if self._futures:
                self._client.cancel(list(self._futures.values()), force=True)
            self._futures.clear()
            if self._threads:
                self._client.run(worker.end, self._errand.name, on_error="ignore")

    # --- called by threads of Dask

    def _hear(self, event: tuple[float, Any]) -> None:
        """A message under our topic, perhaps of another run: the coordinator knows its own tasks."""
        with contextlib.suppress(DocumentInvalid, UnicodeError):
            self._news.put(Message.from_text(str(event[1])))

    def _end(self, future: Any) -> None:
        if future.status == "finished":
            self._news.put(self._result(future))
        elif future.status == "error":
            error = future.exception()
            is_fatal = isinstance(error, KilledWorker)
            self._news.put(Ended(future.key, was_fatal=is_fatal, error=None if is_fatal else error))
        elif future.key in self._futures and not self._gone:  # nobody here has cancelled it
            self._gone = True
            self._news.put(self._lost())

    def _result(self, future: Any) -> Ended | Unreachable:
        try:
            return Ended(future.key, str(future.result(timeout=_RESULT_S)))
        except (OSError, TimeoutError):  # its worker has died since; what was not told before is given out again
            return Ended(future.key)
        except ClosedClientError:
            return self._lost()

    def _lost(self) -> Unreachable:
        return Unreachable(
            f"the scheduler {self.address} has gone, or forgot this run", hint=f"start it again, and {_AGAIN}"
        )

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Errors of Dask's connections in this block are ours. Raises `Unreachable`."""
        try:
            yield
        except (OSError, TimeoutError, ClosedClientError) as error:
            raise self._lost() from error
        except AttributeError as error:
            if self._client.status in {"closed", "closing"}:  # a closed client has no scheduler any more
                raise self._lost() from error
            raise


def _check_version(who: str, what: str, found: object) -> None:
    """Raises `PrerequisiteMissing` unless `found`, a version or what came instead, is the one here."""
    _, here = _VERSIONS[what]
    if isinstance(found, ImportError):
        raise PrerequisiteMissing(
            f"{who} has no {what}",
            hint=f"install it there: python3 -m pip install 'transload[distributed]=={__version__}'",
        )
    if isinstance(found, BaseException):
        raise PrerequisiteMissing(f"{who} does not say which {what} it has: {shown(found)}", hint=_ALIKE)
    if found != here:
        raise PrerequisiteMissing(f"{who} has {what} {plain(found)}, and this is {here}", hint=_ALIKE)
