"""Asks hosts over HTTP: pools and slots, retry with one back-off per host, TLS by host, proxies, redirects, counting.

Invariants:
1. `Authorization` never leaves the origin that the caller gave it for, whatever redirects say;
2. no redirect leads from https to http, and none is followed more than ten times;
3. only urllib3 and what it wraps raises inside, only errors of transload come out; errors of a body's source pass as
   they are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Timeout, exceptions
from urllib3.util import make_headers

from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import ProtocolTrouble, TransloadError
from transload.net.address import Origin, Url, redacted, redirect_target
from transload.net.answer import Answer, Reply, Request
from transload.net.backoff import LONGEST_WAIT_S, RETRIED, Backoff, retry_after_s
from transload.net.certificate import Certificate, shown_by
from transload.net.connection import OpenSockets, pool_classes
from transload.net.probe import speaks_tls
from transload.net.proxies import proxy_for
from transload.net.settings import NetSettings
from transload.net.slots import Slots
from transload.net.tls import Circle, Trust
from transload.net.traffic import Traffic
from transload.net.trouble import FOREIGN, proxy_refusal, translated
from transload.nursery import Cancellation
from transload.ports import Chunk

_REDIRECTS = {301, 302, 303, 307, 308}
_HOPS = 10
_POOLS = 64
_CONNECTING = (exceptions.NewConnectionError, exceptions.ConnectTimeoutError, exceptions.SSLError)
T = TypeVar("T")


class _SourceFailed(Exception):
    """Carries an error of a body's source past urllib3, which would take an `OSError` for the network's."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class _Host:
    """What all requests to one origin share."""

    def __init__(self, slots: int, clock: Clock) -> None:
        self.slots = Slots(slots)
        self.backoff = Backoff(clock)


