"""The way to a registry: its name, the proxy, a connection, its certificate, its clock, and how it wants a login."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from transload.app.settings import Environment
from transload.clock import Clock
from transload.errors import CertificateUntrusted, HostUnknown, TransloadError
from transload.net.address import Origin
from transload.net.probe import addresses_of, certificate_of, connecting_s
from transload.net.proxies import Proxy, bypasses, proxy_for
from transload.net.settings import NetSettings
from transload.registry.probing import Greeting
from transload.registry.store import RegistryStore
from transload.report.checkup import CheckPoint, Verdict
from transload.report.texts import count, duration
from transload.values import frozen

_PATIENCE_S = 10.0
_DAY_S = 24 * 3600
_SOON_DAYS = 14
_SKEW_S = 60
_NAMES = 4


@frozen(kw_only=True)
class Way:
    """How one registry is reached: its store, where it is, and the settings for it."""

    store: RegistryStore
    origin: Origin
    settings: NetSettings
    environment: Environment
    clock: Clock

    @property
    def proxy(self) -> str | None:
        """The proxy that is used, with what the variable has in it; None for a direct way."""
        return proxy_for(self.origin, self.settings.proxies, self.settings.no_proxy)

    def connecting_s(self) -> float | None:
        """How long a connection to the registry takes, in seconds; None through a proxy, or if there is none."""
        return None if self.proxy else connecting_s(self.origin.host, self.origin.port, _PATIENCE_S)

    def point(self, aspect: str, verdict: Verdict, found: str, advice: str | None = None, **facts: Any) -> CheckPoint:
        """A point about this registry."""
        where = self.store.locator
        return CheckPoint(aspect=aspect, verdict=verdict, store=where, found=found, advice=advice, facts=facts)


def before_asking(way: Way) -> Iterator[CheckPoint]:
    """The proxy and the name, which are looked at also when nothing answers.

    A name without an address gives no point: the first request will say why.
    """
    yield _proxy(way)
    addresses = () if way.proxy else addresses_of(way.origin.host, _PATIENCE_S)
    if addresses:
        yield _name(way, addresses)


def _proxy(way: Way) -> CheckPoint:
    if way.proxy is None:
        listed = bypasses(way.origin, way.settings.no_proxy) and bool(way.settings.proxies)
        return way.point("proxy", "ok", "none, because NO_PROXY names this host" if listed else "none", proxy=None)
    kinds = (way.origin.scheme, "all")
    kind = next(kind for kind in kinds if way.settings.proxies.get(kind))
    variable = way.environment.proxy_variables.get(kind)
    url = Proxy.parse(way.proxy).url
    return way.point(
        "proxy", "ok", f"{url}" + (f", from the variable {variable}" if variable else ""), proxy=url, variable=variable
    )


def _name(way: Way, addresses: tuple[str, ...]) -> CheckPoint:
    host = way.origin.host
    found = f"{host} is an address" if addresses == (host,) else f"{host} is {', '.join(addresses)}"
    return way.point("name", "ok", found, addresses=list(addresses))


def not_reached(way: Way, error: TransloadError) -> CheckPoint:
    """The point for a registry whose first answer did not come."""
    aspect = "name" if isinstance(error, HostUnknown) else "connection"
    aspect = "certificate" if isinstance(error, CertificateUntrusted) else aspect
    return CheckPoint.failed(aspect, way.store.locator, error)


def after_asking(way: Way, greeting: Greeting, asked_s: float) -> Iterator[CheckPoint]:
    """What the first answer shows. `asked_s` is our own time in the middle of the question."""
    yield _connection(way)
    yield _certificate(way)
    yield _clock(way, greeting, asked_s)


def _connection(way: Way) -> CheckPoint:
    if way.proxy is not None:
        return way.point("connection", "ok", f"{way.origin.netloc} answers, through the proxy", connecting_s=None)
    taken_s = way.connecting_s()
    time_taken = "" if taken_s is None else f", a connection takes {_short(taken_s)}"
    return way.point("connection", "ok", f"{way.origin.netloc} answers{time_taken}", connecting_s=taken_s)


def _short(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))} ms" if seconds < 1 else duration(seconds)


def _certificate(way: Way) -> CheckPoint:
    origin = way.origin
    if origin.scheme == "http":
        found = "there is none: this host is spoken to without TLS"
        if origin.is_loopback:
            return way.point("certificate", "ok", f"{found}, on this machine", tls=False)
        return way.point("certificate", "warning", f"{found}, and passwords can be read on the way", tls=False)
    if way.settings.trusts_blindly(origin):
        return way.point("certificate", "warning", "not verified, because --insecure-tls names this host", tls=True)
    shown = certificate_of(origin, way.settings) if way.proxy is None else None
    if shown is None:
        where = "; through a proxy its dates are not seen" if way.proxy else ""
        return way.point("certificate", "ok", f"trusted{where}", tls=True)
    days = int((shown.not_after_s - way.clock.wall_s()) // _DAY_S)
    names = ", ".join(shown.names[:_NAMES]) + (", …" if len(shown.names) > _NAMES else "")
    until = time.strftime("%Y-%m-%d", time.gmtime(shown.not_after_s))
    by = f" by {shown.issuer}" if shown.issuer else ""
    found = f"issued{by} for {names}, until {until} ({count(days, 'day')} left)"
    facts: dict[str, Any] = {
        "tls": True,
        "issuer": shown.issuer,
        "names": list(shown.names),
        "not_after_s": shown.not_after_s,
        "days_left": days,
    }
    if days < _SOON_DAYS:
        return way.point("certificate", "warning", found, f"have it renewed on {origin.netloc} before {until}", **facts)
    return way.point("certificate", "ok", found, **facts)


def _clock(way: Way, greeting: Greeting, asked_s: float) -> CheckPoint:
    if greeting.wall_s is None:
        return way.point("clock", "unknown", "the registry does not say what time it is")
    skew_s = round(greeting.wall_s - asked_s)
    if abs(skew_s) <= _SKEW_S:
        return way.point("clock", "ok", "both clocks agree", skew_s=skew_s)
    found = f"its clock is {duration(abs(skew_s))} {'ahead of' if skew_s > 0 else 'behind'} ours"
    advice = "set both clocks right: tokens and certificates are valid for a time only"
    return way.point("clock", "warning", found, advice, skew_s=skew_s)
