"""The contract of all stores that can be read. Import it from `transload.testing.contract`, which has both suites."""

# ruff: noqa: D102, S101 - the names of the tests say what they prove, and they prove it with assert

from __future__ import annotations

from collections.abc import Iterator

import pytest

from transload.errors import BlobUnknown, CorruptError, NotFound, RepositoryUnknown, Unreachable
from transload.oci import Descriptor, Digest, Name
from transload.ports import Chunk, Source
from transload.testing.images import SIGNATURE, Built, image, index, multi_platform, signature
from transload.testing.layers import Content, noise
from transload.threads import TaskGroup

APP, OTHER = "acme/app", "acme/other"
OCTETS = "application/octet-stream"
UNKNOWN = Digest.of(b"nobody has this")


def sample() -> dict[Name, Built]:
    """The content for a `SourceContract`: both families, indexes, referrers, shared blobs, unusual annotations."""
    app = image("app", layers=(100, 70_000), annotations={"title": 'ünïcode – "quoted" 鯨 \u2028', "empty": ""})
    signed = signature(app)
    return {
        Name(APP, "1.0"): app,
        Name(APP, "1.0-docker"): image("docker", layers=(500,), family="docker"),
        Name(APP, "multi"): multi_platform("multi", layers=(300,)),
        Name(APP, "list"): multi_platform("list", layers=(300,), family="docker"),
        Name(APP, "nested"): index([multi_platform("deep", layers=(200,)), app]),
        Name(APP, None, signed.digest): signed,
        Name(OTHER, "1.0"): app,
    }


def blob(seed: object, size: int, algorithm: str = "sha256") -> Content:
    """A blob of pseudo-random bytes."""
    return Content.of(b"".join(noise(seed, size)), OCTETS, algorithm)


def read(store: Source, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None) -> bytes:
    """Bytes of a blob, joined. Each chunk is copied before the next one, because its buffer may be used again."""
    with store.open(repository, descriptor, offset, length) as chunks:
        return b"".join([bytes(chunk) for chunk in chunks])


class Broken(Exception):
    """An error that no store knows."""


def breaks(*chunks: Chunk) -> Iterator[Chunk]:
    """Give the chunks, then raise `Broken`."""
    yield from chunks
    raise Broken


