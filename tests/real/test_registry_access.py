"""Getting into real registries: plain and TLS, anonymous, Basic, tokens, identity tokens, client certificates."""

from __future__ import annotations

import pytest

from tests.real.servers import Registry, StartRegistry
from tests.real.token_server import User
from transload.errors import AccessDenied, CertificateUntrusted, CredentialsRejected, ReadOnly, Unreachable
from transload.login import Login, Secret
from transload.net.http import Http
from transload.net.settings import NetSettings
from transload.oci import Name
from transload.registry.store import RegistryStore
from transload.testing.contract import blob, read
from transload.testing.images import fill, image, put
from transload.testing.layers import Content

LARGE = blob("large", 3_000_000)


def login(user: User | None) -> Login:
    assert user is not None
    return Login(user.name, Secret(user.password))


def there_and_back(store: RegistryStore, repository: str, content: Content = LARGE) -> None:
    put(store, repository, content)
    assert store.exists(repository, content.descriptor)
    assert read(store, repository, content.descriptor) == content.read()


def test_an_anonymous_registry_is_asked_exactly_what_is_needed(start_registry: StartRegistry) -> None:
    registry = start_registry()
    built = image("counted", layers=(100,))
    with Http() as http:
        store = RegistryStore(registry.host, http)
        put(store, "counted", LARGE)
        assert http.traffic.requests == 3
        fill(store, built, "counted", "1")
        assert http.traffic.requests == 3 + 2 * 3 + 1  # each blob is looked for, then sent
        store.resolve(Name("counted", "1"))
        store.fetch(Name("counted", "1"))
        assert store.exists("counted", LARGE.descriptor)
        read(store, "counted", LARGE.descriptor)
        assert store.mount(LARGE.descriptor, "counted", "other")
        assert list(store.tags("counted")) == ["1"]
        assert list(store.repositories()) == ["counted", "other"]
        assert http.traffic.requests == 10 + 7
    asked = [line for line, _ in registry.requests() if not line.endswith(" /v2/")]
    assert len(asked) == 17


def test_basic(htpasswd_registry: Registry) -> None:
    with Http() as http:
        there_and_back(RegistryStore(htpasswd_registry.host, http, login=login(htpasswd_registry.user)), "basic/a")
        assert http.traffic.requests == 1 + 3 + 1 + 1  # the challenge, once


def test_a_wrong_password_and_none(htpasswd_registry: Registry) -> None:
    with Http() as http:
        with pytest.raises(CredentialsRejected, match="credentials of me"):
            put(RegistryStore(htpasswd_registry.host, http, login=Login("me", Secret("x"))), "basic/b", LARGE)
        with pytest.raises(AccessDenied):
            put(RegistryStore(htpasswd_registry.host, http), "basic/b", LARGE)


def test_tokens(start_registry: StartRegistry) -> None:
    registry = start_registry("token")
    assert registry.tokens
    with Http() as http:
        store = RegistryStore(registry.host, http, login=login(registry.user))
        there_and_back(store, "tokens/a")
        assert len(registry.tokens.requests) == 1  # what may push may pull
        assert http.traffic.requests == 1 + 1 + 3 + 1 + 1
        assert store.mount(LARGE.descriptor, "tokens/a", "tokens/b")
        assert registry.tokens.requests[-1].scopes == ("repository:tokens/b:pull,push", "repository:tokens/a:pull")


def test_a_token_that_ends_during_the_work_is_replaced(start_registry: StartRegistry) -> None:
    registry = start_registry("token")
    assert registry.tokens
    registry.tokens.expiry_s = -5
    with Http() as http:
        store = RegistryStore(registry.host, http, login=login(registry.user))
        with pytest.raises(AccessDenied):
            put(store, "expiring", LARGE)
        registry.tokens.expiry_s = 300
        put(store, "expiring", LARGE)


