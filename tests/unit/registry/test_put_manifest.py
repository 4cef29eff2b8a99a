"""Storing manifests, mounting blobs, and the lists of referrers that a registry leaves to its clients."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.registry.wire import Asked, Said, refused, talking
from transload.errors import BlobUnknown, DigestMismatch, ManifestUnknown, ReadOnly, Refused
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.mediatype import OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_LAYER_GZIP, OCI_MANIFEST
from transload.registry.referrers import fallback_tag, index_with
from transload.registry.store import RegistryStore
from transload.threads import TaskGroup

BLOB = Descriptor("application/octet-stream", Digest.of(b"content"), 7)
EMPTY = {"mediaType": OCI_EMPTY, "digest": Digest.of(b"{}"), "size": 2}
SUBJECT = Digest.of(b"subject")
TAG = f"sha256-{SUBJECT.encoded}"


def manifest(**more: Any) -> Manifest:
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": EMPTY, "layers": [], **more}
    return Manifest.parse(json.dumps(document, indent=1).encode())


def signature(number: int = 0, **more: Any) -> Manifest:
    subject = {"mediaType": OCI_MANIFEST, "digest": SUBJECT, "size": 7}
    return manifest(subject=subject, annotations={"number": str(number)}, **more)


class RepositoryContent:
    """Keeps manifests by reference; knows nothing of referrers, as distribution does."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, bytes]] = {}
        self.headers: dict[str, str] = {}

    def __call__(self, asked: Asked) -> Said:
        reference = asked.path.rpartition("/")[2]
        if "/referrers/" in asked.path:
            return refused(404, "MANIFEST_UNKNOWN")
        if asked.method == "PUT":
            self.kept[reference] = (asked.headers["Content-Type"] or "", asked.body)
            return Said(201, self.headers)
        if reference not in self.kept:
            return refused(404, "MANIFEST_UNKNOWN")
        media_type, raw = self.kept[reference]
        return Said(200, {"Content-Type": media_type}, raw)


def test_a_manifest_is_stored_by_one_request_byte_for_byte() -> None:
    shelf, built = RepositoryContent(), manifest()
    with talking(shelf) as (wire, store):
        store.put_manifest(Name("a/b", "1"), built)
        store.put_manifest(Name("a/b", None, built.digest), built)
        assert shelf.kept == {"1": (OCI_MANIFEST, built.raw), built.digest: (OCI_MANIFEST, built.raw)}
        assert store.traffic.requests == 2
        assert "Accept" not in wire.asked[0].headers


def test_a_name_cannot_stand_for_another_digest() -> None:
    with talking(RepositoryContent()) as (wire, store):
        with pytest.raises(DigestMismatch):
            store.put_manifest(Name("a/b", "1", SUBJECT), manifest())
        assert wire.asked == []


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (refused(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry"), BlobUnknown),
        (refused(404, "MANIFEST_BLOB_UNKNOWN"), BlobUnknown),
        (refused(400, "MANIFEST_UNKNOWN"), ManifestUnknown),
        (refused(400, "MANIFEST_INVALID", "manifest invalid"), Refused),
        (refused(405, "UNSUPPORTED"), ReadOnly),
        (Said(201, {"Docker-Content-Digest": SUBJECT}), DigestMismatch),
    ],
)
def test_a_refused_manifest(said: Said, error: type[Exception]) -> None:
    with talking(lambda asked: said) as (_, store), pytest.raises(error):
        store.put_manifest(Name("a/b", "1"), manifest())


# --- referrers


def test_a_registry_that_keeps_the_list_is_left_alone() -> None:
    shelf = RepositoryContent()
    shelf.headers = {"OCI-Subject": SUBJECT}
    with talking(shelf) as (_, store):
        store.put_manifest(Name("a/b", None, signature().digest), signature())
        assert store.traffic.requests == 1


def test_a_list_is_kept_under_a_tag_otherwise() -> None:
    shelf, signed = RepositoryContent(), signature(artifactType="application/vnd.sig")
    with talking(shelf) as (_, store):
        for _ in range(2):
            store.put_manifest(Name("a/b", None, signed.digest), signed)
        media_type, raw = shelf.kept[TAG]
        assert media_type == OCI_INDEX
        (entry,) = json.loads(raw)["manifests"]
        assert entry == {
            "mediaType": OCI_MANIFEST,
            "digest": signed.digest,
            "size": len(signed.raw),
            "artifactType": "application/vnd.sig",
            "annotations": {"number": "0"},
        }
        (found,) = store.referrers("a/b", SUBJECT)
        assert (found.digest, found.artifact_type) == (signed.digest, "application/vnd.sig")
        assert store.referrers("a/b", Digest.of(b"other")) == ()
        assert store.capabilities.referrers_api is False
        before = store.traffic.requests
        store.referrers("a/b", SUBJECT)
        assert store.traffic.requests == before + 1  # the API is not asked for again


