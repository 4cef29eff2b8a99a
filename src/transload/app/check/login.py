"""Whether a registry accepts the login that a run would use, and where that login comes from."""

from __future__ import annotations

from collections.abc import Iterator

from transload.app.check.way import Way
from transload.app.stores import Stores
from transload.errors import AccessError, CredentialsUnavailable, Side
from transload.net.address import Origin, joined
from transload.registry.probing import Greeting
from transload.report.checkup import CheckPoint


def login_points(way: Way, greeting: Greeting, stores: Stores, side: Side, repository: str) -> Iterator[CheckPoint]:
    """One point: the login, and how the registry asks for it. Raises `Unreachable` and others, but no `AccessError`."""
    try:
        named = stores.login_at(side, way.store.locator, repository)
    except CredentialsUnavailable as error:
        yield CheckPoint.failed("login", way.store.locator, error)
        return
    who = f"the login of {named[0]}, {_from(named[1])}" if named else "no login is known here"
    facts = {"user": named[0] if named else None, "login_from": named[1] if named else None}
    if not greeting.offered:
        asked = "the registry asks for none" if greeting.status == 200 else f"the registry answers {greeting.status}"
        yield way.point("login", "ok", f"{asked} ({who})", scheme=None, **facts)
        return
    scheme, realm = _scheme(way, greeting)
    facts |= {"scheme": scheme, "token_server": realm}
    where = f"; tokens come from {realm}" if realm else ""
    try:
        way.store.check_login()
    except AccessError as error:
        yield CheckPoint.failed("login", way.store.locator, error)
        return
    accepted = f"{who}, is accepted" if named else f"{who}; the registry lets everybody in"
    yield way.point("login", "ok", f"{accepted}{where}", **facts)


def _from(place: str) -> str:
    return place if place.startswith("given") else f"from {place}"


def _scheme(way: Way, greeting: Greeting) -> tuple[str, str | None]:
    """The way to log in that is used, and the token server's host."""
    bearer = next((entry for entry in greeting.offered if entry.scheme == "bearer" and entry.get("realm")), None)
    if bearer is None:
        return greeting.offered[0].scheme, None
    return "bearer", Origin.of(joined(str(way.origin), bearer.get("realm"))).netloc
