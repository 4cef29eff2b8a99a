"""Layers compressed on the way: new digests, the same content, configs untouched, and the same bytes each time."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.unit.archive.writer import Saved, layout_files, saved_files, write_tar
from transload.archive import ArchiveStore
from transload.errors import DigestMismatch, Interrupted
from transload.memory import MemoryStore
from transload.oci import Descriptor, Manifest, Name, Platform
from transload.oci.mediatype import (
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
)
from transload.planning import Item, Request, make_plan
from transload.planning.compressing import CompressedStore
from transload.ports import Source
from transload.testing.contract import read
from transload.testing.images import Built, fill, image, index
from transload.testing.layers import Content
from transload.threads import Cancellation
from transload.transfer import run

NAME = Name("acme/app", "1")
OTHER = Name("acme/app", "2")


def archive(path: Path, *saved: Saved) -> ArchiveStore:
    """As podman and skopeo write it."""
    images = [(each.flat(), [f"acme/app:{place}"]) for place, each in enumerate(saved, 1)]
    return ArchiveStore(write_tar(path / "saved.tar", saved_files(*images)))


def compressed(source: Source) -> CompressedStore:
    return CompressedStore(source, Cancellation())


def pushed(store: CompressedStore, *names: Name) -> MemoryStore:
    target = MemoryStore("memory:target")
    plan = make_plan(Request(tuple(Item(store.locator, name, name) for name in names)), {store.locator: store}, target)
    outcome = run(plan, {store.locator: store}, target)
    assert [one.error for one in outcome.images] == [None] * len(names)
    return target


def test_layers_are_compressed_and_the_config_stays(tmp_path: Path) -> None:
    saved = Saved("one", layers=(2000, 3_000_000))
    target = pushed(compressed(archive(tmp_path, saved)), NAME)
    manifest = target.fetch(NAME)
    assert manifest.media_type == OCI_MANIFEST
    assert manifest.config == Descriptor(OCI_CONFIG, saved.config_digest, len(saved.config))
    assert [layer.media_type for layer in manifest.layers] == [OCI_LAYER_GZIP] * 2
    for layer, raw in zip(manifest.layers, saved.layers, strict=True):
        stored = read(target, NAME.repository, layer)
        assert len(stored) < len(raw) or len(raw) < 3000
        assert gzip.decompress(stored) == raw
        assert stored[4:8] == bytes(4), "no time in it"


def test_the_same_archive_gives_the_same_digests_each_time(tmp_path: Path) -> None:
    first, second = (compressed(archive(tmp_path, Saved("one"))) for _ in range(2))
    assert first.resolve(NAME) == second.resolve(NAME)


def test_a_layer_of_two_images_is_compressed_once(tmp_path: Path) -> None:
    store = compressed(archive(tmp_path, Saved("one"), Saved("one")))
    assert store.resolve(NAME) == store.resolve(OTHER)
    assert store.layers == 2


@pytest.mark.parametrize("offset", [0, 1, 500, 1999])
def test_a_part_is_the_part_of_the_whole(tmp_path: Path, offset: int) -> None:
    store = compressed(archive(tmp_path, Saved("one", layers=(3000,))))
    (layer,) = store.fetch(NAME).layers
    whole = read(store, NAME.repository, layer)
    with store.open(NAME.repository, layer, offset, 700) as chunks:
        assert b"".join(bytes(chunk) for chunk in chunks) == whole[offset : offset + 700]


def test_what_is_compressed_already_stays_as_it_is() -> None:
    source = MemoryStore("memory:source")
    built = image("gzip", family="docker")
    fill(source, built, NAME.repository, NAME.tag)
    store = compressed(source)
    assert store.fetch(NAME).raw == built.manifest.raw
    assert store.layers == 0


def test_a_digest_leads_to_what_has_become_of_it(tmp_path: Path) -> None:
    source = archive(tmp_path, Saved("one"))
    store = compressed(source)
    made = store.fetch(NAME.at(source.resolve(NAME).digest))
    assert made.digest != source.resolve(NAME).digest
    assert store.fetch(NAME.at(made.digest)).raw == store.fetch(NAME).raw == made.raw


def plain(seed: str, platform: Platform, claimed: str = OCI_LAYER) -> Built:
    """An image in OCI form whose layer is not compressed, though it may claim to be."""
    built = image(seed, layers=(4000,), platform=platform)
    raw = gzip.decompress(built.contents[1].read())
    layer = Content.of(raw, claimed)
    document = built.manifest.document | {
        "layers": [layer.descriptor.to_json()],
        "annotations": {"org.example": "kept"},
    }
    return Built(Manifest.parse(json.dumps(document).encode()), (built.contents[0], layer))


def test_an_index_leads_to_what_its_children_have_become_and_drops_what_spoke_of_them() -> None:
    amd64, arm64 = Platform("linux", "amd64"), Platform("linux", "arm64")
    one, two, about = plain("a", amd64), image("b", platform=arm64), image("about", layers=(50,))
    built = index([(one, amd64), (two, arm64), (about, Platform("unknown", "unknown"))])
    document = built.manifest.document
    document["manifests"][2]["annotations"] = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": str(one.digest),
    }
    source = MemoryStore("memory:source")
    for each in (one, two, about):
        fill(source, each, NAME.repository)
    source.put_manifest(NAME, Manifest.parse(json.dumps(document).encode(), OCI_INDEX))
    store = compressed(source)
    target = pushed(store, NAME)
    assert (store.layers, store.left_out) == (1, 1)
    first, second = target.fetch(NAME).manifests
    assert first.platform == amd64
    assert second.digest == two.digest
    child = target.fetch(NAME.at(first.digest))
    assert [layer.media_type for layer in child.layers] == [OCI_LAYER_GZIP]
    assert child.annotations == {"org.example": "kept"}


@pytest.mark.parametrize("claimed", [OCI_LAYER_GZIP, DOCKER_LAYER_GZIP, DOCKER_LAYER])
def test_a_layer_that_only_claims_to_be_compressed_is_compressed(claimed: str) -> None:
    source = MemoryStore("memory:source")
    built = plain("a", Platform("linux", "amd64"), claimed)
    fill(source, built, NAME.repository, NAME.tag)
    target = pushed(compressed(source), NAME)
    (layer,) = target.fetch(NAME).layers
    assert layer.media_type == OCI_LAYER_GZIP
    assert gzip.decompress(read(target, NAME.repository, layer)) == built.contents[1].read()


def test_a_damaged_layer_is_not_compressed(tmp_path: Path) -> None:
    one = plain("a", Platform("linux", "amd64"))
    files = layout_files({NAME: one})
    layer = one.manifest.layers[0].digest
    files[f"blobs/sha256/{layer.encoded}"] = bytes(one.manifest.layers[0].size)
    store = compressed(ArchiveStore(write_tar(tmp_path / "a.tar", files)))
    with pytest.raises(DigestMismatch):
        store.fetch(NAME)


def test_compressing_can_be_interrupted(tmp_path: Path) -> None:
    cancellation = Cancellation()
    store = CompressedStore(archive(tmp_path, Saved("one")), cancellation)
    cancellation.cancel()
    with pytest.raises(Interrupted):
        store.fetch(NAME)


def test_artifacts_are_left_alone() -> None:
    source = MemoryStore("memory:source")
    built = plain("a", Platform("linux", "amd64"))
    config = Content.of(b"{}", "application/vnd.acme.config+json")
    document = built.manifest.document | {"config": config.descriptor.to_json()}
    artifact = Built(Manifest.parse(json.dumps(document).encode()), (config, built.contents[1]))
    fill(source, artifact, NAME.repository, NAME.tag)
    assert compressed(source).fetch(NAME).digest == artifact.digest