def test_entries_of_others_are_kept_as_they_are() -> None:
    strange = {"mediaType": "x/y", "digest": SUBJECT, "size": 1, "data": "e30=", "unknown": [1, {"ü": None}]}
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [strange], "note": "kept"}).encode()
    written = index_with(Manifest.parse(raw), signature())
    assert written is not None
    document = json.loads(written)
    assert document["manifests"][0] == strange
    assert document["note"] == "kept"
    assert document["manifests"][1]["artifactType"] == OCI_EMPTY  # the config's type, where there is no other
    assert index_with(Manifest.parse(written), signature()) is None


def test_many_signatures_at_once_are_all_listed() -> None:
    shelf = RepositoryContent()
    with talking(shelf) as (_, store):
        with TaskGroup() as group:
            for number in range(8):
                group.start(store.put_manifest, Name("a/b", None, signature(number).digest), signature(number))
        found = {each.digest for each in store.referrers("a/b", SUBJECT)}
        assert found == {signature(number).digest for number in range(8)}


def test_the_fallback_tag_fits_into_a_tag() -> None:
    assert fallback_tag(SUBJECT) == TAG
    assert len(fallback_tag(Digest.of(b"x", "sha512"))) == len("sha512-") + 64


def test_the_api_is_asked_page_by_page() -> None:
    entries = [signature(number).descriptor.to_json() for number in range(2)]

    def script(asked: Asked) -> Said:
        last = "page" in asked.query
        link = {} if last else {"Link": f'<{asked.path}?page=1>; rel="next"'}
        body = json.dumps({"schemaVersion": 2, "manifests": [entries[last]]}).encode()
        return Said(200, {"Content-Type": OCI_INDEX, **link}, body)

    with talking(script) as (wire, store):
        assert [each.digest for each in store.referrers("a/b", SUBJECT)] == [each["digest"] for each in entries]
        assert wire.lines[0] == f"GET /v2/a/b/referrers/{SUBJECT}"
        assert store.capabilities.referrers_api is True


@pytest.mark.parametrize("said", [Said(404), Said(400), Said(405), Said(200, {"Content-Type": "text/html"}, b"<html>")])
def test_an_answer_that_is_no_list_means_that_there_is_no_api(said: Said) -> None:
    def script(asked: Asked) -> Said:
        return said if "/referrers/" in asked.path else Said(404)

    with talking(script) as (wire, store):
        assert store.referrers("a/b", SUBJECT) == ()
        assert wire.lines[-1] == f"GET /v2/a/b/manifests/{TAG}"


# --- mounts


def test_a_mount_is_one_request() -> None:
    with talking(lambda asked: Said(201)) as (wire, store):
        assert store.mount(BLOB, "origin/x", "a/b") is True
        assert wire.lines == [f"POST /v2/a/b/blobs/uploads/?mount={BLOB.digest}&from=origin/x"]
        assert store.capabilities.mounts_accepted == 1


def test_a_session_opened_instead_is_cancelled_and_three_refusals_are_enough() -> None:
    def script(asked: Asked) -> Said:
        return Said(202, {"Location": "/v2/a/b/blobs/uploads/1"}) if asked.method == "POST" else Said(404)

    with talking(script) as (wire, store):
        assert [store.mount(BLOB, "o", "a/b") for _ in range(5)] == [False] * 5
        assert [asked.method for asked in wire.asked] == ["POST", "DELETE"] * 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
def test_a_refused_mount_is_a_no(status: int) -> None:
    with talking(lambda asked: Said(status)) as (_, store):
        assert store.mount(BLOB, "o", "a/b") is False


def test_a_mount_asks_for_a_token_of_both_repositories_with_the_push_first() -> None:
    def script(asked: Asked) -> Said:
        if asked.path == "/token":
            return Said(body=b'{"token": "t"}')
        if asked.headers.get("Authorization"):
            return Said(201)
        return refused(401, WWW_Authenticate='Bearer realm="/token",scope="repository:a/b:pull,push"')

    with talking(script) as (wire, store):
        assert store.mount(BLOB, "origin", "a/b") is True
        assert wire.asked[1].query["scope"] == ["repository:a/b:pull,push", "repository:origin:pull"]


def test_docker_hub_is_reached_where_its_api_is() -> None:
    with talking(lambda asked: Said()) as (_, store):
        hub = RegistryStore("docker.io", store._api.http)
        assert hub.locator == "docker.io"
        assert str(hub._api.origin) == "https://registry-1.docker.io"


def test_a_refusal_of_layers_that_are_not_compressed_says_what_helps() -> None:
    def incompatible(_: Asked) -> Said:
        return refused(400, "MANIFEST_INVALID", "does not match schema")

    layer = {"mediaType": OCI_LAYER, "digest": BLOB.digest, "size": BLOB.size}
    for layers, hint in (([layer], "transload push --compress"), ([layer | {"mediaType": OCI_LAYER_GZIP}], "")):
        made = manifest(layers=layers)
        with talking(incompatible) as (_, store), pytest.raises(Refused) as caught:
            store.put_manifest(Name("a", "1"), made)
        assert hint in (caught.value.hint or "")
        assert ("--compress" in (caught.value.hint or "")) == bool(hint)
