"""What runs on a worker: a task carries out a part of a plan with the engine, and tells the client what happens.

Logins, proxies and certificates of hosts come from the worker's own environment: nothing secret is in a task. The tasks
of a run share one HTTP client in each process, so that a registry sees no more connections than in a local run.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from distributed import get_worker

from transload.allowance import no_memory
from transload.app.answers import Answers
from transload.app.location import Location
from transload.app.mirror import publishers_of
from transload.app.network import Network
from transload.app.settings import read_environment
from transload.app.stores import Listeners, Logins, Stores
from transload.distributed.messages import Message, Told, shortened, told
from transload.errors import AccessError, Interrupted, LocalError, TransloadError, Unreachable
from transload.events import Event, StepDone, StepFailed
from transload.files.trouble import local_error
from transload.net.rates import LEAST, NO_RATE_LIMITS, RateLimits
from transload.net.traffic import HostTraffic
from transload.planning import Plan
from transload.planning.planfile import load_plan
from transload.ports import Continues, Target
from transload.threads import Cancellation
from transload.transfer import Journal, run
from transload.values import frozen

TOPIC = "transload"
_PULSE_S = 0.25
_SMALL = 4  # threads for small blobs, in each of a worker's threads
_STOPPED: deque[str] = deque(maxlen=100)
_SESSIONS: dict[tuple[str, Any], _Session] = {}
_LOCK = threading.Lock()


@frozen(kw_only=True)
class Errand:
    """What all tasks of a run have in common. It holds no secret.

    `network` are the settings of connections, and `authorities` the content of the files of certificate authorities.
    """

    name: str
    network: Mapping[str, Any]
    limit_rate: RateLimits = NO_RATE_LIMITS
    authorities: tuple[bytes, ...] = ()

    def for_worker(self, workers: int) -> tuple[Any, ...]:
        """What one of so many `workers` is given: plain values, which need no class of ours to be read.

        Each gets its part of the limit on the rate, so that all together keep it.
        """
        rates = tuple(
            f"{'' if part == 'whole' else f'{part}='}{max(LEAST, rate / max(1, workers)):.0f}"
            for part in ("whole", "source", "target")
            if (rate := getattr(self.limit_rate, part)) is not None
        )
        return (self.name, dict(self.network) | {"limit_rate": rates}, self.authorities)


def carry(errand: tuple[Any, ...], key: str, part: bytes) -> str:
    """The task: carry out `part`, a plan, as far as it goes; returns the last message. Only bugs are raised."""
    name, network, authorities = errand
    wanted = Errand(name=name, network=network, authorities=authorities)
    plan = load_plan(part)
    worker = get_worker()
    outbox = _Outbox(key, worker.address)
    try:
        with _joined(wanted, plan.target, outbox) as session:
            cancellation = Cancellation.within(session.cancellation)
            with _pulse(worker, outbox, cancellation, session):
                session.carry_out(plan, outbox, cancellation)
    except Interrupted:
        pass
    except TransloadError as error:
        outbox.fail_all(plan, error)
    except MemoryError:
        outbox.fail_all(plan, no_memory())
    except OSError as error:
        outbox.fail_all(plan, local_error(error, "a worker cannot go on"))
    last = outbox.everything().to_text()
    worker.log_event(TOPIC, last)  # if the worker dies now, nobody can ask it for the result
    return last


def unseen(folders: tuple[str, ...]) -> str | None:
    """The first of the folders with images that this worker does not see, or may not read."""
    return next((folder for folder in folders if not os.access(Path(folder, "oci-layout"), os.R_OK)), None)


def stop(run_name: str) -> None:
    """End the tasks of a run in this process: what moves is parked where the target can, and nothing more begins."""
    with _LOCK:
        if run_name not in _STOPPED:
            _STOPPED.append(run_name)
        sessions = [session for (of, _), session in _SESSIONS.items() if of == run_name]
    for session in sessions:
        session.cancellation.cancel()


def end(run_name: str) -> None:
    """The run is over: close its connections in this process, once no task of it is left."""
    with _LOCK:
        ended = [session for (of, _), session in _SESSIONS.items() if of == run_name]
        for session in ended:
            session.is_over = True
    for session in ended:
        session.close_if_over()


class _Outbox:
    """Collects what is told of a task. Safe for threads."""

    def __init__(self, key: str, address: str) -> None:
        self.key = key
        self._address = address
        self._lock = threading.Lock()
        self._events: list[Told] = []
        self._ended: dict[int, Told] = {}
        self._notices: list[str] = []
        self.traffic: Callable[[], Mapping[str, HostTraffic]] = dict

    def hear(self, event: Event) -> None:
        """An event of the engine."""
        known = told(event)
        if known is None:
            return
        if isinstance(known, StepFailed):
            known = StepFailed(known.step, self._placed(known.error))
        with self._lock:
            self._events.append(known)
            if isinstance(known, StepDone | StepFailed):
                self._ended[known.step] = known

    def notice(self, text: str) -> None:
        """A warning for people."""
        with self._lock:
            self._notices.append(f"{text} (worker {self._address})")

    def fail_all(self, plan: Plan, error: TransloadError) -> None:
        """Nothing of the part can be done on this worker; another one may see a folder that is not here."""
        error = self._on_this_worker(error)
        for step in plan.steps:
            if step.id not in self._ended:
                self.hear(StepFailed(step.id, error))

    def news(self) -> Message | None:
        """What happened since the last call; None if nothing did."""
        with self._lock:
            events, self._events = shortened(self._events), []
            notices, self._notices = tuple(self._notices), []
        return Message(task=self.key, events=events, notices=notices) if events or notices else None

    def everything(self) -> Message:
        """How every step ended, whether that was told before or not; a step that is not in it did not end."""
        with self._lock:
            notices, self._notices = tuple(self._notices), []
            return Message(task=self.key, events=tuple(self._ended.values()), notices=notices, traffic=self.traffic())

    def _placed(self, error: TransloadError) -> TransloadError:
        """With the worker, where the same may succeed on another machine."""
        return self._on_this_worker(error) if isinstance(error, LocalError | AccessError | Unreachable) else error

    def _on_this_worker(self, error: TransloadError) -> TransloadError:
        where = f"this was on the worker {self._address}"
        if where not in (error.hint or ""):  # one error may end many steps
            error.hint = f"{error.hint}; {where}" if error.hint else where
        return error


@contextlib.contextmanager
def _pulse(worker: Any, outbox: _Outbox, cancellation: Cancellation, session: _Session) -> Iterator[None]:
    """During the block, tell the client what happens, and stop when nobody wants the task any more."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(_PULSE_S):
            if (message := outbox.news()) is not None:
                worker.log_event(TOPIC, message.to_text())
            # Dask ends no thread. A task whose client has gone, or cancelled it, is no longer `executing`.
            task = worker.state.tasks.get(outbox.key)
            if task is None or task.state not in {"executing", "long-running"}:
                session.is_over = True  # the connections end with its tasks; another one would open new ones
                cancellation.cancel()

    thread = threading.Thread(target=beat, name="transload-pulse", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def _joined(errand: Errand, target: str, outbox: _Outbox) -> Iterator[_Session]:
    """The session of the run in this process, for one task. Raises `Interrupted` if the run was stopped."""
    name = (errand.name, errand.network["limit_rate"])
    with _LOCK:
        if errand.name in _STOPPED:
            raise Interrupted("interrupted")
        if name not in _SESSIONS or _SESSIONS[name].is_over:
            for other in [other for other in _SESSIONS.values() if not other.users]:
                other.is_over = True  # its client has gone; if not, it opens another one
            _SESSIONS[name] = _Session(errand, target)
        session = _SESSIONS[name]
        session.users += 1
        over = [other for other in _SESSIONS.values() if other.is_over]
    for other in over:
        other.close_if_over()
    session.notice, outbox.traffic = outbox.notice, session.traffic
    try:
        yield session
    finally:
        with _LOCK:
            session.users -= 1
        session.close_if_over()


class _Session:
    """The open stores of a run in this process."""

    def __init__(self, errand: Errand, target: str) -> None:
        self.cancellation = Cancellation()
        self.users = 0
        self.is_over = False
        self.notice: Callable[[str], None] = lambda _: None
        own = get_worker().local_directory  # Dask clears it away, also after a worker that was killed
        self._folder = tempfile.TemporaryDirectory(prefix="transload-", dir=own)
        files = []
        for number, content in enumerate(errand.authorities):
            files.append(Path(self._folder.name, f"{number}.pem"))
            files[-1].write_bytes(content)
        environment = read_environment()
        self._stores = Stores(
            environment,
            Network(ca_files=tuple(files), **errand.network),
            _logins(Answers.from_variables(environment.incumbent), target),
            self.cancellation,
            listeners=Listeners(notice=lambda text: self.notice(text)),
        )
        self._reported: dict[str, HostTraffic] = {}
        self._ending = contextlib.ExitStack()
        self._keeps_notes = self._is_closed = False
        self._lock = threading.Lock()

    def carry_out(self, plan: Plan, outbox: _Outbox, cancellation: Cancellation) -> None:
        """Carry out a part of the plan."""
        stores = self._stores
        origins = {locator: Location.parse(locator) for locator in {step.source_store for step in plan.steps}}
        run(
            plan,
            {locator: stores.source(origin) for locator, origin in origins.items()},
            self._target(Location.parse(plan.target)),
            listen=outbox.hear,
            journal=Journal(),
            cancellation=cancellation,
            bodies=min(_SMALL, stores.most_bodies),
            small=_SMALL,
            recheck=True,
            by_size=True,
            publishers=publishers_of(plan, stores),
            give_up_after_s=stores.patience_s,
        )

    def _target(self, location: Location) -> Target:
        """The target, which notes in the state folder of this worker where an upload goes on that was stopped."""
        with self._lock:
            target = self._stores.target(location, create=False)
            continues: Continues | None = getattr(target, "continues", None)
            if continues is not None and not self._keeps_notes:
                self._keeps_notes = True
                journal = self._stores.journal(location)
                self._ending.enter_context(journal.held())
                continues.keep_notes(journal)
        return cast("Target", _OfAllTasks(target))

    def traffic(self) -> dict[str, HostTraffic]:
        """What was sent and received since the last call."""
        network = self._stores.used_network
        if network is None:
            return {}
        with self._lock:
            before, self._reported = self._reported, network.traffic.hosts()
            return {host: sums.since(before.get(host, HostTraffic())) for host, sums in self._reported.items()}

    def close_if_over(self) -> None:
        """Close it when the run is over and its last task too."""
        with _LOCK:
            if not self.is_over or self.users or self._is_closed:
                return
            self._is_closed = True
            for name in [name for name, session in _SESSIONS.items() if session is self]:
                del _SESSIONS[name]
        self._ending.close()
        self._stores.__exit__()
        self._folder.cleanup()


class _OfAllTasks:
    """A target of several tasks. None of them may change where it keeps its notes, as a run of its own would."""

    continues = None

    def __init__(self, target: Target) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)


def _logins(answers: Answers, target: str) -> Logins:
    """The logins in this worker's variables, each only for the registry that the variables name too."""
    hosts = frozenset({answers.source_registry}) if answers.source_registry else frozenset()
    return Logins(answers.source_login(), answers.target_login() if answers.target_registry == target else None, hosts)
