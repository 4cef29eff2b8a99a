"""A cluster of Dask, as the coordinator sees it: which workers fit, tasks given out, and what they tell.

Dask's own promises that this relies on: a task whose worker is lost runs on another one; one that was running when
`allowed-failures` workers died ends with `KilledWorker`; futures that their client has dropped are forgotten.
"""

from __future__ import annotations

import asyncio
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
from transload.values import field, frozen
from transload.version import __version__

_LOOK_S = 2.0
"""How often the scheduler is asked which workers there are."""
_RESULT_S = 20.0
_ANSWER_S = 10.0
"""How long a worker may take to answer. One that is frozen never does, and Dask would wait for it for minutes."""
_SILENT_S = 60.0
"""A worker that did not answer is asked again after so long."""
_VERSIONS = {
    "Dask": ("distributed:__version__", dask_version),
    "transload": ("transload.version:__version__", __version__),
}
"""What must be the same everywhere: where it is found, and which it is here."""
_ALIKE = "install the same version everywhere: the scheduler, the workers and here"
_AGAIN = "run the same again: what is there already is not sent again"
_WARNINGS = 10
"""So many workers that do not fit are told, at most: one that is started again and again has new addresses."""


@frozen
class _Given:
    """A task that was given out, to be done by one of the workers `to`."""

    future: Any
    to: frozenset[str] = field(kw_only=True)


