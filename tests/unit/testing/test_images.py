"""Images from a seed are what they say, load as images do, and are the same every time."""

import gzip
import io
import json
import tarfile

import pytest

from transload.memory import MemoryStore
from transload.oci import Digest, Manifest, Name
from transload.testing.images import AMD64, ARM64, artifact, fill, image, index, multi_platform, signature
from transload.testing.layers import Layer, layer
from transload.testing.releases import fill_release, release


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second = image("seed", layers=(10, 300_000)), image("seed", layers=(10, 300_000))
    assert first.manifest.raw == second.manifest.raw
    assert first.blobs == second.blobs
    assert image("other", layers=(10, 300_000)).digest != first.digest


def test_the_bytes_do_not_change_between_versions() -> None:
    """Benchmarks and recorded plans compare digests, so a change of these is a change that people notice."""
    assert layer("pinned", 1000).descriptor.digest.short == "0baa0597ea3d"
    assert image("pinned", layers=(1000,)).digest.short == "20029778becc"


@pytest.mark.parametrize("size", [0, 1, 512, 65_535, 65_536, 300_000])
def test_a_layer_is_a_gzipped_tar_with_one_file(size: int) -> None:
    made = layer("tar", size)
    raw = made.read()
    assert (Digest.of(raw), len(raw)) == (made.descriptor.digest, made.descriptor.size)
    tar = gzip.decompress(raw)
    assert Digest.of(tar) == made.diff_id
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        assert [member.size for member in archive] == [size]


def test_layers_of_one_image_do_not_hide_each_other() -> None:
    names = set()
    for content in image("names", layers=(1, 2, 3)).contents[1:]:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(content.read()))) as archive:
            names |= set(archive.getnames())
    assert len(names) == 3


@pytest.mark.parametrize("family", ["oci", "docker"])
def test_the_config_names_platform_and_layers(family: str) -> None:
    built = image("config", layers=(5, 6), platform=ARM64, family="docker" if family == "docker" else "oci")
    config, *layers = built.contents
    document = json.loads(config.read())
    assert (document["os"], document["architecture"], document["variant"]) == ("linux", "arm64", "v8")
    assert document["rootfs"]["diff_ids"] == [each.diff_id for each in layers if isinstance(each, Layer)]
    assert (family in built.manifest.media_type) is True
    assert built.manifest.blobs == tuple(content.descriptor for content in built.contents)


def test_a_shared_layer_takes_the_media_type_of_its_image() -> None:
    base = layer("base", 100)
    oci, docker = image("a", layers=(base,)), image("b", layers=(base,), family="docker")
    assert oci.manifest.layers[0].digest == docker.manifest.layers[0].digest
    assert "docker" in docker.contents[1].descriptor.media_type


def test_an_index_names_its_platforms() -> None:
    built = multi_platform("index", layers=(10,))
    assert [child.platform for child in built.manifest.manifests] == [AMD64, ARM64]
    assert [each.digest for each in built.walk()] == [*(each.digest for each in built.manifest.manifests), built.digest]


def test_signatures_refer_to_their_subject() -> None:
    app = image("subject", layers=(10,))
    assert signature(app).manifest.subject == app.descriptor
    assert artifact("plain").manifest.subject is None
    assert artifact("plain", sizes=(1, 2)).manifest.artifact_type == "application/vnd.example.artifact"


def test_filling_writes_everything_once() -> None:
    store = MemoryStore()
    built = index([multi_platform("deep", layers=(10,)), image("flat", layers=(10,))])
    assert fill(store, built, "a/b", "1") == Name("a/b", "1")
    assert store.fetch(Name("a/b", "1")).raw == built.manifest.raw
    assert fill(store, built, "a/c") == Name("a/c", None, built.digest)


def test_a_release_shares_layers_and_has_about_the_wanted_size() -> None:
    made = release(images=25, size=4 << 20)
    assert len(made.images) == 25
    assert 0.95 < made.size / (4 << 20) < 1.1
    layers = [entry.digest for built in made.images.values() for entry in built.manifest.layers]
    assert len(set(layers)) == 4 + 2 * 25


def test_the_next_release_changes_part_of_the_images() -> None:
    first, second = release(size=2 << 20), release(size=2 << 20, version=2)
    assert (first.tag, second.tag) == ("v1.1.0", "v1.2.0")
    same = [name for name, built in first.images.items() if second.images[name].digest == built.digest]
    assert len(same) == 5
    old = {content.descriptor.digest for content in first.contents()}
    new = sum(content.descriptor.size for content in second.contents() if content.descriptor.digest not in old)
    assert 0.2 < new / second.size < 0.4


def test_a_release_is_written_under_its_prefix() -> None:
    store = MemoryStore()
    made = release(images=3, size=100_000)
    assert [str(name) for name in fill_release(store, made, "demo")] == [
        "demo/controller:v1.1.0",
        "demo/controller-db:v1.1.0",
        "demo/database:v1.1.0",
    ]
    assert Manifest.parse(store.fetch(Name("demo/database", "v1.1.0")).raw).digest == made.images["database"].digest
