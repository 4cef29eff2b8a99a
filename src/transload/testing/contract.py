"""The contract of stores: one suite that every store passes, ours or another one.

    pytest.register_assert_rewrite("transload.testing")  # in conftest.py, for readable failures

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self) -> Target:
            return MyStore(...)  # fresh and empty

A store that can only be read inherits `SourceContract` and gives a fixture `source` that holds `sample()`. The class
attributes, and the optional powers of the store itself, say where it may be less strict.
"""

# ruff: noqa: D102, S101 - the names of the tests say what they prove, and they prove it with assert

from __future__ import annotations

from collections.abc import Iterator

import pytest

from transload.errors import BlobUnknown, DigestMismatch, NotFound, SizeMismatch
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.ports import Chunk, Ingest, Lists, Source, Sparse, Target
from transload.testing.images import Built, fill, image, multi_platform, put, signature
from transload.testing.layers import Content
from transload.testing.powers import OptionalPowers
from transload.testing.reading import APP, OCTETS, OTHER, Broken, SourceContract, blob, breaks, read, sample
from transload.threads import TaskGroup

__all__ = ["APP", "OTHER", "Broken", "SourceContract", "StoreContract", "blob", "breaks", "read", "sample"]


class StoreContract(OptionalPowers, SourceContract):
    """Tests of writing: `Ingests`, `Names`, `Mounts` and `Deletes`. All that was written can be read back."""

    parks: bool = True
    """Whether the bytes of an ingest without commit are still there at the next `begin`."""
    checks_children: bool = True
    """Whether `put_manifest` refuses a manifest whose blobs or children are missing."""
    blob_algorithms: tuple[str, ...] = ("sha256", "sha512")
    manifest_algorithms: tuple[str, ...] = ("sha256", "sha512")

    @pytest.fixture
    def store(self) -> Target:
        """The store under test, fresh and empty."""
        raise NotImplementedError("give this fixture")

    @pytest.fixture
    def source(self, store: Target) -> Source:
        """The store under test, filled with `sample()` through its own ports."""
        for name, built in sample().items():
            fill(store, built, name.repository, name.tag)
        return store

    def test_it_starts_empty(self, store: Target) -> None:
        assert not store.exists(APP, blob("first", 10).descriptor)
        with pytest.raises(NotFound):
            store.resolve(Name(APP, "1.0"))

    # --- Ingests

    @pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_007])
    def test_a_blob_comes_back_exactly(self, store: Target, size: int) -> None:
        content = blob("size", size)
        put(store, APP, content)
        assert store.exists(APP, content.descriptor)
        assert read(store, APP, content.descriptor) == content.read()

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    def test_a_blob_of_every_algorithm(self, store: Target, algorithm: str) -> None:
        if algorithm not in self.blob_algorithms:
            pytest.skip(f"the store does not take {algorithm}")
        content = blob("algorithm", 5000, algorithm)
        put(store, APP, content)
        assert store.exists(APP, content.descriptor)
        assert read(store, APP, content.descriptor) == content.read()

    def test_a_chunk_may_be_a_view_of_a_buffer_that_is_used_again(self, store: Target) -> None:
        content = blob("buffer", 100_000)
        with store.begin(APP, content.descriptor) as ingest:
            ingest.write(_reused(content.read(), 7000))
            ingest.commit()
        assert read(store, APP, content.descriptor) == content.read()

    def test_bytes_may_come_in_several_calls(self, store: Target) -> None:
        content = blob("calls", 90_000)
        raw = content.read()
        with store.begin(APP, content.descriptor) as ingest:
            assert ingest.offset == 0
            for start in range(0, len(raw), 30_000):
                ingest.write([raw[start : start + 30_000]])
                assert ingest.offset == start + 30_000
            ingest.commit()
        assert read(store, APP, content.descriptor) == raw

    def test_nothing_is_visible_before_commit(self, store: Target) -> None:
        content = blob("invisible", 1000)
        with store.begin(APP, content.descriptor) as ingest:
            ingest.write([content.read()])
            assert not store.exists(APP, content.descriptor)
            with pytest.raises(BlobUnknown):
                read(store, APP, content.descriptor)
            ingest.commit()
        assert store.exists(APP, content.descriptor)

    def test_an_unfinished_blob_is_taken_up_again(self, store: Target) -> None:
        content = blob("parked", 200_000)
        raw = content.read()
        with store.begin(APP, content.descriptor) as ingest:
            ingest.write([raw[:120_000]])
        assert not store.exists(APP, content.descriptor)
        with store.begin(APP, content.descriptor) as ingest:
            assert ingest.offset == 120_000 if self.parks else ingest.offset <= 120_000
            ingest.write([raw[ingest.offset :]])
            ingest.commit()
        assert read(store, APP, content.descriptor) == raw

    def test_all_bytes_without_commit_are_not_sent_again(self, store: Target) -> None:
        content = blob("uncommitted", 5000)
        with store.begin(APP, content.descriptor) as ingest:
            ingest.write([content.read()])
        put(store, APP, content)
        assert read(store, APP, content.descriptor) == content.read()

    def test_an_error_of_the_chunks_passes_through_and_what_came_is_kept(self, store: Target) -> None:
        content = blob("broken", 150_000)
        raw = content.read()
        with pytest.raises(Broken), store.begin(APP, content.descriptor) as ingest:
            ingest.write(breaks(raw[:70_000]))
        assert not store.exists(APP, content.descriptor)
        with store.begin(APP, content.descriptor) as ingest:
            assert ingest.offset == 70_000 if self.parks else ingest.offset <= 70_000
        put(store, APP, content)
        assert read(store, APP, content.descriptor) == raw

    def test_an_operating_system_error_of_the_chunks_is_not_the_stores(self, store: Target) -> None:
        content = blob("oserror", 1000)
        mine = ConnectionResetError("of the other side")
        with pytest.raises(ConnectionResetError) as caught, store.begin(APP, content.descriptor) as ingest:
            ingest.write(_raises(mine))
        assert caught.value is mine

    def test_an_abandoned_blob_starts_over(self, store: Target) -> None:
        content = blob("abandoned", 1000)
        with store.begin(APP, content.descriptor) as ingest:
            ingest.write([b"wrong"])
            ingest.abandon()
        with store.begin(APP, content.descriptor) as ingest:
            assert ingest.offset == 0
        put(store, APP, content)
        assert read(store, APP, content.descriptor) == content.read()

    def test_a_wrong_digest_is_refused_and_forgotten(self, store: Target) -> None:
        content = blob("digest", 80_000)
        wrong = content.read()[:-1] + b"\0"
        assert wrong != content.read()
        with store.begin(APP, content.descriptor) as ingest:
            ingest.write([wrong])
            with pytest.raises(DigestMismatch):
                ingest.commit()
        self._is_still_missing(store, content)

    @pytest.mark.parametrize("change", [-1, 1], ids=["short", "long"])
    def test_a_wrong_size_is_refused_and_forgotten(self, store: Target, change: int) -> None:
        content = blob("size", 80_000)
        wrong = (content.read() + b"\0")[: 80_000 + change]
        with store.begin(APP, content.descriptor) as ingest, pytest.raises(SizeMismatch):
            _send(ingest, wrong)
        self._is_still_missing(store, content)

    def test_a_right_digest_with_a_wrong_size_is_refused(self, store: Target) -> None:
        content = blob("lie", 1000)
        lie = Descriptor(OCTETS, content.descriptor.digest, 999)
        with store.begin(APP, lie) as ingest, pytest.raises(SizeMismatch):
            _send(ingest, content.read())
        assert not store.exists(APP, lie)
        self._is_still_missing(store, content)

    def _is_still_missing(self, store: Target, content: Content) -> None:
        assert not store.exists(APP, content.descriptor)
        with pytest.raises(BlobUnknown):
            read(store, APP, content.descriptor)
        put(store, APP, content)
        assert read(store, APP, content.descriptor) == content.read()

    def test_a_blob_that_is_there_may_be_sent_again(self, store: Target) -> None:
        content = blob("twice", 3000)
        put(store, APP, content)
        put(store, APP, content)
        assert read(store, APP, content.descriptor) == content.read()

    def test_two_ingests_of_one_blob_both_succeed(self, store: Target) -> None:
        content = blob("both", 50_000)
        raw = content.read()
        with store.begin(APP, content.descriptor) as first:
            first.write([raw[:10_000]])
            with store.begin(APP, content.descriptor) as second:
                second.write([raw[second.offset :]])
                second.commit()
            assert store.exists(APP, content.descriptor)
            first.write([raw[first.offset :]])
            first.commit()
        assert read(store, APP, content.descriptor) == raw

    def test_many_threads_write_at_once(self, store: Target) -> None:
        contents = [blob(f"thread{number}", 20_000) for number in range(6)]
        with TaskGroup() as group:
            for content in contents + contents[:2]:
                group.start(put, store, APP, content)
        for content in contents:
            assert read(store, APP, content.descriptor) == content.read()

    def test_blobs_belong_to_their_repository_if_scoped(self, store: Target) -> None:
        content = blob("scoped", 100)
        put(store, APP, content)
        assert store.exists(OTHER, content.descriptor) is not store.blobs_per_repository

    # --- Names

    def test_a_manifest_can_be_stored_under_its_digest_only(self, store: Target) -> None:
        built = image("untagged", layers=(100,))
        fill(store, built, APP)
        assert store.fetch(Name(APP, None, built.digest)).raw == built.manifest.raw
        with pytest.raises(NotFound):
            store.fetch(Name(APP, "latest"))

    def test_a_manifest_by_sha512(self, store: Target) -> None:
        if "sha512" not in self.manifest_algorithms:
            pytest.skip("the store does not take manifests by sha512")
        built = image("sha512", layers=(100,), algorithm="sha512")
        digest = Digest.of(built.manifest.raw, "sha512")
        manifest = Manifest.parse(built.manifest.raw, None, digest)
        fill(store, Built(manifest, built.contents), APP)
        fetched = store.fetch(Name(APP, None, digest))
        assert (fetched.raw, fetched.digest) == (manifest.raw, digest)

    def test_a_name_moves_and_the_old_manifest_stays(self, store: Target) -> None:
        old, new = image("old", layers=(100,)), image("new", layers=(100,))
        fill(store, old, APP, "latest")
        fill(store, old, APP, "old")
        fill(store, new, APP, "latest")
        assert store.resolve(Name(APP, "latest")) == new.descriptor
        assert store.resolve(Name(APP, "old")) == old.descriptor
        assert store.fetch(Name(APP, None, old.digest)).raw == old.manifest.raw
        assert sorted(store.tags(APP)) == ["latest", "old"]

    def test_pointing_twice_is_pointing_once(self, store: Target) -> None:
        built = image("again", layers=(100,))
        fill(store, built, APP, "1")
        fill(store, built, APP, "1")
        assert list(store.tags(APP)) == ["1"]

    def test_a_manifest_without_its_blobs_gets_no_name(self, store: Target) -> None:
        if not self.checks_children:
            pytest.skip("the store does not look for what a manifest needs")
        old, new = image("old", layers=(100,)), image("new", layers=(100, 200))
        fill(store, old, APP, "latest")
        put(store, APP, new.contents[0])
        with pytest.raises(NotFound):
            store.put_manifest(Name(APP, "latest"), new.manifest)
        assert store.resolve(Name(APP, "latest")) == old.descriptor

    def test_an_index_without_its_children_gets_no_name(self, store: Target) -> None:
        if not self.checks_children:
            pytest.skip("the store does not look for what an index needs")
        built = multi_platform("childless", layers=(100,))
        fill(store, built.children[0], APP)
        with pytest.raises(NotFound):
            store.put_manifest(Name(APP, "1"), built.manifest)
        with pytest.raises(NotFound):
            store.resolve(Name(APP, "1"))

    def test_an_index_may_go_without_children_on_purpose(self, store: Target) -> None:
        sparse: Sparse | None = getattr(store, "sparse", None)
        if sparse is None:
            pytest.skip("the store does not remember what was left out on purpose")
        built = multi_platform("sparse", layers=(100,))
        present, absent = built.children
        fill(store, present, APP)
        store.put_manifest(Name(APP, "1"), built.manifest, sparse=True)
        assert store.fetch(Name(APP, "1")).raw == built.manifest.raw
        assert sparse.left_out(APP, built.digest) == {absent.digest}
        assert sparse.left_out(APP, present.digest) == frozenset()
        fill(store, absent, APP)
        assert sparse.left_out(APP, built.digest) == frozenset()

    def test_going_without_children_is_no_leave_to_go_without_blobs(self, store: Target) -> None:
        if not self.checks_children:
            pytest.skip("the store does not look for what a manifest needs")
        with pytest.raises(NotFound):
            store.put_manifest(Name(APP, "1"), image("blobless", layers=(100,)).manifest, sparse=True)

    def _lists(self, store: Target) -> Lists:
        lists: Lists = store.lists  # type: ignore[attr-defined]
        return lists

    def test_what_has_a_digest_only_is_listed_until_an_index_needs_it(self, store: Target) -> None:
        if getattr(store, "lists", None) is None:
            pytest.skip("the store keeps no list")
        built = multi_platform("listed", layers=(100,))
        for child in built.children:
            fill(store, child, APP)
        fill(store, signature(built.children[0]), APP)
        fill(store, built.children[0], OTHER, "tagged")
        listed = [Name(APP, None, child.digest) for child in built.children]
        assert sorted(self._lists(store).untagged()) == sorted(listed)
        fill(store, built, APP)
        assert list(self._lists(store).untagged()) == [Name(APP, None, built.digest)]
        fill(store, built, APP, "1")
        assert list(self._lists(store).untagged()) == []

    def test_many_threads_point_at_once(self, store: Target) -> None:
        built = image("pointed", layers=(100,))
        fill(store, built, APP, "0")
        with TaskGroup() as group:
            for number in range(1, 9):
                group.start(store.put_manifest, Name(APP, str(number)), built.manifest)
        assert sorted(store.tags(APP)) == [str(number) for number in range(9)]


def _send(ingest: Ingest, raw: bytes) -> None:
    """A store may refuse content early or late."""
    ingest.write([raw])
    ingest.commit()


def _reused(raw: bytes, size: int) -> Iterator[memoryview]:
    buffer = bytearray(size)
    for start in range(0, len(raw), size):
        count = min(size, len(raw) - start)
        buffer[:count] = raw[start : start + count]
        yield memoryview(buffer)[:count]
    buffer[:] = bytes(size)


def _raises(error: Exception) -> Iterator[Chunk]:
    yield b"first"
    raise error