class SourceContract:
    """Tests of reading: `Resolves`, `Reads` and `Refers`."""

    lists: bool = True
    """Whether `repositories` gives a list; if not, it raises `Refused`."""
    tells_sizes: bool = True
    """Whether `exists` notices a descriptor with another size."""

    @pytest.fixture
    def source(self) -> Source:
        """The store under test, holding `sample()`."""
        raise NotImplementedError("give this fixture")

    # --- Resolves

    @pytest.mark.parametrize("name", sample(), ids=str)
    def test_names_stand_for_exact_bytes(self, source: Source, name: Name) -> None:
        built = sample()[name]
        assert source.resolve(name) == built.descriptor
        fetched = source.fetch(name)
        assert fetched.raw == built.manifest.raw
        assert fetched.descriptor == built.descriptor

    def test_children_are_found_by_digest(self, source: Source) -> None:
        for child in sample()[Name(APP, "nested")].walk():
            assert source.resolve(Name(APP, None, child.digest)) == child.descriptor
            assert source.fetch(Name(APP, None, child.digest)).raw == child.manifest.raw

    def test_the_digest_decides_over_the_tag(self, source: Source) -> None:
        multi = sample()[Name(APP, "multi")]
        assert source.fetch(Name(APP, "1.0", multi.digest)).raw == multi.manifest.raw

    @pytest.mark.parametrize(
        "name",
        [Name(APP, "none"), Name(APP, None, UNKNOWN), Name("acme/none", "1.0"), Name("acme/none", None, UNKNOWN)],
        ids=str,
    )
    def test_names_of_nothing_are_not_found(self, source: Source, name: Name) -> None:
        with pytest.raises(NotFound):
            source.resolve(name)
        with pytest.raises(NotFound):
            source.fetch(name)

    def test_tags_are_listed_per_repository(self, source: Source) -> None:
        assert sorted(source.tags(APP)) == ["1.0", "1.0-docker", "list", "multi", "nested"]
        assert list(source.tags(OTHER)) == ["1.0"]

    def test_tags_of_an_unknown_repository(self, source: Source) -> None:
        with pytest.raises(RepositoryUnknown):
            list(source.tags("acme/none"))

    def test_repositories_are_listed(self, source: Source) -> None:
        if not self.lists:
            pytest.skip("the store keeps no list of repositories")
        assert {APP, OTHER} <= set(source.repositories())

    # --- Reads

    def test_every_blob_is_held_and_comes_back_exactly(self, source: Source) -> None:
        for name, built in sample().items():
            for descriptor, raw in built.walk_blobs():
                assert source.exists(name.repository, descriptor)
                assert read(source, name.repository, descriptor) == raw

    def test_every_manifest_is_held(self, source: Source) -> None:
        for name, built in sample().items():
            assert all(source.exists(name.repository, part.descriptor) for part in built.walk())

    def test_what_is_not_there_is_not_held(self, source: Source) -> None:
        assert not source.exists(APP, Descriptor(OCTETS, UNKNOWN, 15))
        assert not source.exists("acme/none", Descriptor(OCTETS, UNKNOWN, 15))

    def test_another_size_is_not_held(self, source: Source) -> None:
        if not self.tells_sizes:
            pytest.skip("the store does not tell sizes")
        layer = sample()[Name(APP, "1.0")].manifest.layers[0]
        assert not source.exists(APP, Descriptor(layer.media_type, layer.digest, layer.size + 1))

    @pytest.mark.parametrize("offset", [0, 1, 65_535, 65_536, 70_000, -1, None])
    @pytest.mark.parametrize("length", [0, 1, 1000, None])
    def test_parts_of_a_blob(self, source: Source, offset: int | None, length: int | None) -> None:
        layer = sample()[Name(APP, "1.0")].contents[2]
        start = layer.descriptor.size + (offset or 0) if offset is None or offset < 0 else offset
        length = None if length is None else min(length, layer.descriptor.size - start)
        end = None if length is None else start + length
        assert read(source, APP, layer.descriptor, start, length) == layer.read()[start:end]

    def test_a_reader_may_leave_early(self, source: Source) -> None:
        layer = sample()[Name(APP, "1.0")].contents[2]
        with source.open(APP, layer.descriptor) as chunks:
            first = bytes(next(chunks))
        assert first
        assert layer.read().startswith(first)
        assert read(source, APP, layer.descriptor) == layer.read()

    def test_an_error_of_the_reader_passes_through(self, source: Source) -> None:
        layer = sample()[Name(APP, "1.0")].contents[1]
        with pytest.raises(Broken), source.open(APP, layer.descriptor):
            raise Broken

    @pytest.mark.parametrize("repository", [APP, "acme/none"])
    def test_opening_an_unknown_blob(self, source: Source, repository: str) -> None:
        with pytest.raises(BlobUnknown):
            read(source, repository, Descriptor(OCTETS, UNKNOWN, 15))

    def test_a_blob_shorter_than_its_descriptor_raises(self, source: Source) -> None:
        layer = sample()[Name(APP, "1.0")].manifest.layers[0]
        with pytest.raises((CorruptError, Unreachable)):
            read(source, APP, Descriptor(layer.media_type, layer.digest, layer.size + 1))

    def test_a_blob_longer_than_its_descriptor_is_never_too_many_bytes(self, source: Source) -> None:
        layer = sample()[Name(APP, "1.0")].manifest.layers[0]
        try:
            got = read(source, APP, Descriptor(layer.media_type, layer.digest, layer.size - 1))
        except (CorruptError, Unreachable):
            return
        assert len(got) == layer.size - 1

    def test_readers_do_not_disturb_each_other(self, source: Source) -> None:
        contents = sample()[Name(APP, "1.0")].contents
        seen: list[tuple[bytes, bytes]] = []
        with TaskGroup() as group:
            for content in contents * 3:
                group.start(lambda blob: seen.append((read(source, APP, blob.descriptor), blob.read())), content)
        assert len(seen) == 3 * len(contents)
        assert all(got == wanted for got, wanted in seen)

    # --- Refers

    def test_referrers_are_found(self, source: Source) -> None:
        if source.refers is None:
            pytest.skip("the store does not know referrers")
        app = sample()[Name(APP, "1.0")]
        signed = signature(app)
        assert source.refers.referrers(APP, app.digest) == (signed.descriptor,)
        assert source.refers.referrers(APP, app.digest)[0].artifact_type == SIGNATURE
        assert source.refers.referrers(APP, signed.digest) == ()

    # --- what stores say of themselves

    def test_the_locator_is_one_line(self, source: Source) -> None:
        assert source.locator
        assert source.locator.isprintable()
