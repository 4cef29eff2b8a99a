"""HTTP requests: pools, slots, retries with one back-off per host, TLS settings per host, proxies, redirects, counts.

Invariants:
1. `Authorization` is sent only to the origin that the caller gave it for, whatever redirects say;
2. no redirect leads from https to http, and none is followed more than ten times;
3. errors of urllib3 and of what it wraps become errors of transload; errors of a body's source pass unchanged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Timeout, exceptions

from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import HostUnknown, ProtocolTrouble, ServerTrouble, TransloadError, Unreachable
from transload.events import HostListener, ignore
from transload.net.address import Origin, Url, redacted, redirect_target
from transload.net.backoff import RETRIED
from transload.net.certificate import Certificate, shown_by
from transload.net.connection import connect_one_more, pool_classes
from transload.net.flight import Flight, Watch
from transload.net.host import RESTING, Host, Trial
from transload.net.messages import Answer, HttpRequest, Reply, tell
from transload.net.pace import Pace
from transload.net.patience import Kind
from transload.net.proxies import Proxy, proxy_for
from transload.net.settings import NetSettings
from transload.net.tls import Circle, Trust, speaks_tls
from transload.net.tlsline import watched
from transload.net.traffic import Traffic
from transload.net.translate import FOREIGN, known_before, proxy_refusal, sent_on, translated, was_cut
from transload.ports import Chunk
from transload.threads import Cancellation

_REDIRECTS = {301, 302, 303, 307, 308}
_HOPS = 10
_POOLS = 64
_CONNECTING = (exceptions.NewConnectionError, exceptions.ConnectTimeoutError, exceptions.SSLError)
T = TypeVar("T")


class _SourceFailed(Exception):
    """Carries an error of a body's source through urllib3, which would take an `OSError` for one of the network."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class Http:
    """All access to the network goes through this class. Safe for threads; `close` (or a `with` block) ends it."""

    def __init__(
        self,
        settings: NetSettings | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        cancellation: Cancellation | None = None,
        notice: Callable[[str], None] = lambda _: None,
        listen: HostListener = ignore,
    ) -> None:
        self.settings = settings or NetSettings()
        self.traffic = Traffic()
        self.clock = clock
        self.cancellation = cancellation or Cancellation()
        self._trust = Trust(self.settings, notice)
        self._lock = threading.Lock()
        self._hosts: dict[Origin, Host] = {}
        self._managers: dict[tuple[Circle | None, str | None], PoolManager] = {}
        self._schemes: dict[str, Origin] = {}
        self._probing: dict[str, threading.Lock] = {}
        self._listen = listen
        self._watch = Watch(self.settings, clock, self.cancellation)
        self.pace = Pace(self.settings.limits, clock, self.cancellation)
        self.cancellation.on_silence(self._watch.cut)

    def __enter__(self) -> Http:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections."""
        self._watch.close()
        with self._lock:
            managers, self._managers = list(self._managers.values()), {}
        for manager in managers:
            for key in manager.pools.keys():  # noqa: SIM118 - it cannot be iterated
                manager.pools[key].close()  # else urllib3 closes them when nothing refers to the pool any more
            manager.clear()

    # --- asking

    def ask(self, request: HttpRequest) -> Reply:
        """The whole answer, with any status; retried within the budget if the request permits it.

        Raises `Unreachable` and its subclasses, `LimitExceeded`, `InsecureRefused`, `Interrupted`.
        """
        return self._tried(request, lambda answer: answer.reply(request.limit))

    @contextmanager
    def stream(self, request: HttpRequest) -> Iterator[Answer]:
        """Like `ask`, but the body is still to be read. The slot and the connection are held until the block ends."""
        answer = self._tried(request, lambda answer: answer)
        try:
            yield answer
        finally:
            answer.close()

    def cut(self, cancellation: Cancellation) -> None:
        """End what was asked with this token: nothing more begins, and whoever waits gets `Interrupted` at once."""
        cancellation.cancel()
        self._watch.cut(cancellation)

    def origin(self, host: str) -> Origin:
        """The origin of a registry written as `host` or `host:port`: https, unless plain HTTP is allowed.

        A loopback host that no setting names is asked once whether it speaks TLS. Raises `Unreachable` if nothing
        listens there.
        """
        plain, secure = Origin.of(f"http://{host}"), Origin.of(f"https://{host}")
        if self.settings.permits_plain(plain):
            return plain
        if not secure.is_loopback:
            return secure
        with self._probing.setdefault(host, threading.Lock()):  # a single operation on a dict
            if host not in self._schemes:
                self._schemes[host] = self._spoken(secure, plain)
            return self._schemes[host]

    def connect_ahead(self, origin: Origin) -> None:
        """Open one more connection for a request that is to come. If that fails, the request will say why.

        Nothing is opened behind a proxy: urllib3 makes tunnels for requests only. Raises `NoSlot`.
        """
        if self._proxy(origin) is not None:
            return
        pool = self._manager(origin, origin).connection_from_host(origin.host, origin.port, origin.scheme)
        host, kind = self._host(origin), Kind("GET", "connection", "small")
        slot = host.slots.hold("small", self.cancellation, queues=False)
        with slot, self._watch.flight(host.patience, kind) as flight, self._watch.sending(flight):
            connect_one_more(pool, self.settings.connect_timeout_s, host.slots.has_room)

    def _spoken(self, secure: Origin, plain: Origin) -> Origin:
        try:
            return secure if speaks_tls(secure, self.settings.connect_timeout_s) else plain
        except TimeoutError:  # no answer at all: the first request will report that, after its full wait
            return plain
        except OSError as error:
            if secure.port != plain.port:  # no port was named and nothing listens at 443, so try 80
                return plain
            doing = f"connecting to {plain.netloc}"
            raise translated(error, plain, doing, self.settings.stall_timeout_s) from error

    # --- retries and redirects

    def _tried(self, request: HttpRequest, finish: Callable[[Answer], T]) -> T:
        trial = Trial(self.clock.monotonic_s())
        while True:
            trial.attempt += 1
            try:
                answer = self._followed(request, trial)
                status = answer.status
                if status not in RETRIED or self._is_enough(request, trial, status in RESTING):
                    return finish(answer)
                answer.close()
                trouble: TransloadError = ServerTrouble(f"{request.doing}: the answer is {status}")
            except TransloadError as error:
                if not error.retryable or self._is_enough(request, trial, isinstance(error, Unreachable)):
                    raise
                trouble = error
                if isinstance(error.__cause__, _CONNECTING[:2]):
                    trial.found_no_connection()
            self.traffic.retried(Origin.of(request.url).netloc)
            beyond = trial.attempt - self.settings.attempts
            if beyond >= 0 and trial.host is not None and trial.is_alone:
                trial.host.rest_alone(trial, beyond, trouble, self._cancellation(request))

    def _is_enough(self, request: HttpRequest, trial: Trial, resting: bool) -> bool:
        """Whether to stop. A 500 may concern one content for good; but an upload is worth a wait, or it is lost."""
        if not request.retried:
            return True
        passing = resting or request.purpose == "upload"
        return trial.is_enough(self.settings, self.clock.monotonic_s(), resting=resting, passing=passing)

    def _followed(self, request: HttpRequest, trial: Trial) -> Answer:
        url, headers = request.url, dict(request.headers)
        for _ in range(_HOPS + 1):
            trial.host = self._host(Origin.of(url))
            trial.began_s += trial.host.await_allowance(_kind(request), self._cancellation(request))
            answer = self._once(request, url, headers)
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or request.method not in {"GET", "HEAD"} or not location:
                return answer
            answer.pass_on()
            target = redirect_target(url, location)
            if Origin.of(target) != Origin.of(url):
                # another host must not see the credentials, and storage behind signed URLs refuses a second kind
                headers = {key: value for key, value in headers.items() if key.lower() != "authorization"}
            url = target
        raise ProtocolTrouble(f"{request.doing}: more than {_HOPS} redirects, the last one to {redacted(url)}")

    # --- one request

    def _once(self, request: HttpRequest, url: str, headers: dict[str, str]) -> Answer:
        origin = Origin.of(url)
        host, kind, cancellation = self._host(origin), _kind(request), self._cancellation(request)
        with ExitStack() as held:
            held.enter_context(host.slots.hold(request.lane, cancellation, give_way=request.give_way))
            flight = held.enter_context(self._watch.flight(host.patience, kind, cancellation))
            flight.ends_early, flight.looked_after = request.ends_early, request.look
            round_ = host.backoff.wait(cancellation)
            cancellation.check()
            host.patience.check(request.doing)
            is_extra = request.give_way is not None

            def translate(error: BaseException) -> TransloadError | None:
                if not isinstance(error, FOREIGN):
                    return None
                cancellation.check()
                cause = self._cause(error, origin, request.doing, flight)
                asked = request.registry or Origin.of(request.url)
                cause = sent_on(cause, asked, origin) if asked != origin else cause
                return host.failed(kind, round_, cause, request.doing, is_extra=is_extra)

            asked_s = self.clock.monotonic_s()
            with self._watch.sending(flight):
                response = self._sent(request, url, headers, translate, flight)
            flight.turn()
            flight.pause()
            host.patience.answered()
            if request.gauge is not None:
                tell(request.gauge, request.lane, response.status, self.clock.monotonic_s() - asked_s)
            if response.status == 407 and self._proxy(origin):
                response.close()
                raise proxy_refusal(request.doing)
            if response.status in RETRIED:
                host.put_off(kind, round_, response.status, response.headers, request.doing, is_extra=is_extra)
                flight.is_last = host.patience.is_over()
            else:
                host.succeeded(kind, response.headers)
            received = partial(self.traffic.received, origin.netloc)
            by_proxy = origin.scheme == "http" and self._proxy(origin) is not None  # a proxy cannot see into a tunnel
            return Answer(
                response,
                url=url,
                held=held.pop_all(),
                translate=translate,
                received=received,
                cancellation=cancellation,
                flight=flight,
                meter=self.pace.received(request.side),
                by_proxy=by_proxy,
            )

    def _cause(self, error: BaseException, origin: Origin, doing: str, flight: Flight) -> TransloadError:
        """What went wrong: why we cut the connection, or what the error means."""
        cut = flight.verdict and was_cut(flight.verdict, origin, doing, self._watch.window_s, self.settings)
        if cut:
            return cut
        cause = translated(
            error,
            origin,
            doing,
            self.settings.stall_timeout_s,
            ask_certificate=partial(self._certificate, origin),
            now_s=self.clock.wall_s(),
        )
        if isinstance(cause, HostUnknown) and self._host(origin).patience.known:
            return known_before(cause)
        return cause

    def _sent(
        self,
        request: HttpRequest,
        url: str,
        headers: dict[str, str],
        translate: Callable[[BaseException], TransloadError | None],
        flight: Flight,
    ) -> BaseHTTPResponse:
        origin = Origin.of(url)
        try:
            response = self._urlopen(
                origin,
                request.registry or Origin.of(request.url),
                request.method,
                url,
                body=self._guarded(origin, request, flight),
                headers=self._headers(request, headers),
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=Timeout(connect=self.settings.connect_timeout_s, read=self.settings.stall_timeout_s),
            )
        except _SourceFailed as failure:
            self._count(origin, request)
            raise failure.error from failure.error.__cause__
        except FOREIGN as error:
            if not isinstance(error, _CONNECTING):
                self._count(origin, request)
            raise translate(error) or error from error
        self._count(origin, request)
        return response

    def _count(self, origin: Origin, request: HttpRequest) -> None:
        self.traffic.asked(origin.netloc, request.method, request.purpose)
        if request.asked is not None:
            request.asked.note(request.method, request.purpose)

    def _urlopen(self, origin: Origin, registry: Origin, method: str, url: str, **options: Any) -> BaseHTTPResponse:
        """Use the pool of the host that was checked, so that urllib3 does not parse the URL again."""
        manager = self._manager(origin, registry)
        target = Url.parse(url).target
        if isinstance(manager, ProxyManager) and origin.scheme == "http":
            target = f"{origin}{target}"  # a proxy without a tunnel is asked for the whole URL
        pool = manager.connection_from_host(origin.host, origin.port, origin.scheme)
        return pool.urlopen(method, target, assert_same_host=False, **options)

    def _headers(self, request: HttpRequest, headers: dict[str, str]) -> dict[str, str]:
        fields = {"User-Agent": self.settings.user_agent, **headers}
        length = len(request.body) if isinstance(request.body, bytes) else request.length
        if length is not None:
            fields["Content-Length"] = str(length)
        return fields

    def _guarded(self, origin: Origin, request: HttpRequest, flight: Flight) -> bytes | Iterator[Chunk] | None:
        body, meter = request.body, self.pace.sent(request.side)
        if body is None:
            return None
        if not isinstance(body, bytes):
            return self._counted(origin.netloc, meter.pieces(body) if meter else body, flight)
        if meter:
            return self._counted(origin.netloc, meter.pieces([body]), flight)
        self.traffic.sent(origin.netloc, len(body))
        return body

    def _counted(self, netloc: str, chunks: Iterable[Chunk], flight: Flight) -> Iterator[Chunk]:
        try:
            flight.pause()  # the time that the source takes is not the host's
            for chunk in chunks:
                flight.resume()
                yield chunk  # also when all is to end, as long as there are any: the other side can keep it
                flight.pause()
                self.traffic.sent(netloc, len(chunk))
            flight.resume()
        except Exception as error:  # an error of the source; `_sent` unwraps it
            raise _SourceFailed(error) from error

    def _certificate(self, origin: Origin) -> Certificate | None:
        """The certificate that was not trusted; None behind a proxy, where it cannot be fetched this way."""
        if self._proxy(origin):
            return None
        return shown_by(origin, self._trust.make(self._trust.circle(origin)), self.settings.connect_timeout_s)

    def _cancellation(self, request: HttpRequest) -> Cancellation:
        return request.cancellation or self.cancellation

    # --- hosts and pools

    def _proxy(self, origin: Origin) -> str | None:
        return proxy_for(origin, self.settings.proxies, self.settings.no_proxy)

    def _host(self, origin: Origin) -> Host:
        with self._lock:
            if origin not in self._hosts:
                self._hosts[origin] = Host(origin.netloc, self.settings, self.clock, self._listen)
            return self._hosts[origin]

    def _manager(self, origin: Origin, registry: Origin) -> PoolManager:
        circle = self._trust.circle(origin, registry) if origin.scheme == "https" else None
        proxy = self._proxy(origin)
        with self._lock:
            if (circle, proxy) not in self._managers:
                self._managers[circle, proxy] = self._new_manager(circle, proxy)
            return self._managers[circle, proxy]

    def _new_manager(self, circle: Circle | None, proxy: str | None) -> PoolManager:
        context = None if circle is None else watched(self._trust.context(circle), self._watch)
        size = 2 * self.settings.slots + 2  # as many as `admits` allows in all lanes
        manager: PoolManager
        if proxy is None:
            manager = PoolManager(_POOLS, maxsize=size, ssl_context=context)
        else:
            named = Proxy.parse(proxy)
            headers = {"Proxy-Authorization": named.authorization} if named.authorization else None
            manager = ProxyManager(named.url, _POOLS, proxy_headers=headers, maxsize=size, ssl_context=context)
        manager.pool_classes_by_scheme = pool_classes(self.settings.stall_timeout_s, self._watch)
        return manager


def _kind(request: HttpRequest) -> Kind:
    return Kind(request.method, request.purpose, request.lane)