class Http:
    """The only door to the network. Safe for threads; `close` (or a `with` block) drops its connections."""

    def __init__(
        self,
        settings: NetSettings | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        cancellation: Cancellation | None = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.settings = settings or NetSettings()
        self.traffic = Traffic()
        self.clock = clock
        self.cancellation = cancellation or Cancellation()
        self._trust = Trust(self.settings, notice)
        self._lock = threading.Lock()
        self._hosts: dict[Origin, _Host] = {}
        self._managers: dict[tuple[Circle | None, str | None], PoolManager] = {}
        self._schemes: dict[str, Origin] = {}
        self._probing = threading.Lock()
        self._sockets = OpenSockets()
        self.cancellation.on_silence(self._sockets.cut)

    def __enter__(self) -> Http:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Drop idle connections."""
        with self._lock:
            managers, self._managers = list(self._managers.values()), {}
        for manager in managers:
            manager.clear()

    # --- asking

    def ask(self, request: Request) -> Reply:
        """The whole answer, whatever its status; retried within the budget if the request permits it.

        Raises `Unreachable` and its kin, `LimitExceeded`, `InsecureRefused`, `Interrupted`.
        """
        return self._tried(request, lambda answer: answer.reply(request.limit))

    @contextmanager
    def pour(self, request: Request) -> Iterator[Answer]:
        """The same with the body still to come. The slot is held, and the connection busy, until the block is left."""
        answer = self._tried(request, lambda answer: answer)
        try:
            yield answer
        finally:
            answer.close()

    def origin(self, host: str) -> Origin:
        """The origin of a registry written `host` or `host:port`: https, unless plain HTTP is permitted and spoken.

        A loopback host that nobody named is offered TLS first, once. Raises `Unreachable` where nobody listens.
        """
        plain, secure = Origin.of(f"http://{host}"), Origin.of(f"https://{host}")
        if self.settings.permits_plain(plain):
            return plain
        if not secure.is_loopback:
            return secure
        with self._probing:
            if host not in self._schemes:
                self._schemes[host] = self._spoken(secure, plain)
            return self._schemes[host]

    def _spoken(self, secure: Origin, plain: Origin) -> Origin:
        try:
            return secure if speaks_tls(secure, self.settings.connect_timeout_s) else plain
        except OSError as error:
            if secure.port != plain.port:  # a bare host name: nobody at 443 leaves 80
                return plain
            doing = f"connecting to {plain.netloc}"
            raise translated(error, plain, doing, self.settings.stall_timeout_s) from error

    # --- again and again

    def _tried(self, request: Request, finish: Callable[[Answer], T]) -> T:
        budget = self.settings.attempts if request.retried else 1
        for attempt in range(1, budget + 1):
            try:
                answer = self._followed(request)
                if attempt == budget or not self._worth_repeating(answer):
                    return finish(answer)
                answer.close()
            except TransloadError as error:
                if attempt == budget or not error.retryable:
                    raise
            self.traffic.retried(Origin.of(request.url).netloc)
        raise AssertionError("the last attempt returns or raises")

    def _worth_repeating(self, answer: Answer) -> bool:
        wanted_s = retry_after_s(answer.headers.get("Retry-After"), self.clock.wall_s())
        return answer.status in RETRIED and (wanted_s or 0) <= LONGEST_WAIT_S

    def _followed(self, request: Request) -> Answer:
        url, headers = request.url, dict(request.headers)
        for _ in range(_HOPS + 1):
            answer = self._once(request, url, headers)
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or request.method not in {"GET", "HEAD"} or not location:
                return answer
            answer.close()
            target = redirect_target(url, location)
            if Origin.of(target) != Origin.of(url):
                # storage behind signed URLs refuses a second kind of credentials, and it is nobody's business there
                headers = {key: value for key, value in headers.items() if key.lower() != "authorization"}
            url = target
        raise ProtocolTrouble(f"{request.doing}: more than {_HOPS} redirects, the last one to {redacted(url)}")

    # --- once

    def _once(self, request: Request, url: str, headers: dict[str, str]) -> Answer:
        origin = Origin.of(url)
        host = self._host(origin)
        with ExitStack() as held:
            held.enter_context(host.slots.hold(request.lane, self.cancellation))
            round_ = host.backoff.wait(self.cancellation)

            def translate(error: BaseException) -> TransloadError | None:
                if not isinstance(error, FOREIGN):
                    return None
                found = translated(
                    error,
                    origin,
                    request.doing,
                    self.settings.stall_timeout_s,
                    ask_certificate=partial(self._certificate, origin),
                    now_s=self.clock.wall_s(),
                )
                if found.retryable:
                    host.backoff.failed(round_)
                return found

            response = self._sent(request, url, headers, translate)
            if response.status == 407 and self._proxy(origin):
                response.close()
                raise proxy_refusal(request.doing)
            if response.status in RETRIED:
                wanted_s = retry_after_s(response.headers.get("Retry-After"), self.clock.wall_s())
                host.backoff.failed(round_, None if wanted_s is None else min(wanted_s, LONGEST_WAIT_S))
            else:
                host.backoff.succeeded()
            received = partial(self.traffic.received, origin.netloc)
            return Answer(response, url, held.pop_all(), translate, received, self.cancellation)

    def _sent(
        self,
        request: Request,
        url: str,
        headers: dict[str, str],
        translate: Callable[[BaseException], TransloadError | None],
    ) -> BaseHTTPResponse:
        origin = Origin.of(url)
        try:
            response = self._urlopen(
                origin,
                request.registry or Origin.of(request.url),
                request.method,
                url,
                body=self._guarded(origin, request.body),
                headers=self._headers(request, headers),
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=Timeout(connect=self.settings.connect_timeout_s, read=self.settings.stall_timeout_s),
            )
        except _SourceFailed as failure:
            self.traffic.asked(origin.netloc, request.method, request.purpose)
            raise failure.error from failure.error.__cause__
        except FOREIGN as error:
            if not isinstance(error, _CONNECTING):
                self.traffic.asked(origin.netloc, request.method, request.purpose)
            raise translate(error) or error from error
        self.traffic.asked(origin.netloc, request.method, request.purpose)
        return response

    def _urlopen(self, origin: Origin, registry: Origin, method: str, url: str, **options: Any) -> BaseHTTPResponse:
        """Straight to the pool of the host that was checked; nobody below takes the URL apart once more."""
        manager = self._manager(origin, registry)
        target = Url.parse(url).target
        if isinstance(manager, ProxyManager) and origin.scheme == "http":
            target = f"{origin}{target}"  # what a proxy is asked for, where it does not only connect
        pool = manager.connection_from_host(origin.host, origin.port, origin.scheme)
        return pool.urlopen(method, target, assert_same_host=False, **options)

    def _headers(self, request: Request, headers: dict[str, str]) -> dict[str, str]:
        said = {"User-Agent": self.settings.user_agent, **headers}
        if request.length is not None:
            said["Content-Length"] = str(request.length)
        return said

    def _guarded(self, origin: Origin, body: bytes | Iterable[Chunk] | None) -> bytes | Iterator[Chunk] | None:
        if body is None:
            return None
        if isinstance(body, bytes):
            self.traffic.sent(origin.netloc, len(body))
            return body
        return self._counted(origin.netloc, body)

    def _counted(self, netloc: str, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        try:
            for chunk in chunks:
                self.cancellation.check()
                yield chunk
                self.traffic.sent(netloc, len(chunk))
        except Exception as error:  # all of the source's, unwrapped again in `_sent`
            raise _SourceFailed(error) from error

    def _certificate(self, origin: Origin) -> Certificate | None:
        """What a host shows that was not believed; not asked for through a proxy."""
        if self._proxy(origin):
            return None
        return shown_by(origin, self._trust.make(self._trust.circle(origin)), self.settings.connect_timeout_s)

    # --- what is kept

    def _proxy(self, origin: Origin) -> str | None:
        return proxy_for(origin, self.settings.proxies, self.settings.no_proxy)

    def _host(self, origin: Origin) -> _Host:
        with self._lock:
            if origin not in self._hosts:
                self._hosts[origin] = _Host(self.settings.slots_per_host, self.clock)
            return self._hosts[origin]

    def _manager(self, origin: Origin, registry: Origin) -> PoolManager:
        circle = self._trust.circle(origin, registry) if origin.scheme == "https" else None
        proxy = self._proxy(origin)
        with self._lock:
            if (circle, proxy) not in self._managers:
                self._managers[circle, proxy] = self._new_manager(circle, proxy)
            return self._managers[circle, proxy]

    def _new_manager(self, circle: Circle | None, proxy: str | None) -> PoolManager:
        context = None if circle is None else self._trust.context(circle)
        size = 2 * self.settings.slots_per_host + 2
        manager: PoolManager
        if proxy is None:
            manager = PoolManager(_POOLS, maxsize=size, ssl_context=context)
        else:
            user = urlsplit(proxy).netloc.rpartition("@")[0]
            given = make_headers(proxy_basic_auth=unquote(user)) if user else None
            manager = ProxyManager(proxy, _POOLS, proxy_headers=given, maxsize=size, ssl_context=context)
        manager.pool_classes_by_scheme = pool_classes(self.settings.stall_timeout_s, self._sockets)
        return manager
