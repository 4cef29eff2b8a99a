"""Getting in: challenges, tokens and passwords, against a scripted registry with its token server."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator

import pytest
from attrs import evolve

from tests.unit.registry.wire import Asked, HastyClock, Said, Wire, plain_http, refused, serving
from transload.errors import (
    AccessDenied,
    CredentialsRejected,
    HostGivenUp,
    InsecureRefused,
    ProtocolTrouble,
    ServerTrouble,
)
from transload.login import Login, Secret
from transload.net.http import Http
from transload.oci import Descriptor, Digest, Name
from transload.registry.scope import pull
from transload.registry.store import RegistryStore
from transload.threads import TaskGroup

BLOB = Descriptor("application/octet-stream", Digest.of(b"content"), 7)
ME = Login("me", Secret("right"))
OTHER = Login("me", Secret("wrong"))


class Guarded:
    """A registry that wants tokens, and the server that gives them."""

    def __init__(self) -> None:
        self.tokens: dict[str, list[str]] = {}
        self.lifetime_s = 300
        self.wanted = "repository:a/b:pull"
        self.realm = ""
        self.expired: set[str] = set()
        self.oauth = True
        self.wire: Wire | None = None

    def __call__(self, asked: Asked) -> Said:
        if asked.path == "/token":
            return self._give(asked)
        token = (asked.headers.get("Authorization") or "").removeprefix("Bearer ")
        if self.wanted in self.tokens.get(token, []) and token not in self.expired:
            return Said(body=b"content")
        error = ',error="insufficient_scope"' if token else ""
        challenge = f'Bearer realm="{self.realm or self._here}",service="s",scope="{self.wanted}"{error}'
        return refused(401, "UNAUTHORIZED", WWW_Authenticate=challenge)

    @property
    def _here(self) -> str:
        assert self.wire
        return f"http://{self.wire.host}/token"

    def _give(self, asked: Asked) -> Said:
        if asked.method == "POST":
            if not self.oauth:
                return Said(404)
            scopes = ["repository:a/b:pull"] if b"refresh_token=identity" in asked.body else []
        else:
            user = asked.headers.get("Authorization") or ""
            if user and base64.b64decode(user.removeprefix("Basic ")) not in {b"me:right", b"<token>:identity"}:
                return refused(401, "UNAUTHORIZED", "wrong password")
            scopes = asked.query["scope"]
        token = f"token{len(self.tokens)}"
        self.tokens[token] = scopes
        return Said(body=json.dumps({"token": token, "expires_in": self.lifetime_s}).encode())

    def asked_for(self, path: str) -> list[Asked]:
        assert self.wire
        return [asked for asked in self.wire.asked if asked.path.startswith(path)]


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    guarded = Guarded()
    with serving(guarded) as wire:
        guarded.wire = wire
        yield guarded


def store_for(guarded: Guarded, http: Http, login: Login | None = None) -> RegistryStore:
    assert guarded.wire
    return RegistryStore(guarded.wire.host, http, login=login)


def test_the_first_refusal_teaches_and_later_requests_bring_the_token(guarded: Guarded) -> None:
    with plain_http() as http:
        store = store_for(guarded, http)
        for _ in range(3):
            assert store.exists("a/b", BLOB)
        assert http.traffic.requests == 1 + 1 + 3
        assert len(guarded.asked_for("/token")) == 1
        guarded.wanted = "repository:c:pull"
        assert store.exists("c", BLOB)
        assert http.traffic.requests == 7  # the token of the other repository is asked for unasked
        assert "Authorization" not in guarded.asked_for("/token")[0].headers


def test_a_token_is_renewed_ahead_of_its_end(guarded: Guarded) -> None:
    with plain_http() as http:
        store = store_for(guarded, http, ME)
        assert store.exists("a/b", BLOB)
        assert isinstance(http.clock, HastyClock)
        http.clock.sleep_s(100)
        assert store.exists("a/b", BLOB)
        assert len(guarded.asked_for("/token")) == 1
        http.clock.sleep_s(150)
        assert store.exists("a/b", BLOB)
        assert len(guarded.asked_for("/token")) == 2
        assert len(guarded.asked_for("/v2/")) == 4  # no request was refused but the first


def test_a_token_without_a_lifetime_lives_a_minute(guarded: Guarded) -> None:
    guarded.lifetime_s = 0
    with plain_http() as http:
        store = store_for(guarded, http)
        store.exists("a/b", BLOB)
        http.clock.sleep_s(40)
        store.exists("a/b", BLOB)
        assert len(guarded.asked_for("/token")) == 1
        http.clock.sleep_s(10)
        store.exists("a/b", BLOB)
        assert len(guarded.asked_for("/token")) == 2


def test_a_token_that_is_withdrawn_is_replaced_once(guarded: Guarded) -> None:
    with plain_http() as http:
        store = store_for(guarded, http)
        store.exists("a/b", BLOB)
        guarded.expired.add("token0")
        assert store.exists("a/b", BLOB)
        assert len(guarded.asked_for("/token")) == 2


def test_no_token_of_before_takes_the_place_of_one_that_was_withdrawn(guarded: Guarded) -> None:
    with plain_http() as http:
        store = store_for(guarded, http)
        store.exists("a/b", BLOB)
        tokens = store._api._authorizer((pull("a/b"),))._tokens
        tokens.append(evolve(tokens[0], value=Secret("for more, and withdrawn too")))
        guarded.expired.add("token0")
        http.clock.sleep_s(1)
        assert store.exists("a/b", BLOB)
        assert len(guarded.asked_for("/token")) == 2


def test_a_scope_that_the_registry_wants_besides_is_added(guarded: Guarded) -> None:
    with plain_http() as http:
        store = store_for(guarded, http)
        store.exists("a/b", BLOB)
        guarded.wanted = "repository:base:pull"
        assert store.exists("a/b", BLOB)
        scopes = guarded.asked_for("/token")[1].query["scope"]
        assert sorted(scopes) == ["repository:a/b:pull", "repository:base:pull"]
        assert store.exists("a/b", BLOB)
        assert len(guarded.asked_for("/token")) == 2


def test_what_a_good_token_may_not_is_denied(guarded: Guarded) -> None:
    class Stingy(Guarded):
        def _give(self, asked: Asked) -> Said:
            return Said(body=b'{"token": "weak"}')

    stingy = Stingy()
    with serving(stingy) as wire, plain_http() as http:
        stingy.wire = wire
        with pytest.raises(AccessDenied, match="401"):
            store_for(stingy, http, ME).exists("a/b", BLOB)
        assert len(wire.asked) == 3


def test_a_wrong_password_names_host_and_user(guarded: Guarded) -> None:
    with plain_http() as http, pytest.raises(CredentialsRejected, match="credentials of me") as caught:
        store_for(guarded, http, OTHER).exists("a/b", BLOB)
    assert guarded.wire
    assert guarded.wire.host in str(caught.value)
    assert "wrong" not in str(caught.value) + str(caught.value.hint)


def test_an_identity_token_is_posted(guarded: Guarded) -> None:
    login = Login(identity_token=Secret("identity"))
    with plain_http() as http:
        assert store_for(guarded, http, login).exists("a/b", BLOB)
        assert [asked.method for asked in guarded.asked_for("/token")] == ["POST"]


def test_an_identity_token_goes_the_older_way_where_it_must(guarded: Guarded) -> None:
    guarded.oauth = False
    login = Login("<token>", identity_token=Secret("identity"))
    with plain_http() as http:
        assert store_for(guarded, http, login).exists("a/b", BLOB)
        assert [asked.method for asked in guarded.asked_for("/token")] == ["POST", "GET"]


def test_many_threads_ask_for_one_token(guarded: Guarded) -> None:
    with plain_http() as http:
        store = store_for(guarded, http)
        store.exists("a/b", BLOB)
        guarded.wanted = "repository:c:pull"
        together = threading.Barrier(8)

        def ask() -> None:
            together.wait()
            assert store.exists("c", BLOB)

        with TaskGroup() as group:
            for _ in range(8):
                group.start(ask)
        assert len(guarded.asked_for("/token")) == 2


def test_a_realm_elsewhere_gets_no_password_unless_allowed(guarded: Guarded) -> None:
    guarded.realm = "https://tokens.invalid/token"
    with plain_http() as http, pytest.raises(InsecureRefused, match=r"another host, tokens\.invalid"):
        store_for(guarded, http, ME).exists("a/b", BLOB)


def test_a_realm_that_is_no_url(guarded: Guarded) -> None:
    guarded.realm = "http://[broken"
    with plain_http() as http, pytest.raises(ProtocolTrouble):
        store_for(guarded, http).exists("a/b", BLOB)


def test_a_realm_in_trouble_is_asked_again() -> None:
    def script(asked: Asked) -> Said:
        if asked.path == "/token":
            return Said(500)
        return refused(401, WWW_Authenticate='Bearer realm="/token"')

    with serving(script) as wire, plain_http(attempts=3) as http:
        with pytest.raises(ServerTrouble, match="cannot give a token now"):
            RegistryStore(wire.host, http).exists("a/b", BLOB)
        assert http.traffic.retries == 2


# --- Basic


def basic_only(asked: Asked) -> Said:
    if asked.headers.get("Authorization") == "Basic bWU6cmlnaHQ=":
        return Said(body=b"content")
    return refused(401, WWW_Authenticate='Basic realm="r"')


def test_a_password_goes_along_after_the_first_challenge() -> None:
    with serving(basic_only) as wire, plain_http() as http:
        store = RegistryStore(wire.host, http, login=ME)
        for _ in range(3):
            assert store.exists("a/b", BLOB)
        assert len(wire.asked) == 4


def test_a_wrong_password_is_rejected_and_none_is_denied() -> None:
    with serving(basic_only) as wire, plain_http() as http:
        with pytest.raises(CredentialsRejected):
            RegistryStore(wire.host, http, login=OTHER).exists("a/b", BLOB)
        assert len(wire.asked) == 2
        with pytest.raises(AccessDenied, match="user name and password"):
            RegistryStore(wire.host, http).exists("a/b", BLOB)
        rejected = RegistryStore(wire.host, http, login=OTHER)
        for _ in range(2):  # also when the password went along unasked
            with pytest.raises(CredentialsRejected):
                rejected.exists("a/b", BLOB)


def test_a_password_is_not_sent_to_where_a_blob_is_redirected() -> None:
    with serving(lambda asked: Said(body=b"content")) as storage:

        def script(asked: Asked) -> Said:
            said = basic_only(asked)
            return said if said.status == 401 else Said(307, {"Location": f"http://{storage.host}/x"})

        with serving(script) as wire, plain_http() as http:
            store = RegistryStore(wire.host, http, login=ME)
            with store.open("a/b", BLOB) as chunks:
                assert b"".join(bytes(chunk) for chunk in chunks) == b"content"
    assert [asked.headers.get("Authorization") for asked in storage.asked] == [None]


def test_an_answer_that_may_be_the_proxys_says_so() -> None:
    with serving(lambda asked: Said(503)) as proxy:
        plain = frozenset({"registry.invalid"})
        proxies = {"http": f"http://{proxy.host}"}
        with (
            plain_http(proxies=proxies, allow_plain_http=plain, attempts=1) as http,
            pytest.raises(HostGivenUp) as caught,
        ):
            RegistryStore("registry.invalid", http).resolve(Name("a", "1"))
    assert caught.value.hint == "this may be the proxy's answer: check that it can reach registry.invalid"