class DaskCluster:
    """The workers of `client`, for one run. `jobs` is how many tasks a worker does at a time, at most.

    A worker that does not fit is told with `warn`, and gets no task: it has another version, or lacks one of `folders`.
    """

    def __init__(
        self,
        client: Client,
        errand: worker.Errand,
        *,
        jobs: int,
        warn: Callable[[str], None],
        folders: tuple[str, ...] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._client: Any = client  # its methods have no types
        self._errand = errand
        self._jobs = jobs
        self._warn = warn
        self._folders = folders
        self._clock = clock
        self._news: queue.SimpleQueue[Message | Ended | Unreachable] = queue.SimpleQueue()
        self._given: dict[str, _Given] = {}
        self._fit: set[str] = set()
        self._unfit: dict[str, PrerequisiteMissing] = {}
        self._silent: dict[str, float] = {}
        """Until when a worker is not asked again."""
        self._looked_s = float("-inf")
        self._threads: Mapping[str, int] = {}
        """Of the workers that are there and fit."""
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

    def wait(self, patience_s: float, cancellation: Cancellation) -> None:
        """Wait until there is a worker. Raises `Unreachable`, or `PrerequisiteMissing` if none that is there fits."""
        until_s, told = self._clock.monotonic_s() + patience_s, False
        while not self.at_a_time():
            if self._clock.monotonic_s() > until_s:
                raise Unreachable(
                    f"the scheduler {self.address} has had no worker for {patience_s:.0f} seconds",
                    hint=f"start workers: dask worker {self.address}",
                )
            if not told:
                self._warn(f"the scheduler has no worker yet: waiting for one, up to {patience_s:.0f} seconds")
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
        """Learn which of them fit; those that have gone meanwhile are asked again if they come back."""
        for what, (where, _) in _VERSIONS.items():
            versions, addresses = self._ask(addresses, pkgutil.resolve_name, where), []
            for address, version in versions.items():
                try:
                    _check_version(f"the worker {address}", what, version)
                except PrerequisiteMissing as error:
                    self._unfit[address] = error
                else:
                    addresses.append(address)
        if self._folders and addresses:
            lacking, addresses = self._ask(addresses, worker.unseen, self._folders), []
            for address, unseen in lacking.items():
                if unseen is None:
                    addresses.append(address)
                else:
                    self._unfit[address] = PrerequisiteMissing(
                        f"the worker {address} does not see the images in {shown(str(unseen))}",
                        hint="mount the folder there, under the same path, and let the worker's user read it",
                    )
        self._fit.update(addresses)

    def _ask(self, addresses: list[str], function: Callable[..., Any], *words: object) -> dict[str, Any]:
        """What each worker returns, or an exception. Those that have gone, or do not answer in time, are left out."""

        async def asked(address: str) -> Any:
            asking = self._client.run(function, *words, workers=[address], on_error="return")
            try:
                return (await asyncio.wait_for(asking, _ANSWER_S)).get(address, OSError())
            except TimeoutError as error:
                return error

        async def all_asked() -> list[Any]:
            return await asyncio.gather(*map(asked, addresses))

        with self._asking():
            answers = dict(sorted(zip(addresses, self._client.sync(all_asked), strict=True)))
        for address in [address for address, answer in answers.items() if isinstance(answer, OSError)]:
            if isinstance(answers.pop(address), TimeoutError):
                if address not in self._silent and len(self._silent) < _WARNINGS:
                    self._warn(f"the worker {address} did not answer within {_ANSWER_S:.0f} seconds: it is left out")
                self._silent[address] = self._clock.monotonic_s() + _SILENT_S
        return answers

    def _leave_out(self, before: int) -> None:
        """Tell which workers do not fit, of which so many were told before."""
        for error in list(self._unfit.values())[before:_WARNINGS]:
            self._warn(f"{error.message}: it is left out ({error.hint})")

    # --- the coordinator's side

    def at_a_time(self) -> int:
        """See `coordinator.Cluster`. New workers are checked first. Raises `PrerequisiteMissing` if none fits."""
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s >= _LOOK_S or not self._threads:
            self._looked_s = now_s
            self._look()
        return sum(min(threads, self._jobs) for threads in self._threads.values())

    def _look(self) -> None:
        """Learn which workers there are."""
        with self._asking():
            there = dict(self._client.nthreads())
        if not self._fit:
            self._check_scheduler()
        told = len(self._unfit)
        now_s, known = self._clock.monotonic_s(), self._fit | self._unfit.keys()
        if new := [address for address in there if address not in known and now_s >= self._silent.get(address, 0)]:
            self._check_workers(new)
        self._threads = {address: threads for address, threads in there.items() if address in self._fit}
        if not self._fit:
            for address in there:
                if address in self._unfit:
                    raise self._unfit[address]
        self._leave_out(told)
        self._take_back(frozenset(there))

    def _take_back(self, there: frozenset[str]) -> None:
        """End the tasks whose workers have all gone: Dask would keep them for these, and they may never come back."""
        for task, given in list(self._given.items()):
            if not given.to & there:
                self._given.pop(task, None)
                with self._asking():
                    self._client.cancel([given.future], force=True)
                self._news.put(Ended(task, was_fatal=True))

    def submit(self, task: str, part: Plan) -> None:
        """See `coordinator.Cluster`. Dask chooses among the workers that fit; one that comes later is checked first."""
        to = sorted(self._threads)
        errand = self._errand.for_worker(len(to))
        with self._asking():
            future = self._client.submit(worker.carry, errand, task, dump_plan(part), key=task, pure=False, workers=to)
        self._given[task] = _Given(future, to=frozenset(to))
        future.add_done_callback(self._end)

    def news(self, timeout_s: float) -> list[Message | Ended]:
        """See `coordinator.Cluster`."""
        found: list[Message | Ended] = []
        with contextlib.suppress(queue.Empty):
            heard = self._news.get(timeout=timeout_s)
            while True:
                if isinstance(heard, Unreachable):
                    raise heard
                if isinstance(heard, Ended):
                    heard = self._judged(heard, self._given.pop(heard.task, None))
                found.append(heard)
                heard = self._news.get_nowait()
        return found

    def _judged(self, ended: Ended, given: _Given | None) -> Ended:
        """The same; without its error if a worker may have had it that has another version since it came back.

        Dask knows workers by their addresses, and gives a lost worker's task to the next one at the same address.
        """
        if ended.error is None or given is None:
            return ended
        self._fit -= given.to
        self._look()
        return Ended(ended.task) if given.to & self._unfit.keys() else ended

    def stop(self) -> None:
        """See `coordinator.Cluster`."""
        self._tell_all(worker.stop)

    def _leave(self) -> None:
        with contextlib.suppress(Unreachable, PrerequisiteMissing), self._asking():
            self._client.unsubscribe_topic(worker.TOPIC)
            if self._given:
                self._client.cancel([given.future for given in self._given.values()], force=True)
            self._given.clear()
            if self._threads:
                self._tell_all(worker.end)

    def _tell_all(self, function: Callable[[str], None]) -> None:
        """Call `function` on the workers that had tasks. One that does not answer in time is left alone."""

        async def told() -> None:
            asking = self._client.run(function, self._errand.name, workers=list(self._threads), on_error="ignore")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asking, _ANSWER_S)

        with self._asking():
            self._client.sync(told)

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
        elif future.key in self._given and not self._gone:  # nobody here has cancelled it
            self._gone = True
            self._news.put(self._lost())

    def _result(self, future: Any) -> Ended | Unreachable:
        try:
            return Ended(future.key, Message.from_text(str(future.result(timeout=_RESULT_S))))
        except (DocumentInvalid, UnicodeError) as error:  # of a worker that has another version
            return Ended(future.key, error=error)
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