def test_rights_end_where_they_end(token_registry: Registry) -> None:
    with Http() as http:
        put(RegistryStore(token_registry.host, http, login=login(token_registry.user)), "public/rights", LARGE)
        reader = RegistryStore(token_registry.host, http, login=login(token_registry.reader))
        assert read(reader, "public/rights", LARGE.descriptor) == LARGE.read()
        with pytest.raises(AccessDenied):
            put(reader, "public/rights", blob("other", 10))
        anonymous = RegistryStore(token_registry.host, http)
        assert read(anonymous, "public/rights", LARGE.descriptor) == LARGE.read()
        with pytest.raises(AccessDenied):
            put(anonymous, "public/rights", blob("other", 10))
        assert not anonymous.mount(LARGE.descriptor, "public/rights", "public/elsewhere")
        with pytest.raises(CredentialsRejected):
            RegistryStore(token_registry.host, http, login=Login("x", Secret("y"))).exists("a", LARGE.descriptor)


def test_an_identity_token(start_registry: StartRegistry) -> None:
    registry = start_registry("token")
    assert registry.tokens
    assert registry.user
    identity = Login("<token>", identity_token=Secret(registry.tokens.refresh_token(registry.user)))
    with Http() as http:
        there_and_back(RegistryStore(registry.host, http, login=identity), "identity")
        assert {asked.method for asked in registry.tokens.requests} == {"POST"}
    registry.tokens.oauth = False
    with Http() as http, pytest.raises(CredentialsRejected):  # the older way knows no identity tokens here
        RegistryStore(registry.host, http, login=identity).exists("identity", LARGE.descriptor)


def test_tls_with_the_users_authority(tls_registry: Registry) -> None:
    with Http(NetSettings(ca_files=(tls_registry.ca_file,))) as http:
        there_and_back(RegistryStore(tls_registry.host, http), "tls/a")
        assert http.traffic.requests == 5
    with Http() as http, pytest.raises(CertificateUntrusted) as caught:
        RegistryStore(tls_registry.host, http).exists("tls/a", LARGE.descriptor)
    assert "--ca-file" in (caught.value.hint or "")
    assert http.traffic.retries == 0


def test_a_host_named_as_insecure_is_not_verified_and_no_other(tls_registry: Registry) -> None:
    with Http(NetSettings(allow_insecure_tls=frozenset({tls_registry.host}))) as http:
        there_and_back(RegistryStore(tls_registry.host, http), "tls/b")
    other = NetSettings(allow_insecure_tls=frozenset({"other.example"}))
    with Http(other) as http, pytest.raises(CertificateUntrusted):
        RegistryStore(tls_registry.host, http).exists("tls/b", LARGE.descriptor)


def test_client_certificates(mutual_tls_registry: Registry) -> None:
    ours = NetSettings(
        ca_files=(mutual_tls_registry.ca_file,),
        client_certificate=mutual_tls_registry.client_certificate,
        client_key=mutual_tls_registry.client_key,
    )
    with Http(ours) as http:
        there_and_back(RegistryStore(mutual_tls_registry.host, http), "mutual/a")
    without = NetSettings(ca_files=(mutual_tls_registry.ca_file,), attempts=1)
    with Http(without) as http, pytest.raises((AccessDenied, Unreachable)):
        RegistryStore(mutual_tls_registry.host, http).exists("mutual/a", LARGE.descriptor)


def test_a_read_only_registry_says_so(start_registry: StartRegistry) -> None:
    registry = start_registry(storage={"maintenance": {"readonly": {"enabled": True}}})
    with Http() as http, pytest.raises(ReadOnly) as caught:
        put(RegistryStore(registry.host, http), "a", LARGE)
    assert caught.value.exit_code == 7


def test_relative_locations(start_registry: StartRegistry) -> None:
    registry = start_registry(http={"relativeurls": True})
    with Http() as http:
        there_and_back(RegistryStore(registry.host, http), "relative")


def test_a_wrong_location_of_a_registry_behind_a_proxy(start_registry: StartRegistry) -> None:
    """A registry told another port of its own host leaves ours out of the address."""
    registry = start_registry(http={"host": "http://127.0.0.1"})
    with Http() as http:
        there_and_back(RegistryStore(registry.host, http), "behind")


def test_a_registry_that_goes_away(start_registry: StartRegistry) -> None:
    registry = start_registry()
    with Http(NetSettings(give_up_after_s=2)) as http:
        store = RegistryStore(registry.host, http)
        put(store, "gone", LARGE)
        registry.stop()
        with pytest.raises(Unreachable, match="refuses connections"):
            store.exists("gone", LARGE.descriptor)
