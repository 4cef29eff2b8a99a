"""Names and content taken away: what something listed needs stays."""

from __future__ import annotations

import http.client
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import evolve

from transload.errors import BlobUnknown, ManifestUnknown, Refused
from transload.layout import LayoutStore
from transload.layout.blobs import Blobs
from transload.oci import Digest, Name
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image, multi_platform

ONE, MANY = image("one"), multi_platform("many")


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    store = LayoutStore(tmp_path / "layout", create=True)
    fill(store, ONE, "app", "v1")
    fill(store, ONE, "app", "v2")
    fill(store, ONE, "other", "v1")
    fill(store, MANY, "many", "v1")
    return store


def test_a_tag_goes_and_the_others_stay(store: LayoutStore) -> None:
    store.deletes.delete_manifest(Name("app", "v1"))
    assert list(store.tags("app")) == ["v2"]
    assert store.fetch(Name("other", "v1")).digest == ONE.digest
    with pytest.raises(ManifestUnknown):
        store.deletes.delete_manifest(Name("app", "v1"))


def test_a_manifest_goes_with_its_tags_but_not_from_other_repositories(store: LayoutStore) -> None:
    store.deletes.delete_manifest(Name("app", None, ONE.digest))
    assert "app" not in set(store.repositories())
    assert store.fetch(Name("other", "v1")).digest == ONE.digest
    store.deletes.delete_manifest(Name("other", None, ONE.digest))
    with pytest.raises(ManifestUnknown):
        store.fetch(Name("other", None, ONE.digest))
    with pytest.raises(ManifestUnknown):
        store.deletes.delete_manifest(Name("other", None, ONE.digest))


def test_what_an_index_needs_stays(store: LayoutStore) -> None:
    child = MANY.children[0]
    blob = child.manifest.layers[0]
    with pytest.raises(Refused, match="is needed by many:v1"):
        store.deletes.delete_manifest(Name("many", None, child.digest))
    with pytest.raises(Refused, match="is needed by many:v1"):
        store.deletes.delete_blob("many", blob.digest)
    assert store.exists("many", blob)


def test_a_blob_that_nothing_needs_goes(store: LayoutStore) -> None:
    for repository in ("app", "other"):
        store.deletes.delete_manifest(Name(repository, None, ONE.digest))
    blob = ONE.manifest.layers[0]
    store.deletes.delete_blob("app", blob.digest)
    assert not store.exists("app", blob)
    with pytest.raises(BlobUnknown):
        store.deletes.delete_blob("app", blob.digest)


def test_reading_still_writes_nothing(tmp_path: Path, store: LayoutStore) -> None:
    folder = tmp_path / "layout"
    (folder / ".transload" / "lock").unlink()
    (folder / ".transload" / "ingest").rmdir()
    (folder / ".transload").rmdir()
    assert LayoutStore(folder).deletes is not None
    assert not (folder / ".transload").exists()


@pytest.mark.parametrize(("writable", "statuses"), [(True, [202, 404, 202]), (False, [405, 200, 405])])
def test_a_served_layout_deletes_when_it_is_writable(store: LayoutStore, writable: bool, statuses: list[int]) -> None:
    asked = [("DELETE", "app/manifests/v1"), ("HEAD", "app/manifests/v1"), ("DELETE", f"other/manifests/{ONE.digest}")]
    with serve(store, ServeSettings(writable=writable)) as served:
        found = []
        for method, path in asked:
            connection = http.client.HTTPConnection(served.host_port, timeout=60)
            connection.request(method, f"/v2/{path}")
            found.append(connection.getresponse().status)
            connection.close()
    assert found == statuses


def test_each_manifest_is_read_once_for_many_deletes(tmp_path: Path) -> None:
    reads = []

    class Counted(Blobs):
        def read(self, digest: Digest, limit: int) -> bytes:
            reads.append(digest)
            return super().read(digest, limit)

    store = LayoutStore(tmp_path / "layout", create=True)
    built = [image(number, layers=(10,)) for number in range(20)]
    for number, one in enumerate(built):
        fill(store, one, "app", f"v{number}")
    store.deletes._blobs = Counted(tmp_path / "layout")
    for one in built:
        store.deletes.delete_manifest(Name("app", None, one.digest))
        store.deletes.delete_blob("app", one.manifest.layers[0].digest)
    assert len(reads) == len(set(reads)) == 19


def test_a_part_that_is_pruned_while_a_manifest_waits_for_its_turn_is_missed(tmp_path: Path) -> None:
    """Another process prunes after the parts were looked for, and before the index is locked."""
    looked = threading.Event()

    class Watched(Blobs):
        def read(self, digest: Digest, limit: int) -> bytes:
            looked.set()  # the manifest is stored after its parts were looked for
            return super().read(digest, limit)

    store, other = LayoutStore(tmp_path / "layout", create=True), LayoutStore(tmp_path / "layout")
    fill(store, ONE, "app", "v1")
    store._names = evolve(store._names, blobs=Watched(tmp_path / "layout"))
    looked.clear()
    with ThreadPoolExecutor(1) as threads, other._changing():
        waiting = threads.submit(store.put_manifest, Name("app", "v2"), ONE.manifest)
        assert looked.wait(60)
        other._blobs.delete(ONE.manifest.layers[0].digest)
        other._replace(other._index().without(lambda _: True))
    with pytest.raises(BlobUnknown):
        waiting.result(60)
    assert list(store.repositories()) == []
