"""Every place that attaches `Authorization`: it goes with requests to the registry's own address, and with no other.

All hosts are behind one proxy, which sees for whom each request is. The registry sends its client away from wherever
it can; the host that it sends it to answers in ways that send it back.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from attrs import define, field

from tests.unit.net.test_address import ELSEWHERE
from tests.unit.registry.wire import Asked, Said, Wire, plain_http, refused, serving
from transload.errors import TransloadError
from transload.login import Login, Secret
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.registry.store import RegistryStore

HOST = "registry.example"
EVIL = "storage.evil.example"
ME = Login("me", Secret("geheim"))
PASSWORD = "Basic " + base64.b64encode(b"me:geheim").decode()
LARGE = bytes(256) * 16384
SMALL = b"small"
OCI = "application/vnd.oci.image.manifest.v1+json"
ROOT = Digest.of(b"root")

Place = Callable[[Asked], Said | None]
Work = Callable[[RegistryStore], object]


@define
class World:
    """A proxy in front of everybody. `place` is where the registry sends its client away, `evil` what happens there."""

    place: Place
    evil: Place
    bearer: bool
    wire: Wire | None = field(default=None)

    def __call__(self, asked: Asked) -> Said:
        host = urlsplit(asked.target).netloc
        if host == HOST:
            return self._registry(asked)
        return self.evil(asked) or Said(201, {"Location": asked.target})

    def _registry(self, asked: Asked) -> Said:
        given = asked.headers.get("Authorization")
        if asked.path == "/token":
            return Said(body=b'{"token": "t"}') if given == PASSWORD else refused(401)
        if self.bearer and given != "Bearer t":
            return refused(401, WWW_Authenticate=f'Bearer realm="http://{HOST}/token",service="s"')
        if not self.bearer and given != PASSWORD:
            return refused(401, WWW_Authenticate='Basic realm="r"')
        return self.place(asked) or Said(404)

    def leaks(self) -> list[str]:
        assert self.wire
        return [
            f"{asked.method} {asked.target}"
            for asked in self.wire.asked
            if asked.headers.get("Authorization") and urlsplit(asked.target).netloc != HOST
        ]

    def hosts(self) -> set[str]:
        assert self.wire
        return {urlsplit(asked.target).netloc for asked in self.wire.asked}


@contextlib.contextmanager
def world(place: Place, evil: Place, bearer: bool = False) -> Iterator[tuple[World, Callable[[], RegistryStore]]]:
    """The world, and what makes stores that know nothing of it yet."""
    made = World(place, evil, bearer)
    with serving(made) as wire:
        made.wire = wire
        names = frozenset({HOST, EVIL})
        with plain_http(allow_plain_http=names, proxies={"http": f"http://{wire.host}"}, attempts=3) as http:
            yield made, lambda: RegistryStore(HOST, http, login=ME)


# --- where the registry sends its client away


def upload(asked: Asked) -> Said | None:
    return Said(202, {"Location": f"http://{EVIL}/upload/1"}) if asked.method == "POST" else None


def upload_at_another_port(asked: Asked) -> Said | None:
    return Said(202, {"Location": f"http://{HOST}:8080/upload/1"}) if asked.method == "POST" else None


def redirect(asked: Asked) -> Said | None:
    return Said(307, {"Location": f"http://{EVIL}{asked.path}"}) if asked.method in {"GET", "HEAD"} else None


def redirect_of_a_write(asked: Asked) -> Said | None:
    return Said(307, {"Location": f"http://{EVIL}{asked.path}"})


def next_page(asked: Asked) -> Said | None:
    link = {"Link": f'<http://{EVIL}{asked.path}?n=1>; rel="next"', "Content-Type": "application/json"}
    return Said(200, link, json.dumps({"tags": ["1"], "repositories": ["a"], "manifests": []}).encode())


# --- what the other host answers


def obliging(asked: Asked) -> Said | None:
    return Said(200 if asked.method in {"GET", "HEAD"} else 201, {"Location": asked.target}, SMALL)


def asking_for_a_password(asked: Asked) -> Said | None:
    return refused(401, WWW_Authenticate='Basic realm="r"')


def asking_for_a_token(asked: Asked) -> Said | None:
    return refused(401, WWW_Authenticate=f'Bearer realm="http://{EVIL}/token",service="s"')


def sending_back(asked: Asked) -> Said | None:
    """To a path of the registry that asks for a login, which is not given there unasked."""
    return Said(307, {"Location": f"http://{HOST}/v2/other/manifests/protected"})


def failing_first(asked: Asked) -> Said | None:
    """So that the client asks how far the upload came, and is sent back to the registry for the answer."""
    return Said(503) if asked.method == "PATCH" else sending_back(asked)


EVILS = (obliging, asking_for_a_password, asking_for_a_token, sending_back, failing_first)


# --- what is done at the registry


def bring(content: bytes) -> Work:
    def work(store: RegistryStore) -> object:
        blob = Descriptor("application/octet-stream", Digest.of(content), len(content))
        for _ in range(3):
            with contextlib.suppress(TransloadError), store.begin("a", blob) as ingest:
                ingest.write([content[ingest.offset :]])
                ingest.commit()
        return None

    return work


def give_up(store: RegistryStore) -> object:
    with store.begin("a", Descriptor("application/octet-stream", Digest.of(LARGE), len(LARGE))) as ingest:
        with contextlib.suppress(TransloadError):
            ingest.write([LARGE])
        ingest.abandon()
    return None


def read(store: RegistryStore) -> object:
    with store.open("a", Descriptor("application/octet-stream", Digest.of(SMALL), len(SMALL))) as chunks:
        return list(chunks)


def put(store: RegistryStore) -> None:
    store.put_manifest(Name("a", "1"), Manifest.parse(b'{"schemaVersion":2,"mediaType":"%s"}' % OCI.encode(), OCI))


WAYS: dict[str, tuple[Place, Work]] = {
    "a large upload": (upload, bring(LARGE)),
    "a small upload": (upload, bring(SMALL)),
    "an upload at another port": (upload_at_another_port, bring(LARGE)),
    "an upload that is given up": (upload, give_up),
    "a mount that became an upload": (upload, lambda store: store.mount(Descriptor(OCI, ROOT, 4), "b", "a")),
    "a blob": (redirect, read),
    "looking for a blob": (redirect, lambda store: store.exists("a", Descriptor("x/y", ROOT, 4))),
    "a manifest": (redirect, lambda store: store.fetch(Name("a", "1"))),
    "looking for a manifest": (redirect, lambda store: store.resolve(Name("a", "1"))),
    "a list of tags": (redirect, lambda store: list(store.tags("a"))),
    "the next page of tags": (next_page, lambda store: list(store.tags("a"))),
    "the next page of repositories": (next_page, lambda store: list(store.repositories())),
    "the next page of referrers": (next_page, lambda store: store.referrers("a", ROOT)),
    "referrers": (redirect, lambda store: store.referrers("a", ROOT)),
    "a manifest that is put": (redirect_of_a_write, put),
}
NOT_FOLLOWED = {way for way, (place, _) in WAYS.items() if place is next_page} | {"a manifest that is put"}


@pytest.mark.parametrize("bearer", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_nothing_but_the_registrys_own_requests_carries_credentials(way: str, bearer: bool) -> None:
    place, work = WAYS[way]
    elsewhere = f"{HOST}:8080" if place is upload_at_another_port else EVIL
    with world(place, obliging, bearer) as (seen, new_store):
        wire, reached = seen.wire, set[str]()
        assert wire
        for seen.evil in EVILS:
            store = new_store()
            with contextlib.suppress(TransloadError):
                list(store.tags("first"))  # the registry's challenge is known from here on
            before = len(wire.asked)
            with contextlib.suppress(TransloadError):
                work(store)
            reached |= {urlsplit(asked.target).netloc for asked in wire.asked[before:]}
            assert (seen.evil.__name__, seen.leaks()) == (seen.evil.__name__, [])
        assert (elsewhere in reached) is (way not in NOT_FOLLOWED)


@pytest.mark.parametrize("way", [way for way in WAYS if way not in NOT_FOLLOWED])
def test_a_location_that_can_be_read_in_two_ways_is_not_followed(way: str) -> None:
    locations = [one for one in ELSEWHERE if one.isascii() and "\n" not in one]

    def place(asked: Asked) -> Said | None:
        said = WAYS[way][0](asked)
        return said and Said(said.status, {"Location": location})

    with world(place, obliging) as (seen, new_store):
        for location in locations:
            with contextlib.suppress(TransloadError):
                WAYS[way][1](new_store())
            assert (location, seen.hosts()) == (location, {HOST})


# --- realms


@pytest.mark.parametrize("realm", [f"http://{EVIL}/token", f"http://{HOST}:8080/token", *ELSEWHERE[:7]])
def test_a_realm_elsewhere_sees_no_password(realm: str) -> None:
    quoted = realm.replace("\\", "\\\\")

    def script(asked: Asked) -> Said:
        return refused(401, WWW_Authenticate=f'Bearer realm="{quoted}",service="s"')

    with serving(script) as wire:
        proxies = {"http": f"http://{wire.host}"}
        with plain_http(allow_plain_http=frozenset({HOST}), proxies=proxies) as http, pytest.raises(TransloadError):
            RegistryStore(HOST, http, login=ME).fetch(Name("a", "1"))
        told = [asked for asked in wire.asked if asked.headers.get("Authorization")]
        assert [asked.target for asked in told if urlsplit(asked.target).hostname != HOST] == []


def test_a_realm_that_redirects_elsewhere_takes_no_password_along() -> None:
    def script(asked: Asked) -> Said:
        if asked.path == "/token":
            return Said(307, {"Location": f"http://{EVIL}/steal"})
        return refused(401, WWW_Authenticate=f'Bearer realm="http://{HOST}/token",service="s"')

    with serving(script) as wire:
        proxies = {"http": f"http://{wire.host}"}
        with plain_http(allow_plain_http=frozenset({HOST}), proxies=proxies) as http, pytest.raises(TransloadError):
            RegistryStore(HOST, http, login=ME).fetch(Name("a", "1"))
        assert [asked.headers.get("Authorization") for asked in wire.asked if "/steal" in asked.target] == [None]
        assert [asked.headers.get("Authorization") for asked in wire.asked if "/token" in asked.target] == [PASSWORD]


def test_the_proxys_own_password_stays_with_the_proxy() -> None:
    with serving(lambda asked: Said(body=SMALL)) as straight:

        def script(asked: Asked) -> Said:
            return Said(307, {"Location": f"http://{straight.host}/blob"})

        with serving(script) as wire:
            proxies = {"http": f"http://ann:pw@{wire.host}"}
            with plain_http(allow_plain_http=frozenset({HOST, "127.0.0.1"}), proxies=proxies) as http:
                assert read(RegistryStore(HOST, http)) == [SMALL]
        assert [asked.headers.get("Proxy-Authorization") for asked in wire.asked] == ["Basic YW5uOnB3"]
        assert [asked.headers.get("Proxy-Authorization") for asked in straight.asked] == [None]
