"""Tags and manifests taken out of registries: a tag never takes another one with it unseen."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.unit.registry.wire import Asked, Said, plain_http, refused, talking
from transload.errors import AccessDenied, BlobUnknown, ManifestUnknown, Refused
from transload.memory import MemoryStore
from transload.oci import Digest, Name
from transload.oci.mediatype import OCI_INDEX
from transload.registry.referrers import fallback_tag
from transload.registry.store import RegistryStore
from transload.server import ServeSettings, serve
from transload.testing.images import Built, fill, image, signature

APP, OTHER = image("app"), image("other")


@pytest.fixture
def held() -> MemoryStore:
    store = MemoryStore()
    for tag in ("1", "2"):
        fill(store, APP, "app", tag)
    fill(store, OTHER, "app", "3")
    return store


@pytest.fixture
def store(held: MemoryStore) -> Iterator[RegistryStore]:
    with serve(held, ServeSettings(writable=True)) as served, plain_http() as http:
        yield RegistryStore(served.host_port, http)


def test_a_tag_goes_alone(store: RegistryStore, held: MemoryStore) -> None:
    before = store.traffic.requests
    store.deletes.delete_manifest(Name("app", "1"))
    assert store.traffic.requests - before == 4  # what is it, what else is there, delete, what is left
    assert list(held.tags("app")) == ["2", "3"]
    assert held.fetch(Name("app", None, APP.digest)).raw == APP.manifest.raw


def test_a_digest_takes_its_tags_along(store: RegistryStore, held: MemoryStore) -> None:
    store.deletes.delete_manifest(Name("app", None, APP.digest))
    assert list(held.tags("app")) == ["3"]


@pytest.mark.parametrize("name", [Name("app", "9"), Name("none", "1"), Name("app", None, Digest.of(b"?"))])
def test_what_is_not_there_is_unknown(store: RegistryStore, name: Name) -> None:
    with pytest.raises(ManifestUnknown):
        store.deletes.delete_manifest(name)


def test_a_blob_goes(store: RegistryStore, held: MemoryStore) -> None:
    layer = APP.manifest.layers[0]
    store.deletes.delete_blob("app", layer.digest)
    assert not held.exists("app", layer)
    with pytest.raises(BlobUnknown):
        store.deletes.delete_blob("app", layer.digest)


class Strict:
    """A registry of one image, with two tags; `said` answers what is asked to delete a tag."""

    def __init__(self, said: Said, *, takes_all: bool = False, built: Built = APP) -> None:
        self.tags = {"1", "2"}
        self.there = True
        self.list: bytes | None = None
        self.said, self.takes_all, self.built = said, takes_all, built

    def __call__(self, asked: Asked) -> Said:
        reference = asked.path.rpartition("/")[2]
        if asked.path.endswith("/tags/list"):
            return Said(200, {}, json.dumps({"tags": sorted(self.tags)}).encode())
        if "/referrers/" in asked.path:
            return refused(404, "NOT_FOUND")
        if reference.startswith("sha256-"):
            return self._listed(asked)
        if asked.method == "DELETE":
            return self._delete(reference)
        if not self.there or (":" not in reference and reference not in self.tags):
            return refused(404, "MANIFEST_UNKNOWN")
        return Said(200, {"Content-Type": self.built.manifest.media_type}, self.built.manifest.raw)

    def _listed(self, asked: Asked) -> Said:
        if asked.method == "PUT":
            self.list = asked.body
            return Said(201)
        return refused(404) if self.list is None else Said(200, {"Content-Type": OCI_INDEX}, self.list)

    def _delete(self, reference: str) -> Said:
        if ":" in reference or self.takes_all:
            self.tags, self.there = set(), False
            return Said(202)
        if self.said.status == 202:
            self.tags.discard(reference)
        return self.said


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_where_a_tag_cannot_go_alone_it_stays_and_the_digest_is_named(status: int) -> None:
    registry = Strict(refused(status, "UNSUPPORTED"))
    with talking(registry) as (wire, store), pytest.raises(Refused) as raised:
        store.deletes.delete_manifest(Name("app", "1"))
    assert registry.tags == {"1", "2"}
    assert raised.value.hint is not None
    assert f"@{APP.digest}" in raised.value.hint
    assert [line for line in wire.lines if line.startswith("DELETE")] == ["DELETE /v2/app/manifests/1"]


def test_a_registry_that_takes_the_other_tags_along_is_told_of() -> None:
    with talking(Strict(Said(202), takes_all=True)) as (_, store), pytest.raises(Refused, match="other tags.*: 2$"):
        store.deletes.delete_manifest(Name("app", "1"))


def test_the_last_tag_may_take_its_manifest_along() -> None:
    registry = Strict(Said(202), takes_all=True)
    registry.tags = {"1"}
    with talking(registry) as (_, store):
        store.deletes.delete_manifest(Name("app", "1"))
    assert not registry.there


def test_who_may_not_is_told_so() -> None:
    with talking(Strict(refused(403, "DENIED"))) as (_, store), pytest.raises(AccessDenied):
        store.deletes.delete_manifest(Name("app", "1"))


def test_an_answer_that_was_lost_is_no_failure() -> None:
    """The first try deleted it, and its answer did not arrive: the second one finds nothing."""
    registry, tries = Strict(Said(202)), []

    def script(asked: Asked) -> Said:
        said = registry(asked)
        if asked.method != "DELETE":
            return said
        tries.append(said)
        return Said(hang_up=True) if len(tries) == 1 else refused(404, "MANIFEST_UNKNOWN")

    with talking(script) as (_, store):
        store.deletes.delete_manifest(Name("app", None, APP.digest))
    assert len(tries) == 2
    assert not registry.there


def test_a_registry_that_deletes_nothing_says_so() -> None:
    def script(asked: Asked) -> Said:
        return refused(405, "UNSUPPORTED") if asked.method == "DELETE" else registry(asked)

    registry = Strict(Said(202))
    with talking(script) as (_, store), pytest.raises(Refused) as raised:
        store.deletes.delete_manifest(Name("app", None, APP.digest))
    assert "storage.delete.enabled" in (raised.value.hint or "")
    assert registry.there


def test_a_referrer_leaves_the_list_of_its_subject_where_clients_keep_it() -> None:
    signed, another = signature(APP, "one"), signature(APP, "another")
    registry = Strict(Said(202), built=signed)
    entries = [{**built.descriptor.to_json(), "kept": "as it is"} for built in (signed, another)]
    registry.list = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    with talking(registry) as (wire, store):
        store.deletes.delete_manifest(Name("app", None, signed.digest))
    assert registry.list is not None
    assert json.loads(registry.list)["manifests"] == entries[1:]
    assert wire.lines[-1] == f"PUT /v2/app/manifests/{fallback_tag(APP.digest)}"
    deleted = wire.lines.index(f"DELETE /v2/app/manifests/{signed.digest}")
    assert deleted < len(wire.lines) - 1
