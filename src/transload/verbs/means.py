"""What all verbs have in common: how stores are reached, who hears what happens, and how the work is stopped."""

from __future__ import annotations

import contextlib
import inspect
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypedDict

from transload.app.network import Network
from transload.app.settings import Environment, read_environment
from transload.app.stores import Carried, Listeners, Logins, Stores
from transload.events import Event, HostTroubled, Progressed, TargetEvent
from transload.login import Login
from transload.threads import Cancellation
from transload.values import frozen
from transload.verbs import arguments
from transload.wording import close_to

AnyEvent = Event | Progressed | HostTroubled | TargetEvent
"""What a progress callback hears: events of the copying, what goes on beside it, and hosts that do not answer.

With several targets, the events of the copying are `TargetEvent`s, which say to which target they belong.
"""

Progress = Callable[[AnyEvent], None]
"""Called by one thread at a time, from any thread of the work; it must return quickly and not raise."""

_KINDS = {
    "source_login": Login,
    "target_login": Login,
    "network": Network,
    "environment": Environment,
    "cancellation": Cancellation,
    "run_id": str,
}
_log = logging.getLogger("transload")


@frozen
class Work:
    """The open stores of a verb, with its listener and its cancellation."""

    stores: Stores
    listen: Progress
    cancellation: Cancellation


class Options(TypedDict, total=False):
    """What all verbs take by name: how stores are reached, and who follows the work.

    Without `environment`, that of the process is read: logins of docker and podman, proxies, `certs.d`, the state
    folder; `environment=Environment()` reads nothing. `source_login` and `target_login` go before logins in files.
    `network` has certificates, hosts without TLS and time limits. `progress` hears what happens; `cancellation` ends
    the work at a safe point, from any thread. `run_id` is the run's name in its result; without, it gets a new one.
    """

    source_login: Login | None
    target_login: Login | None
    network: Network | None
    environment: Environment | None
    progress: Progress | None
    cancellation: Cancellation | None
    run_id: str | None


@frozen(kw_only=True)
class Means:
    """`Options`, and how bundles are read.

    `key` must have signed them; `volumes` are further folders where their volumes lie.
    """

    source_login: Login | None = None
    target_login: Login | None = None
    network: Network | None = None
    environment: Environment | None = None
    progress: Progress | None = None
    cancellation: Cancellation | None = None
    run_id: str | None = None
    key: Path | None = None
    volumes: tuple[Path, ...] = ()

    @classmethod
    def of(cls, options: Options, *, key: Path | None = None, volumes: tuple[Path, ...] = ()) -> Means:
        """From what a verb was given by name. Raises `TypeError`, also for a name that no verb knows."""
        for name in options:
            if name not in Options.__annotations__:
                near = ["source_login", "target_login"] if name == "login" else close_to(name, Options.__annotations__)
                meant = f"; did you mean {' or '.join(near)}?" if near else ""
                raise TypeError(f"unexpected keyword argument {name!r}{meant}")
        return cls(key=key, volumes=volumes, **options)

    def __attrs_post_init__(self) -> None:
        for name, kind in _KINDS.items():
            arguments.of_kind_if_any(name, getattr(self, name), kind)
        if self.progress is not None and not callable(self.progress):
            raise TypeError(f"progress must be callable, not {type(self.progress).__name__}")
        if inspect.iscoroutinefunction(self.progress):  # nobody would await it
            raise TypeError("progress must be an ordinary function, not async def")


@contextlib.contextmanager
def at_work(means: Means) -> Iterator[Work]:
    """Open what a verb needs; leaving the block ends the connections.

    Warnings, such as a file of logins that cannot be read, go to the logger `transload`.
    """
    listen = _one_at_a_time(means.progress)
    cancellation = means.cancellation or Cancellation()
    stores = Stores(
        means.environment or read_environment(),
        means.network or Network(),
        Logins(means.source_login, means.target_login),
        cancellation,
        carried=Carried(means.volumes, means.key),
        listeners=Listeners(
            notice=lambda text: _log.warning(text.removeprefix("warning: ")), working=listen, hosts=listen
        ),
    )
    with stores:
        yield Work(stores, listen, cancellation)


def _one_at_a_time(progress: Progress | None) -> Progress:
    if progress is None:
        return lambda _: None
    lock = threading.RLock()

    def listen(event: AnyEvent) -> None:
        with lock:
            progress(event)

    return listen
