"""Reading from registries that behave as some do: ranges ignored, bodies cut, headers missing, pages, web pages."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.unit.registry.wire import Asked, HastyClock, Said, Script, plain_http, refused, serving, talking
from transload.errors import (
    AccessDenied,
    BlobUnknown,
    DigestMismatch,
    HostGivenUp,
    LimitExceeded,
    LoginMissing,
    ManifestUnknown,
    ProtocolTrouble,
    Refused,
    RepositoryUnknown,
    SchemaUnsupported,
    ServerTrouble,
    SizeMismatch,
    Truncated,
)
from transload.oci import Descriptor, Digest, Name
from transload.oci.mediatype import DOCKER_SCHEMA1_SIGNED, OCI_INDEX, OCI_MANIFEST
from transload.registry.store import RegistryStore

BLOB = bytes(range(256)) * 12_000  # 3 MB: more than one chunk
LAYER = Descriptor("application/octet-stream", Digest.of(BLOB), len(BLOB))
RAW = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode()
DIGEST = Digest.of(RAW)
NAME = Name("a/b", "1")


def reading(store: RegistryStore, offset: int = 0, length: int | None = None) -> bytes:
    with store.open("a/b", LAYER, offset, length) as chunks:
        return b"".join(bytes(chunk) for chunk in chunks)


def wanted(asked: Asked) -> tuple[int, int] | None:
    form = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("Range") or "")
    return (int(form[1]), int(form[2]) + 1) if form else None


def part(asked: Asked, **more: Any) -> Said:
    """What a server that knows ranges says."""
    start, end = wanted(asked) or (0, len(BLOB))
    headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(BLOB)}"} if wanted(asked) else {}
    return Said(206 if wanted(asked) else 200, headers, BLOB[start:end], **more)


# --- blobs


def test_a_whole_blob_is_one_request_without_a_range() -> None:
    with serving(part) as wire, plain_http() as http:
        store = RegistryStore(wire.host, http)
        assert reading(store) == BLOB
        assert wire.lines == [f"GET /v2/a/b/blobs/{LAYER.digest}"]
        assert "Range" not in wire.asked[0].headers
        assert wire.asked[0].headers["Accept-Encoding"] == "identity"
        assert http.traffic.bytes_received == len(BLOB)


@pytest.mark.parametrize(("offset", "length"), [(5, 10), (2_000_000, None), (0, 7), (len(BLOB) - 1, 1)])
def test_a_part_is_asked_for_with_a_closed_range(offset: int, length: int | None) -> None:
    with serving(part) as wire, plain_http() as http:
        end = len(BLOB) if length is None else offset + length
        store = RegistryStore(wire.host, http)
        assert reading(store, offset, length) == BLOB[offset:end]
        assert wire.asked[0].headers["Range"] == f"bytes={offset}-{end - 1}"
        assert store.capabilities.ranges is True


def test_nothing_is_not_asked_for() -> None:
    with serving(part) as wire, plain_http() as http:
        assert reading(RegistryStore(wire.host, http), len(BLOB)) == b""
        assert wire.asked == []


@pytest.mark.parametrize(("offset", "length"), [(5, None), (2_000_000, 1_000), (0, 7)])
def test_a_server_that_ignores_ranges_is_read_past(offset: int, length: int | None) -> None:
    with serving(lambda asked: Said(body=BLOB)) as wire, plain_http() as http:
        store = RegistryStore(wire.host, http)
        end = len(BLOB) if length is None else offset + length
        assert reading(store, offset, length) == BLOB[offset:end]
        assert len(wire.asked) == 1
        assert store.capabilities.ranges is False


def test_a_body_that_breaks_off_is_continued_at_the_registrys_address() -> None:
    with serving(lambda asked: part(asked, cut=1_000_000)) as storage:

        def script(asked: Asked) -> Said:
            return Said(307, {"Location": f"http://{storage.host}/signed?sig={len(storage.asked)}"})

        with serving(script) as wire, plain_http() as http:
            assert reading(RegistryStore(wire.host, http)) == BLOB
    assert [wanted(asked) for asked in wire.asked] == [
        None,
        (1_000_000, len(BLOB)),
        (2_000_000, len(BLOB)),
        (3_000_000, len(BLOB)),
    ]
    assert [asked.target for asked in storage.asked][:2] == ["/signed?sig=0", "/signed?sig=1"]
    assert http.traffic.retries == 3


def test_a_clean_end_with_too_few_bytes_is_continued_too() -> None:
    """Without Content-Length the end of the connection is the end of the body, and looks like success."""

    def script(asked: Asked) -> Said:
        said = part(asked, cut=2_000_000 if wanted(asked) is None else len(BLOB))
        return Said(said.status, {**said.headers, "Content-Length": ""}, said.body, said.cut)

    with serving(script) as wire, plain_http() as http:
        assert reading(RegistryStore(wire.host, http)) == BLOB
        assert len(wire.asked) == 2


def test_a_body_that_never_moves_on_gives_up() -> None:
    with serving(lambda asked: part(asked, cut=0)) as wire, plain_http(attempts=3) as http:
        with pytest.raises(Truncated):
            reading(RegistryStore(wire.host, http))
        assert len(wire.asked) == 3


def test_a_server_that_ignores_ranges_and_breaks_off_is_not_read_for_ever() -> None:
    with serving(lambda asked: Said(body=BLOB, cut=1_000_000)) as wire, plain_http(attempts=9) as http:
        with pytest.raises(ServerTrouble, match="breaks off each time"):
            reading(RegistryStore(wire.host, http))
        assert len(wire.asked) == 4


@pytest.mark.parametrize("headers", [{}, {"Content-Length": ""}], ids=["length", "no-length"])
@pytest.mark.parametrize("body", [BLOB + b"x", BLOB + BLOB], ids=["one", "all"])
def test_more_than_promised_is_refused(headers: dict[str, str], body: bytes) -> None:
    with talking(lambda asked: Said(200, headers, body, cut=len(body))) as (_, store), pytest.raises(SizeMismatch):
        reading(store)


def test_another_size_is_noticed_before_the_first_byte() -> None:
    def script(asked: Asked) -> Said:
        if wanted(asked) is None:
            return Said(body=BLOB[:-1])
        return Said(206, {"Content-Range": "bytes 5-9/77"}, BLOB[5:10])

    with serving(script) as wire, plain_http() as http:
        store = RegistryStore(wire.host, http)
        for offset in (0, 5):
            with pytest.raises(SizeMismatch), store.open("a/b", LAYER, offset):
                raise AssertionError("it must not open")


@pytest.mark.parametrize("wrong", ["bytes 0-9/3072000", "bytes 6-15/*", "nonsense", ""])
def test_a_wrong_part_is_not_taken_for_the_right_one(wrong: str) -> None:
    def script(asked: Asked) -> Said:
        return Said(206, {"Content-Range": wrong}, BLOB[:10]) if wanted(asked) else Said(body=BLOB)

    with serving(script) as wire, plain_http() as http:
        assert reading(RegistryStore(wire.host, http), 5) == BLOB[5:]


def test_a_range_that_cannot_be_satisfied_is_asked_for_whole() -> None:
    def script(asked: Asked) -> Said:
        return Said(416, {"Content-Range": f"bytes */{len(BLOB)}"}) if wanted(asked) else Said(body=BLOB)

    with serving(script) as wire, plain_http() as http:
        assert reading(RegistryStore(wire.host, http), 5) == BLOB[5:]
        assert len(wire.asked) == 2
    with (
        talking(lambda asked: Said(416, {"Content-Range": "bytes */4"})) as (_, store),
        pytest.raises(SizeMismatch, match="has 4 bytes"),
    ):
        reading(store, 5)


@pytest.mark.parametrize(
    ("said", "error", "text"),
    [
        (refused(404, "BLOB_UNKNOWN", "blob unknown to registry"), BlobUnknown, "blob unknown to registry"),
        (refused(403, "DENIED", "requested access is denied"), AccessDenied, "requested access is denied"),
        (Said(404, {"Content-Type": "text/html"}, b"<html><title>404 Not Found</title>"), BlobUnknown, "404 Not Found"),
        (Said(429, {"Retry-After": "1000"}, b"{broken"), HostGivenUp, "broken"),
        (Said(500, {}, b"\xff\x00 oh"), ServerTrouble, "oh"),
        (Said(502), HostGivenUp, "bad gateway"),
        (Said(400, {}, b'{"errors": "none"}'), Refused, "answers 400"),
    ],
)
def test_refusals_keep_what_the_registry_said(said: Said, error: type[Exception], text: str) -> None:
    with serving(lambda asked: said) as wire, plain_http() as http:
        with pytest.raises(error, match=text) as caught:
            reading(RegistryStore(wire.host, http))
        assert wire.host in str(caught.value)


def test_a_wait_longer_than_patience_is_not_begun() -> None:
    with serving(lambda asked: Said(429, {"Retry-After": "1000"})) as wire, plain_http() as http:
        with pytest.raises(HostGivenUp, match="answers 429"):
            reading(RegistryStore(wire.host, http))
        assert isinstance(http.clock, HastyClock)
        assert http.clock.slept == []


# --- holds


def test_a_blob_of_another_size_is_not_held() -> None:
    answers: dict[str, Said] = {"a/b": Said(body=BLOB), "short": Said(body=b"x"), "none": Said(404)}

    def script(asked: Asked) -> Said:
        return answers[asked.path.split("/v2/")[1].split("/blobs/")[0]]

    with serving(script) as wire, plain_http() as http:
        store = RegistryStore(wire.host, http)
        assert [store.exists(repository, LAYER) for repository in ("a/b", "short", "none")] == [True, False, False]
        assert {asked.method for asked in wire.asked} == {"HEAD"}
        assert http.traffic.requests == 4  # another size may be an accident on the way


# --- manifests


def manifest(asked: Asked) -> Said:
    return Said(200, {"Content-Type": OCI_INDEX, "Docker-Content-Digest": DIGEST}, RAW)


def test_a_name_is_resolved_by_one_request() -> None:
    with serving(manifest) as wire, plain_http() as http:
        found = RegistryStore(wire.host, http).resolve(NAME)
        assert found == Descriptor(OCI_INDEX, DIGEST, len(RAW))
        assert wire.lines == ["HEAD /v2/a/b/manifests/1"]
        assert OCI_MANIFEST in wire.asked[0].headers["Accept"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": OCI_INDEX},
        {"Content-Type": OCI_INDEX, "Docker-Content-Digest": "sha256:short"},
        {"Content-Type": OCI_INDEX, "Docker-Content-Digest": DIGEST, "Content-Length": ""},
        {"Content-Type": "application/json", "Docker-Content-Digest": DIGEST},
    ],
)
def test_a_head_that_leaves_something_out_is_followed_by_a_get(headers: dict[str, str]) -> None:
    with serving(lambda asked: Said(200, headers, RAW, cut=len(RAW))) as wire, plain_http() as http:
        assert RegistryStore(wire.host, http).resolve(NAME).digest == DIGEST
        assert [asked.method for asked in wire.asked] == ["HEAD", "GET"]


def test_a_registry_without_head_is_asked_by_get_from_then_on() -> None:
    with serving(lambda asked: Said(405) if asked.method == "HEAD" else manifest(asked)) as wire, plain_http() as http:
        store = RegistryStore(wire.host, http)
        store.resolve(NAME)
        store.resolve(NAME)
        assert [asked.method for asked in wire.asked] == ["HEAD", "GET", "GET"]


def test_a_registry_that_lies_about_digests_is_found_out() -> None:
    other = Digest.of(b"other")

    def script(asked: Asked) -> Said:
        return Said(200, {"Content-Type": OCI_INDEX, "Docker-Content-Digest": other}, RAW)

    with serving(script) as wire, plain_http() as http:
        store = RegistryStore(wire.host, http)
        with pytest.raises(DigestMismatch, match="lies about its digest"):
            store.fetch(NAME)
        with pytest.raises(DigestMismatch):
            store.fetch(Name("a/b", None, DIGEST))
        with pytest.raises(DigestMismatch):
            store.resolve(Name("a/b", None, DIGEST))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (refused(404, "MANIFEST_UNKNOWN", "manifest unknown"), ManifestUnknown),
        (Said(200, {"Content-Type": "text/html; charset=utf-8"}, b"<!doctype html><p>Log in"), ProtocolTrouble),
        (Said(200, {"Content-Type": DOCKER_SCHEMA1_SIGNED}, b'{"schemaVersion": 1}'), SchemaUnsupported),
        (Said(200, {"Content-Type": OCI_INDEX}, b" " * (5 << 20)), LimitExceeded),
        (Said(401), AccessDenied),
    ],
)
def test_what_is_no_manifest(said: Said, error: type[Exception]) -> None:
    with serving(lambda asked: said) as wire, plain_http() as http, pytest.raises(error):
        RegistryStore(wire.host, http).fetch(NAME)


# --- lists


def in_pages(key: str, *texts: list[str] | None) -> Script:
    def script(asked: Asked) -> Said:
        number = int(asked.query.get("page", ["0"])[0])
        link = f'<{asked.path}?page={number + 1}>; rel="next"' if number + 1 < len(texts) else ""
        return Said(200, {"Content-Type": "application/json", "Link": link}, json.dumps({key: texts[number]}).encode())

    return script


def test_tags_come_in_pages_and_a_short_page_is_not_the_end() -> None:
    with serving(in_pages("tags", ["a", "b"], [], None, ["c"])) as wire, plain_http() as http:
        assert list(RegistryStore(wire.host, http).tags("a/b")) == ["a", "b", "c"]
        assert wire.lines[0] == "GET /v2/a/b/tags/list?n=1000"
        assert http.traffic.requests == 4


def test_repositories_come_in_pages_too() -> None:
    with serving(in_pages("repositories", ["a"], ["b/c"])) as wire, plain_http() as http:
        assert list(RegistryStore(wire.host, http).repositories()) == ["a", "b/c"]


@pytest.mark.parametrize("said", [Said(404), Said(405), Said(403), Said(401), Said(200, {}, b"<html>")])
def test_a_registry_without_a_list_of_repositories(said: Said) -> None:
    with talking(lambda asked: said) as (_, store), pytest.raises(Refused, match="does not list its repositories"):
        list(store.repositories())


def test_a_list_of_repositories_that_wants_a_login_is_not_called_absent() -> None:
    said = Said(401, {"WWW-Authenticate": 'Basic realm="bank"'})
    with talking(lambda asked: said) as (_, store), pytest.raises(LoginMissing):
        list(store.repositories())


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{", b'{"tags": "all"}', b"\xff"])
def test_what_is_no_list(body: bytes) -> None:
    with (
        talking(lambda asked: Said(200, {}, body)) as (_, store),
        pytest.raises(ProtocolTrouble, match="does not look like a registry"),
    ):
        list(store.tags("a/b"))


def test_tags_of_nothing() -> None:
    with talking(lambda asked: refused(404, "NAME_UNKNOWN")) as (_, store), pytest.raises(RepositoryUnknown):
        list(store.tags("a/b"))


@pytest.mark.parametrize("wish", [{"Retry-After": "3600"}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "3600"}])
def test_a_wait_that_is_longer_than_the_patience_is_named(wish: dict[str, str]) -> None:
    with talking(lambda asked: Said(429, wish)) as (wire, store):
        with pytest.raises(HostGivenUp, match="answers 429") as raised:
            store.fetch(NAME)
        assert len(wire.asked) == 1
    assert (raised.value.hint or "").startswith("it asks to wait for 3600 s: run the same command then")
