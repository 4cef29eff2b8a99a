"""Host names that stop resolving, and names that never did: `getaddrinfo` answers as a test says."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import define, field

from tests.unit.registry.wire import HastyClock, Said, Wire, plain_http, serving
from transload.errors import HostGivenUp, HostUnknown, Unreachable
from transload.events import HostTroubled
from transload.net.http import Http
from transload.net.messages import HttpRequest
from transload.net.settings import NetSettings

UNKNOWN, NO_ADDRESS = socket.gaierror(socket.EAI_NONAME, "Name or service not known"), socket.gaierror(-5, "No address")
NO_ANSWER, BROKEN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), socket.gaierror(socket.EAI_FAIL, "Broken")
SILENT = socket.gaierror(socket.EAI_AGAIN, "Timed out")
FAILURES = [UNKNOWN, NO_ADDRESS, NO_ANSWER, BROKEN, SILENT]


@define
class Names:
    """Says 127.0.0.1 for `registry.example`, `proxy.example`; or fails, as often as `failing` says for that name."""

    real: Callable[..., Any]
    failing: dict[str, list[OSError]] = field(factory=dict)
    asked: list[str] = field(factory=list)

    def __call__(self, host: str | bytes, port: int, *arguments: Any, **more: Any) -> Any:
        host = host.decode() if isinstance(host, bytes) else host
        if not host.endswith(".example"):
            return self.real(host, port, *arguments, **more)
        self.asked.append(host)
        if self.failing.get(host):
            raise self.failing[host].pop(0)
        return self.real("127.0.0.1", port, *arguments, **more)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    names = Names(socket.getaddrinfo)
    monkeypatch.setattr(socket, "getaddrinfo", names)
    return names


@contextlib.contextmanager
def hosted(**settings: Any) -> Iterator[tuple[Wire, Http, HttpRequest]]:
    """A server at `registry.example` that ends each connection after one answer."""
    with serving(lambda asked: Said(body=b"ok", headers={"Connection": "close"})) as wire:
        port = wire.host.rpartition(":")[2]
        settings = {"allow_plain_http": frozenset({"registry.example"}), **settings}
        with plain_http(**settings) as http:
            yield wire, http, HttpRequest("GET", f"http://registry.example:{port}/", "asking", "test")


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_a_name_that_stops_resolving_is_waited_for(names: Names, failure: OSError) -> None:
    """Longer than the five attempts of a host that never answered."""
    with hosted() as (_, http, request):
        http.ask(request)
        names.failing["registry.example"] = [failure] * 7
        assert http.ask(request).body == b"ok"
        assert http.traffic.requests == 2
        assert isinstance(http.clock, HastyClock)
        assert len(http.clock.slept) == 7


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_it_is_waited_for_no_longer_than_the_hosts_budget(names: Names, failure: OSError) -> None:
    with hosted(give_up_after_s=60) as (_, http, request):
        http.ask(request)
        names.failing["registry.example"] = [failure] * 1000
        with pytest.raises(HostGivenUp, match=r"gave no useful answer for (59|60) s"):
            http.ask(request)
        assert isinstance(http.clock, HastyClock)
        assert 55 <= sum(http.clock.slept) <= 61


@pytest.mark.parametrize("failure", [UNKNOWN, NO_ADDRESS], ids=str)
def test_a_name_that_nobody_knows_is_not_waited_for(names: Names, failure: OSError) -> None:
    names.failing["registry.example"] = [failure] * 1000
    with hosted() as (_, http, request), pytest.raises(HostUnknown, match=r"registry\.example is not known$"):
        http.ask(request)
    assert len(names.asked) == 1


@pytest.mark.parametrize("failure", [NO_ANSWER, BROKEN, SILENT], ids=str)
def test_without_a_name_server_five_attempts_are_made_and_it_is_said(names: Names, failure: OSError) -> None:
    names.failing["registry.example"] = [failure] * 1000
    with hosted() as (_, http, request), pytest.raises(Unreachable, match="no name server answers") as raised:
        http.ask(request)
    assert len(names.asked) == 5
    assert not isinstance(raised.value, HostUnknown)
    assert "/etc/resolv.conf" in (raised.value.hint or "")


def test_a_name_server_that_comes_back_at_the_start_is_enough(names: Names) -> None:
    names.failing["registry.example"] = [NO_ANSWER, SILENT]
    with hosted() as (_, http, request):
        assert http.ask(request).body == b"ok"


def through_proxy(wire: Wire, listen: Callable[[HostTroubled], None] = lambda _: None) -> Http:
    proxy = f"http://user:secret@proxy.example:{wire.host.rpartition(':')[2]}"
    return Http(NetSettings(proxies={"http": proxy, "https": proxy}), clock=HastyClock(), listen=listen)


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_a_proxy_whose_name_stops_resolving_is_waited_for(names: Names, failure: OSError) -> None:
    told: list[HostTroubled] = []
    with (
        serving(lambda asked: Said(body=b"ok", headers={"Connection": "close"})) as wire,
        through_proxy(wire, told.append) as http,
    ):
        request = HttpRequest("GET", "http://registry.test/", "asking", "test")
        http.ask(request)
        names.failing["proxy.example"] = [failure] * 7
        assert http.ask(request).body == b"ok"
    assert [event.state for event in told if event.state != "silent"] == ["retrying"] * 7 + ["back"]
    assert "the host name of the proxy" in str(told[0].error)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_nobody_knows_is_said_at_once_without_its_password(names: Names, scheme: str) -> None:
    names.failing["proxy.example"] = [UNKNOWN] * 1000
    with (
        serving(lambda asked: Said(body=b"ok")) as wire,
        through_proxy(wire) as http,
        pytest.raises(HostUnknown, match="the host name of the proxy is not known") as raised,
    ):
        http.ask(HttpRequest("GET", f"{scheme}://registry.test/", "asking", "test"))
    assert names.asked == ["proxy.example"]
    assert "secret" not in str(raised.value) + (raised.value.hint or "")
