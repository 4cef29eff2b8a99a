"""The reference store keeps the contract that it is the reference of."""

import pytest

from transload.errors import BlobUnknown, ManifestUnknown
from transload.memory import MemoryStore
from transload.oci import Name
from transload.testing.contract import StoreContract
from transload.testing.images import fill, image


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


def test_a_tag_goes_alone_and_a_digest_with_its_tags() -> None:
    store, built = MemoryStore(), image("kept")
    for tag in ("1", "2", "3"):
        fill(store, built, "app", tag)
    store.delete_manifest(Name("app", "1"))
    assert list(store.tags("app")) == ["2", "3"]
    store.delete_manifest(Name("app", None, built.digest))
    assert list(store.tags("app")) == []
    with pytest.raises(ManifestUnknown):
        store.delete_manifest(Name("app", "2"))


def test_a_blob_goes_from_one_repository() -> None:
    store, built = MemoryStore(), image("kept")
    layer = built.manifest.layers[0]
    for repository in ("app", "other"):
        fill(store, built, repository, "1")
    store.delete_blob("app", layer.digest)
    assert not store.exists("app", layer)
    assert store.exists("other", layer)
    with pytest.raises(BlobUnknown):
        store.delete_blob("app", layer.digest)
