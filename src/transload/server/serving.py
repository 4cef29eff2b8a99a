"""Runs a server: in a thread of its own, or in the foreground until a signal comes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from typing import Any

from transload.allowance import files_allowed, give_back, share_one_heap
from transload.errors import Busy, LocalError, TransloadError, UsageError
from transload.files import local_errors, open_file
from transload.ports import Source, Target
from transload.server.about import About
from transload.server.connections import Connections, places_for
from transload.server.dispatch import Dispatch
from transload.server.pulls import Tell
from transload.server.served import Served
from transload.server.service import Service
from transload.server.settings import ServeSettings
from transload.signals import HANGUP, ending
from transload.threads import begin

_READ_BUFFER_BYTES = 64 << 10  # aiohttp keeps twice as much of each body that arrives faster than it is taken
_KEEPALIVE_S = 75.0
_HANDSHAKE_TIMEOUT_S = 10.0
_BACKLOG = 128  # connections that the system keeps until they are accepted
_ACCEPTED_AT_ONCE = 8  # few, so that idle connections can be closed before the next ones
_SWEEP_S = 60.0
_PULLS_S = 1.0
_TURNS = 4  # of the event loop, until a connection that was just accepted is one that can be shut down
_LEAST_FILES = 20

_log = logging.getLogger("transload.server")

# aiohttp's log of requests that are not HTTP. It has a traceback for each of them, so it is not passed on.
_wire = logging.getLogger("transload.server.wire")
_wire.addHandler(logging.NullHandler())
_wire.propagate = False


@contextlib.contextmanager
def in_thread(store: Source | Target, settings: ServeSettings, *, tell_pulls: Tell | None = None) -> Iterator[Served]:
    """Serve `store` for the block; see `transload.server.serve`, and `serve_forever` for `tell_pulls`."""
    service = Service(store, settings, tell_pulls=tell_pulls)
    started: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        stop = asyncio.Event()
        async with _listening(service) as port:
            started.set_result((port, asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(live())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="transload-served", daemon=True)
    begin(thread)
    port, loop, stop = started.result()

    def close() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(stop.set)
        thread.join()

    try:
        yield Served(service, port, close)
    finally:
        close()


def serve_forever(
    store: Source | Target,
    settings: ServeSettings,
    announce: Callable[[str], None],
    about: Callable[[], About] = About,
    tell_pulls: Tell | None = None,
) -> None:
    """Serve `store` until a signal asks to end. `announce` gets the URL when the server accepts connections.

    `about` says what the front page shows of the store as a whole; it is asked anew for each page, in a thread.
    `tell_pulls` gets the pulls that are over, in a thread, some of them at a time.
    After the first signal running requests may end; the second stops at once. Raises what `serve` raises.
    """
    share_one_heap()
    service = Service(store, settings, about=about, tell_pulls=tell_pulls)

    async def live() -> None:
        stop = asyncio.Event()
        with _signals(stop):
            async with _listening(service) as port:
                announce(Served(service, port, stop.set).url)
                await stop.wait()

    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(live())


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` at the first signal, cancel the task at the second. Where the loop cannot handle signals (Windows),
    Ctrl-C cancels at once.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def asked() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
        stop.set()

    taken = []
    with contextlib.suppress(NotImplementedError):
        for number in ending():
            loop.add_signal_handler(number, stop.set if number == HANGUP else asked)  # SIGHUP may come twice
            taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def _listening(service: Service) -> AsyncIterator[int]:
    """Accept connections for the block; the value is the port. Afterwards the service is closed."""
    asyncio.get_running_loop().set_exception_handler(_Troubles())
    try:
        _check_files(files_allowed())
        encryption = _tls(service.settings)
        with _bind(service.settings) as listener:
            service.start()
            server = _server(service)
            listening = await asyncio.get_running_loop().create_server(
                server,
                sock=listener,
                ssl=encryption,
                ssl_handshake_timeout=_HANDSHAKE_TIMEOUT_S if encryption else None,
                backlog=_ACCEPTED_AT_ONCE,
            )
            listener.listen(_BACKLOG)
            tasks = [asyncio.create_task(_sweep(service)), asyncio.create_task(_tell_pulls(service))]
            try:
                yield listener.getsockname()[1]
            finally:
                for task in tasks:
                    task.cancel()
                await _accept_no_more(listener)
                listening.close()
                server.pre_shutdown()
                await server.shutdown(service.settings.shutdown_timeout_s)
                await service.tell_pulls(all_of_them=True)
    finally:
        service.close()


async def _accept_no_more(listener: socket.socket) -> None:
    """Accept no more, and give what has been accepted its turn: asyncio would lose the socket of a connection that it
    accepted just before its server is closed.
    """
    with contextlib.suppress(NotImplementedError):  # Windows
        asyncio.get_running_loop().remove_reader(listener)
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _check_files(allowed: int | None) -> None:
    if allowed is not None and allowed < _LEAST_FILES:
        raise LocalError(
            f"{allowed} open files are too few to serve a store", hint=f"allow at least {_LEAST_FILES} (ulimit -n)"
        )


class _Troubles:
    """Logs connections that could not be accepted: one sentence per minute at most, without a traceback."""

    def __init__(self) -> None:
        self._again_s = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError | MemoryError):
            loop.default_exception_handler(context)
            return
        if loop.time() >= self._again_s:
            self._again_s = loop.time() + _SWEEP_S
            why = "there is not enough memory" if isinstance(error, MemoryError) else error.strerror or error
            _log.warning("a connection could not be taken: %s", why)


async def _sweep(service: Service) -> None:
    """End idle uploads regularly, those of an earlier server first, and give free memory back."""
    while True:
        if service.settings.writable:
            try:
                await service.run(service.uploads.sweep)
            except TransloadError as error:
                _log.warning("unfinished uploads could not be cleaned up: %s", error.message)
        await asyncio.sleep(_SWEEP_S)
        await service.run(give_back)


async def _tell_pulls(service: Service) -> None:
    """Tell of pulls every second."""
    while service.pulls is not None:
        await asyncio.sleep(_PULLS_S)
        await service.tell_pulls()


def _server(service: Service) -> Connections:
    return Connections(
        Dispatch(service),
        places=places_for(files_allowed()),
        head_timeout_s=service.settings.stall_timeout_s,
        access_log=None,
        logger=_wire,
        auto_decompress=False,  # a body is kept as it came, with any Content-Encoding
        read_bufsize=_READ_BUFFER_BYTES,
        keepalive_timeout=_KEEPALIVE_S,
    )


def _bind(settings: ServeSettings) -> socket.socket:
    where = f"{settings.host}:{settings.port}"
    try:
        family, *_, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except socket.gaierror as error:
        raise UsageError(f"{settings.host!r} is not an address of this machine: {error.strerror}") from error
    except OSError as error:
        kind = Busy if "in use" in str(error).lower() else LocalError
        raise kind(f"cannot listen on {where}: {error.strerror}", subject=where, hint="choose another port") from error


def _tls(settings: ServeSettings) -> ssl.SSLContext | None:
    if settings.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    key = settings.tls_key or settings.tls_certificate

    def passphrase() -> str:  # without this, OpenSSL would ask for it on the terminal
        hint = f"write it without: openssl pkey -in {key.name} -out NEW"
        raise LocalError(f"the TLS key {key} has a passphrase", subject=str(key), hint=hint)

    with local_errors("reading the TLS certificate", settings.tls_certificate):
        for path in dict.fromkeys((settings.tls_certificate, key)):
            open_file(path).close()  # ssl would wait for ever for a pipe
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, passphrase)
    return context
