"""Pages of a registry behind this one: few requests, and nothing that its login alone may list."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.unit.registry.wire import plain_http
from tests.unit.server.asking import ask
from tests.unit.server.page.content import SPDX, app, attached, spdx
from transload.errors import AccessDenied, NotFound, Refused
from transload.memory import MemoryStore
from transload.ports import RequestCosts
from transload.registry.store import RegistryStore
from transload.server import Served, serve
from transload.server.page.names import KEPT_S, Names
from transload.testing.images import fill, multi_platform

HTML = {"Accept": "text/html"}
BUILT = app("behind")


@pytest.fixture
def far() -> Iterator[Served]:
    store = MemoryStore()
    for number in range(60):
        fill(store, BUILT, "team/app", f"1.{number}")
    fill(store, multi_platform("many"), "team/many", "1")
    fill(store, attached(BUILT.descriptor, [(spdx(["zlib"]), SPDX)]), "team/app")
    with serve(store) as served:
        yield served


@pytest.fixture
def near(far: Served) -> Iterator[Served]:
    with plain_http() as http, serve(RegistryStore(far.host_port, http)) as served:
        ask(served, "GET", "/", headers=HTML)  # the first request finds out how to talk to it
        yield served


def asked(far: Served, near: Served, path: str) -> int:
    """How many requests a page costs the registry behind."""
    before = far.requests.total
    answer = ask(near, "GET", path, headers=HTML)
    assert answer.status == 200, answer.body
    return far.requests.total - before


def test_lists_cost_a_request_and_then_none(far: Served, near: Served) -> None:
    assert asked(far, near, "/") == 0
    assert asked(far, near, "/repository/team/app") == 1
    assert asked(far, near, "/repository/team/app?page=2") == 0


def test_lists_have_no_column_for_what_is_not_asked_for(near: Served) -> None:
    front = ask(near, "GET", "/", headers=HTML).body.decode()
    assert "Highest tag" not in front
    assert front.count("<td") == 0
    repository = ask(near, "GET", "/repository/team/app", headers=HTML).body.decode()
    assert "Platforms</th>" not in repository
    assert repository.count("<td") == 0
    assert "Open a tag to see its platforms, size and digest." in repository


def test_an_image_costs_its_manifest_its_config_and_what_belongs_to_it(far: Served, near: Served) -> None:
    assert asked(far, near, "/image/team/app:1.5") <= 8
    assert asked(far, near, "/image/team/many:1") <= 12


class Unlisted(MemoryStore):
    error: Exception = Refused("it does not list its repositories")

    def repositories(self) -> Iterator[str]:
        raise self.error


@pytest.mark.parametrize("error", [Refused("no list"), AccessDenied("no")])
def test_without_a_list_the_name_of_a_repository_opens_it(error: Exception) -> None:
    store = Unlisted()
    store.error = error
    fill(store, BUILT, "team/app", "1")
    with serve(store) as served:
        front = ask(served, "GET", "/", headers=HTML).body.decode()
        assert "gives no list of its repositories" in front
        found = ask(served, "GET", "/?q=team/app", headers=HTML).body.decode()
        assert 'href="/repository/team/app"' in found
        hostile = ask(served, "GET", "/?q=javascript:alert(1)", headers=HTML).body.decode()
        assert 'href="javascript' not in hostile
        assert ask(served, "GET", "/repository/team/app", headers=HTML).status == 200


class Hands:
    """A clock that a test turns."""

    now_s = 1000.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        return self.now_s

    def sleep_s(self, seconds: float, wake: threading.Event | None = None) -> None:
        self.now_s += seconds


class Costly(MemoryStore):
    request_costs = RequestCosts()


def test_names_are_asked_for_again_after_a_minute() -> None:
    store, clock = Costly(), Hands()
    names = Names(store, clock)
    assert names.repositories() == []
    fill(store, BUILT, "team/app", "1")
    assert names.repositories() == []
    clock.now_s += KEPT_S
    assert names.repositories() == ["team/app"]
    with pytest.raises(NotFound):
        names.tags("absent")
