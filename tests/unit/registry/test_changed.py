"""Registries that changed since an earlier run: what was learnt then never fails a run, and it is corrected."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from tests.unit.registry.test_put_manifest import BLOB, SUBJECT, TAG, signature
from tests.unit.registry.test_uploads import LARGE, MIB, SMALL, Vault, described, sending, until_done
from tests.unit.registry.wire import Asked, Said, Script, Wire, plain_http, refused
from transload.errors import TransloadError
from transload.oci import Name
from transload.oci.mediatype import OCI_INDEX
from transload.registry.capabilities import Capabilities
from transload.registry.store import RegistryStore
from transload.testing.images import image
from transload.threads import TaskGroup

PIECES = {"upload_mode": "pieces", "piece_bytes": MIB}
BLOB_OF_LARGE = described(LARGE).digest


@contextmanager
def knowing(known: Mapping[str, Any], script: Script) -> Iterator[tuple[Wire, RegistryStore]]:
    """A scripted registry, and a store that knows something about it from an earlier run."""
    with Wire(script) as wire, plain_http() as http:
        yield wire, RegistryStore(wire.host, http, capabilities=Capabilities.from_json(known))


def known_by(store: RegistryStore) -> dict[str, Any]:
    return store.capabilities.to_json()


# --- uploads


def test_a_limit_on_bodies_is_gone() -> None:
    vault = Vault()
    with knowing(PIECES, vault) as (_, store):
        until_done(store, LARGE, 1)
        assert vault.blobs[BLOB_OF_LARGE] == LARGE
        assert known_by(store) == PIECES


def test_a_limit_on_bodies_is_smaller() -> None:
    vault = Vault()
    vault.largest_body = 600 << 10
    with knowing(PIECES, vault) as (_, store):
        until_done(store, LARGE, 3)
        assert vault.blobs[BLOB_OF_LARGE] == LARGE
        assert known_by(store)["piece_bytes"] <= 600 << 10


@pytest.mark.parametrize("status", [400, 404, 405, 411, 416, 500, 501])
def test_pieces_are_no_longer_taken(status: int) -> None:
    vault = Vault()
    vault.patch = lambda asked: Said(status) if "Content-Range" in asked.headers else None
    with knowing(PIECES, vault) as (_, store):
        until_done(store, LARGE, 2)
        assert vault.blobs[BLOB_OF_LARGE] == LARGE
        assert known_by(store) == {"upload_mode": "stream"}


def test_pieces_are_put_together_wrongly() -> None:
    """GHCR overwrites the first piece with the second, and notices at the end."""
    vault = Vault()

    def overwriting(asked: Asked) -> None:
        if "Content-Range" in asked.headers:
            vault.sessions[asked.path.rpartition("/")[2]][:0] = b"!"

    vault.patch = overwriting
    vault.range = lambda size: ""
    with knowing(PIECES | {"piece_bytes": 16 * MIB}, vault) as (_, store):
        until_done(store, LARGE, 2)
        assert vault.blobs[BLOB_OF_LARGE] == LARGE
        assert known_by(store) == {"upload_mode": "stream"}


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_a_put_with_a_large_body_is_no_longer_taken(status: int) -> None:
    vault = Vault()
    vault.put = lambda asked: Said(status) if int(asked.headers["Content-Length"] or 0) else None
    with knowing({"upload_mode": "put"}, vault) as (_, store):
        until_done(store, LARGE, 2)
        assert vault.blobs[BLOB_OF_LARGE] == LARGE
        assert known_by(store) == {"upload_mode": "stream"}


def test_a_put_with_a_large_body_has_a_limit_now() -> None:
    vault = Vault()
    vault.largest_body = 2 * MIB
    with knowing({"upload_mode": "put"}, vault) as (_, store):
        until_done(store, LARGE, 6)
        assert vault.blobs[BLOB_OF_LARGE] == LARGE
        assert known_by(store)["upload_mode"] == "pieces"


@pytest.mark.parametrize("known", [{}, {"upload_mode": "stream"}])
@pytest.mark.parametrize("status", [404, 405, 501])
def test_patch_is_no_longer_taken(known: Mapping[str, Any], status: int) -> None:
    vault = Vault()
    vault.patch = lambda asked: Said(status)
    with knowing(known, vault) as (_, store):
        until_done(store, LARGE, 2)
        assert vault.blobs[BLOB_OF_LARGE] == LARGE
        assert known_by(store) == {"upload_mode": "put"}


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_small_blobs_are_no_longer_taken_by_patch(status: int) -> None:
    vault = Vault()
    vault.patch = lambda asked: Said(status)
    with knowing({"put_with_body": False}, vault) as (_, store):
        until_done(store, SMALL, 2)
        assert vault.blobs[described(SMALL).digest] == SMALL
        assert "put_with_body" not in known_by(store)


def test_a_finding_of_this_run_is_not_doubted_twice() -> None:
    vault = Vault()
    vault.patch = vault.put = lambda asked: Said(400)
    with knowing(PIECES, vault) as (wire, store):
        with pytest.raises(TransloadError, match="400"):
            until_done(store, LARGE, 9)
        assert sum(asked.method == "PATCH" for asked in wire.asked) == 2


# --- uploads that continue


def _interrupted(store: RegistryStore) -> None:
    with store.begin("a/b", described(LARGE)) as ingest:
        ingest.write(sending(LARGE[: 4 * MIB]))
    with store.begin("a/b", described(LARGE)) as ingest:
        ingest.write(sending(LARGE[ingest.offset :]))
        ingest.commit()


@pytest.mark.parametrize("resumes", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_uploads_continue_now_or_no_longer(resumes: bool, known: bool) -> None:
    vault = Vault()
    vault.keeps_interrupted = resumes
    with knowing({"resumes": known}, vault) as (_, store):
        _interrupted(store)
        assert vault.blobs[BLOB_OF_LARGE] == LARGE
        assert known_by(store)["resumes"] is resumes


# --- mounts


@pytest.mark.parametrize("known", [True, False])
def test_mounts_are_switched_on(known: bool) -> None:
    with knowing({"mounts": known}, lambda asked: Said(201)) as (_, store):
        assert [store.mount(BLOB, "o", "a/b") for _ in range(5)] == [True] * 5
        assert known_by(store) == {"mounts": True}


@pytest.mark.parametrize(("known", "tries"), [(True, 3), (False, 1)])
def test_mounts_are_switched_off(known: bool, tries: int) -> None:
    with knowing({"mounts": known}, lambda asked: Said(404)) as (wire, store):
        assert [store.mount(BLOB, "o", "a/b") for _ in range(5)] == [False] * 5
        assert len(wire.asked) == tries
        assert known_by(store) == {"mounts": False}


# --- referrers


def _referrers(asked: Asked, api: bool) -> Said:
    """Two referrers by the API, one under the fallback tag."""
    by_api = "/referrers/" in asked.path
    if by_api and not api:
        return Said(404)
    entries = [signature(number).descriptor.to_json() for number in range(2 if by_api else 1)]
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return Said(200, {"Content-Type": OCI_INDEX}, json.dumps(body).encode())


@pytest.mark.parametrize("known", [{}, {"referrers_api": True}, {"referrers_api": False}])
@pytest.mark.parametrize("api", [True, False])
def test_the_referrers_api_appears_or_goes(known: Mapping[str, Any], api: bool) -> None:
    with knowing(known, lambda asked: _referrers(asked, api)) as (wire, store):
        found: list[int] = []
        with TaskGroup() as group:
            for _ in range(6):
                group.start(lambda: found.append(len(store.referrers("a/b", SUBJECT))))
        assert found == [2 if api else 1] * 6
        assert known_by(store)["referrers_api"] is api
        by_api = sum("/referrers/" in asked.path for asked in wire.asked)
        assert by_api == (6 if api else 1)
        assert len(wire.asked) == (6 if api else 7)


def test_the_list_under_the_tag_is_kept_when_the_api_has_gone() -> None:
    signed = signature()
    listed = [signed.descriptor.to_json()]

    def script(asked: Asked) -> Said:
        if asked.method == "DELETE":
            return Said(202)
        if asked.method == "PUT":
            listed[:] = json.loads(asked.body)["manifests"]
            return Said(201)
        if "/referrers/" in asked.path:
            return Said(404)
        if asked.path.endswith(TAG):
            return _index(listed)
        return Said(200, {"Content-Type": signed.media_type}, signed.raw)

    with knowing({"referrers_api": True}, script) as (_, store):
        store.deletes.delete_manifest(Name("a/b", None, signed.digest))
        assert listed == []


def _index(entries: list[Any]) -> Said:
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return Said(200, {"Content-Type": OCI_INDEX}, json.dumps(body).encode())


# --- HEAD and ranges

APP = image("app", (100,))


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("works", [True, False])
def test_head_of_manifests_works_or_not(known: bool, works: bool) -> None:
    def script(asked: Asked) -> Said:
        if asked.method == "HEAD" and not works:
            return Said(405)
        headers = {"Content-Type": APP.manifest.media_type, "Docker-Content-Digest": APP.manifest.digest}
        return Said(200, headers, APP.manifest.raw)

    with knowing({"head": known}, script) as (wire, store):
        assert {store.resolve(Name("a/b", "1")).digest for _ in range(3)} == {APP.manifest.digest}
        assert known_by(store)["head"] is works
        heads = [asked.method == "HEAD" for asked in wire.asked]
        assert heads == ([True] * 3 if works else [True, False, False, False])


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("works", [True, False])
def test_head_of_blobs_tells_sizes_or_not(known: bool, works: bool) -> None:
    def script(asked: Asked) -> Said:
        if asked.method == "HEAD" and not works:
            return refused(405)
        return Said(206 if asked.method == "GET" else 200, {"Content-Range": "bytes 0-0/7"}, b"content")

    with knowing({"head_tells": known}, script) as (_, store):
        assert all(store.exists("a/b", BLOB) for _ in range(3))
        assert known_by(store)["head_tells"] is works


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("works", [True, False])
def test_parts_of_blobs_are_sent_or_not(known: bool, works: bool) -> None:
    def script(asked: Asked) -> Said:
        return Said(206, {"Content-Range": "bytes 3-6/7"}, b"tent") if works else Said(200, {}, b"content")

    with knowing({"ranges": known}, script) as (_, store):
        with store.open("a/b", BLOB, 3) as chunks:
            assert b"".join(map(bytes, chunks)) == b"tent"
        assert known_by(store)["ranges"] is works
