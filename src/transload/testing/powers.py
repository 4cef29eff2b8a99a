"""The contract of what not every store can do: spools, referrers, mounts, deletes; see `transload.testing.contract`."""

from __future__ import annotations

import contextlib

import pytest

from transload.errors import NotFound, Refused, SizeMismatch
from transload.files import Folder
from transload.gathers import exist_in
from transload.oci import Name
from transload.ports import Deletes, Spools, Target
from transload.testing.images import artifact, fill, image, put, signature
from transload.testing.reading import APP, OTHER, blob, read
from transload.values import evolve

# ruff: noqa: D102, S101 - the names of the tests say what they prove, and they prove it with assert


class OptionalPowers:
    """Tests for each power; a store without it skips them."""

    # --- Spools

    def _spooled(self, store: Target, raw: bytes) -> tuple[Spools, Folder, str]:
        spools: Spools | None = getattr(store, "spools", None)
        if spools is None:
            pytest.skip("the store takes no files over")
        identifier = "0a-1b"
        assert identifier not in spools.spooled()
        folder, name = spools.spool_file(identifier)
        with folder.open(name, "x+") as file:
            file.write(raw)
        assert identifier in spools.spooled()
        assert spools.spool_file(identifier) == (folder, name)
        return spools, folder, name

    def test_a_spooled_file_is_the_blob_once_it_is_adopted(self, store: Target) -> None:
        content = blob("spooled", 5000)
        spools, folder, name = self._spooled(store, content.read())
        assert not store.exists(APP, content.descriptor)
        spools.adopt(APP, content.descriptor, name)
        assert store.exists(APP, content.descriptor)
        assert read(store, APP, content.descriptor) == content.read()
        assert folder.status(name) is None

    def test_a_spooled_file_of_another_size_is_not_adopted(self, store: Target) -> None:
        content = blob("cut", 5000)
        spools, folder, name = self._spooled(store, content.read()[:-1])
        with pytest.raises(SizeMismatch):
            spools.adopt(APP, content.descriptor, name)
        assert not store.exists(APP, content.descriptor)
        folder.unlink(name)

    # --- ExistMany

    def test_many_blobs_are_looked_for_as_each_is(self, store: Target) -> None:
        many = exist_in(store)
        if many is None:
            pytest.skip("the store looks for one blob after the other")
        there, absent = [blob("there", 3000), blob("small", 100)], blob("absent", 2000).descriptor
        for content in there:
            put(store, APP, content)
        short = evolve(there[0].descriptor, size=there[0].descriptor.size - 1)
        asked = [there[0].descriptor, absent, short, there[1].descriptor, there[0].descriptor]
        assert many(asked) == [store.exists(APP, each) for each in asked] == [True, False, False, True, True]
        assert many([]) == []

    # --- Refers

    def test_a_referrer_counts_whether_tagged_or_not_and_once(self, store: Target) -> None:
        if store.refers is None:
            pytest.skip("the store does not know referrers")
        app = image("referred", layers=(100,))
        signed, listed = signature(app), artifact("sbom", (50,), "application/spdx+json", app, {"kind": "sbom"})
        fill(store, signed, APP)  # before its subject, as some tools do
        fill(store, app, APP, "1")
        fill(store, listed, APP, "sbom")
        fill(store, signed, APP)
        referrers = store.refers.referrers(APP, app.digest)
        assert sorted(referrer.digest for referrer in referrers) == sorted([signed.digest, listed.digest])
        assert len(referrers) == 2

    # --- Mounts

    def test_a_mount_makes_a_blob_visible_without_bytes(self, store: Target) -> None:
        if store.mounts is None:
            pytest.skip("the store does not mount")
        content = blob("mounted", 4000)
        put(store, APP, content)
        assert store.mounts.mount(content.descriptor, APP, OTHER) is True
        assert store.exists(OTHER, content.descriptor)
        assert read(store, OTHER, content.descriptor) == content.read()

    def test_a_mount_of_nothing_says_that_it_did_not_work(self, store: Target) -> None:
        if store.mounts is None:
            pytest.skip("the store does not mount")
        content = blob("unmounted", 4000)
        put(store, APP, blob("something", 10))
        assert store.mounts.mount(content.descriptor, APP, OTHER) is False
        assert not store.exists(OTHER, content.descriptor)

    # --- Deletes

    def test_a_tag_takes_no_other_along_and_a_digest_takes_all(self, store: Target) -> None:
        deletes = _deletes(store)
        built = image("deleted", layers=(100,))
        for name in (Name(APP, "1"), Name(APP, "2"), Name(OTHER, "1")):
            fill(store, built, name.repository, name.tag)
        with contextlib.suppress(Refused):  # a store may be unable to delete a tag alone
            deletes.delete_manifest(Name(APP, "1"))
        assert "2" in list(store.tags(APP))
        deletes.delete_manifest(Name(APP, None, built.digest))
        for name in (Name(APP, "1"), Name(APP, "2")):
            with pytest.raises(NotFound):
                store.resolve(name)
        assert store.fetch(Name(OTHER, "1")).raw == built.manifest.raw

    def test_a_blob_that_nothing_needs_is_deleted(self, store: Target) -> None:
        content = blob("deleted", 100)
        put(store, APP, content)
        _deletes(store).delete_blob(APP, content.descriptor.digest)
        assert not store.exists(APP, content.descriptor)


def _deletes(store: Target) -> Deletes:
    deletes: Deletes | None = getattr(store, "deletes", None)
    return deletes or pytest.skip("the store deletes nothing")
