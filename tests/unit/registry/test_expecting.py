"""One token for many repositories: how they are put together, and servers that do not give such tokens."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from types import FrameType

import pytest

from tests.unit.registry.wire import Asked, Said, Wire, plain_http, refused, serving
from transload.errors import AccessDenied
from transload.oci import Descriptor, Digest
from transload.registry.expecting import TOKEN_BYTES, grouped, to_read, to_write, together
from transload.registry.scope import covers, pull, push
from transload.registry.store import RegistryStore
from transload.threads import AHEAD, TaskGroup

BLOB = Descriptor("application/octet-stream", Digest.of(b"content"), 7)
MANY = [f"team/app{number}" for number in range(6)]


def test_needs_are_put_together_until_a_token_would_be_too_long() -> None:
    needs = to_read(f"vendor/image{number:04}" for number in range(200))
    groups = list(grouped(needs.values()))
    assert [scope for group in groups for scope in group] == [scope for need in needs.values() for scope in need]
    lengths = [len(json.dumps([str(scope) for scope in group])) for group in groups]
    assert len(groups) == 6
    assert max(lengths) < TOKEN_BYTES


def test_a_thousand_repositories_are_looked_at_once() -> None:
    """Each request without a token does this: it must not look at a group again for each repository."""
    needs, calls = to_read(f"image{number:04}" for number in range(1000)), 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        list(grouped(needs.values()))
    finally:
        sys.setprofile(None)
    assert calls < 10 * len(needs)


def test_a_repository_is_asked_for_with_those_that_it_mounts_from() -> None:
    needs = to_write({f"r{number:03}": {"base", f"r{number:03}"} for number in range(100)} | {"base": ()})
    for repository in ("r000", "r050", "r099"):
        asked = together(needs, (push(repository), pull("base")))
        assert covers(asked, (push(repository), pull("base")))
        assert len(asked) > 20
    assert together(needs, (pull("elsewhere"),)) == (pull("elsewhere"),)
    assert together({}, (push("r000"),)) == (push("r000"),)


def test_the_same_group_is_asked_for_whoever_is_first() -> None:
    needs = to_read(MANY)
    assert len({together(needs, (pull(name),)) for name in MANY}) == 1


class Issuer:
    """A registry that wants tokens. `gives` says for which of the scopes that are asked for a token is good."""

    def __init__(self) -> None:
        self.tokens: list[set[str]] = []
        self.asked: list[list[str]] = []
        self.most = 100
        self.only_first = False
        self.denied = ""
        self.wire: Wire | None = None

    def __call__(self, asked: Asked) -> Said:
        assert self.wire
        if asked.path == "/token":
            scopes = asked.query["scope"]
            self.asked.append(scopes)
            if len(scopes) > self.most:
                return refused(403, "DENIED")
            given = {scope for scope in scopes[: 1 if self.only_first else None] if self.denied not in scope.split(":")}
            self.tokens.append(given)
            return Said(body=json.dumps({"token": f"token{len(self.tokens) - 1}"}).encode())
        wanted = f"repository:{asked.path.removeprefix('/v2/').partition('/blobs/')[0]}:pull"
        token = (asked.headers.get("Authorization") or "").removeprefix("Bearer token")
        if token and wanted in self.tokens[int(token)]:
            return Said(body=b"content")
        error = ',error="insufficient_scope"' if token else ""
        challenge = f'Bearer realm="http://{self.wire.host}/token",service="s",scope="{wanted}"{error}'
        return refused(401, "UNAUTHORIZED", WWW_Authenticate=challenge)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    with serving(issuer) as wire:
        issuer.wire = wire
        yield issuer


def look(issuer: Issuer, *, denied: str = "") -> RegistryStore:
    """Look into all repositories, and be refused by one of them."""
    assert issuer.wire
    with plain_http() as http:
        store = RegistryStore(issuer.wire.host, http)
        store.expecting.reading(MANY)
        for name in MANY:
            if name == denied:
                with pytest.raises(AccessDenied):
                    store.exists(name, BLOB)
            else:
                assert store.exists(name, BLOB)
        assert store.requests_sent.total == http.traffic.requests
        return store


def test_one_token_serves_what_is_expected_and_it_is_said_before(issuer: Issuer) -> None:
    store = look(issuer)
    assert issuer.asked == [[f"repository:{name}:pull" for name in MANY]]
    assert store.requests_sent.total == 1 + 1 + len(MANY)
    assert store.expecting.logins_to_come == 0
    store.expecting.writing(dict.fromkeys(MANY, ()))
    assert store.expecting.logins_to_come == 1


def test_a_token_for_a_step_that_began_before_its_plan_is_still_to_come_for_the_plan(issuer: Issuer) -> None:
    """The request for it is not counted as one that planning made. So the sum is right, whenever the token comes."""
    assert issuer.wire
    with plain_http() as http:
        store = RegistryStore(issuer.wire.host, http)
        store.expecting.reading(MANY)
        assert store.exists(MANY[0], BLOB)
        store.expecting.reading([*MANY, "team/more"])
        before, to_come = store.requests_sent.total, store.expecting.logins_to_come

        def step() -> None:
            AHEAD.now = True
            assert store.exists("team/more", BLOB)

        with TaskGroup() as group:
            group.start(step)
        assert len(issuer.tokens) == 2
        assert to_come == 1
        assert (store.requests_sent.total, store.expecting.logins_to_come) == (before, to_come)
        assert store.exists(MANY[1], BLOB)
        assert len(issuer.tokens) == 2, "it is used all the same"


def test_a_server_that_refuses_so_many_is_asked_for_each(issuer: Issuer) -> None:
    issuer.most = 1
    store = look(issuer)
    assert [len(scopes) for scopes in issuer.asked] == [6, 1, 1, 1, 1, 1, 1]
    store.expecting.writing(dict.fromkeys(MANY, ()))
    assert store.expecting.logins_to_come == len(MANY)


def test_a_server_that_reads_the_first_scope_only_is_asked_for_each_after_the_second(issuer: Issuer) -> None:
    issuer.only_first = True
    store = look(issuer)
    assert len(issuer.asked) <= 1 + len(MANY)
    assert store.requests_sent.kinds()["GET", "token"] == len(issuer.asked)


def test_one_repository_that_is_denied_costs_the_others_nothing(issuer: Issuer) -> None:
    issuer.denied = MANY[2]
    look(issuer, denied=MANY[2])
    assert [len(scopes) for scopes in issuer.asked] == [6, 1]
