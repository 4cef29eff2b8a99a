"""What the benchmarks copy: the same bytes each time, whole, and readable by the program."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from benchmarks import content, growth
from benchmarks.storage import fill_storage
from transload.layout import LayoutStore
from transload.oci import Name

MIB = 1 << 20


def test_sparse_layers_have_the_size_and_digest_that_they_say(tmp_path: Path) -> None:
    goods = content.sparse(tmp_path / "goods", {"one": (3 * MIB + 5,), "two": (3 * MIB + 5, 7)})
    places = goods.places()
    assert max(size for size, _ in places.values()) == 3 * MIB + 5
    for digest, size in goods.blobs().items():
        data = goods.file(digest).read_bytes()
        assert (len(data), f"sha256:{hashlib.sha256(data).hexdigest()}") == (size, digest)
    assert len(goods.blobs()) == 4  # two configs, one shared layer, one more
    again = content.sparse(tmp_path / "again", {"one": (3 * MIB + 5,), "two": (3 * MIB + 5, 7)})
    assert again.blobs() == goods.blobs()


def test_a_huge_layer_takes_no_room(tmp_path: Path) -> None:
    goods = content.one_layer(tmp_path, 64 * MIB)
    digest = max(goods.blobs(), key=lambda found: goods.blobs()[found])
    file = goods.file(digest)
    assert file.stat().st_size == 64 * MIB
    assert file.stat().st_blocks * 512 < 2 * MIB


def test_many_images_share_layers_and_some_are_for_several_platforms(tmp_path: Path) -> None:
    goods = content.many(tmp_path, 20)
    graphs = goods.graphs()
    assert len(graphs) == 20
    assert sorted({len(graph) for graph in graphs.values()}) == [1, 3]
    assert sum(len(graph) > 1 for graph in graphs.values()) == 2
    blobs = [blob.digest for graph in graphs.values() for manifest in graph for blob in manifest.blobs]
    assert len(set(blobs)) < len(blobs)
    store = LayoutStore(goods.layout)
    name = Name("app00009", "v1")
    assert store.fetch(name).raw == goods.manifests()[name].raw


def test_a_storage_holds_every_blob_once_and_a_link_for_each_name(tmp_path: Path) -> None:
    goods = content.many(tmp_path, 10)
    fill_storage(tmp_path / "storage", goods)
    top = tmp_path / "storage" / "docker" / "registry" / "v2"
    held = {f"sha256:{path.parent.name}" for path in top.glob("blobs/sha256/*/*/data")}
    manifests = {str(manifest.digest) for graph in goods.graphs().values() for manifest in graph}
    assert held == set(goods.blobs()) | manifests
    current = top / "repositories" / "vendor" / "app00009" / "_manifests" / "tags" / "v1" / "current" / "link"
    assert current.read_text() == goods.manifests()[Name("app00009", "v1")].digest


def test_small_blobs_are_as_many_as_asked_for(tmp_path: Path) -> None:
    assert len(content.blobs(tmp_path, 200).blobs()) == 200


@pytest.mark.parametrize("repositories", [1, 7])
def test_a_folder_for_growth_is_whole_and_has_as_many_images_and_blobs_as_it_says(
    tmp_path: Path, repositories: int
) -> None:
    layout = growth.filled(tmp_path / "grown", 20, repositories)
    goods = content.opened(layout)
    assert len(goods.names) == 20
    assert len({name.repository for name in goods.names}) == repositories
    blobs = goods.blobs()
    assert len(blobs) == 20 * growth.OWN + 2  # two layers are shared by ten images each
    for digest, size in blobs.items():
        data = goods.file(digest).read_bytes()
        assert (len(data), f"sha256:{hashlib.sha256(data).hexdigest()}") == (size, digest)
        assert 100 <= size < 3 * 1024
    assert growth.filled(tmp_path / "again", 20, repositories).joinpath("index.json").read_bytes() == (
        layout.joinpath("index.json").read_bytes()
    )
