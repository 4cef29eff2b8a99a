"""Archives of `docker save` before version 25: manifests are made, layers are proved, and all of it can be copied."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tests.unit.archive.writer import Saved, compressed, saved_files, write_tar
from transload.archive import ArchiveStore
from transload.errors import (
    BlobUnknown,
    DigestMismatch,
    ManifestInvalid,
    ManifestUnknown,
    Refused,
    RepositoryUnknown,
)
from transload.memory import MemoryStore
from transload.oci import Descriptor, Digest, Name
from transload.oci.mediatype import OCI_CONFIG, OCI_LAYER, OCI_LAYER_GZIP, OCI_MANIFEST
from transload.planning import Item, Request, make_plan
from transload.testing.layers import layer
from transload.testing.reading import OCTETS, read
from transload.threads import in_parallel
from transload.transfer import run

DIFF_TAR = OCI_LAYER
SHARED = layer("shared", 3000)
ONE, TWO = Saved("one", (SHARED, 50_000)), Saved("two", (SHARED, 10))
NAME = Name("acme/one", "1")


def archive(tmp_path: Path, *images: Any, **changes: bytes | None) -> ArchiveStore:
    files = saved_files(*images or ((ONE.old(), ["registry.example/acme/one:1"]),))
    for name, content in changes.items():
        files[name] = content or b""
    return ArchiveStore(write_tar(tmp_path / "saved.tar", files))


@pytest.mark.parametrize("form", [Saved.old, Saved.flat])
def test_a_manifest_is_made_of_config_and_layers(tmp_path: Path, form: Any) -> None:
    store = archive(tmp_path, (form(ONE), ["registry.example/acme/one:1"]))
    manifest = store.fetch(NAME)
    assert manifest.media_type == OCI_MANIFEST
    assert manifest.config == Descriptor(OCI_CONFIG, ONE.config_digest, len(ONE.config))
    assert [each.media_type for each in manifest.layers] == [DIFF_TAR, DIFF_TAR]
    assert read(store, "", manifest.blobs[0]) == ONE.config
    assert [read(store, "", each) for each in manifest.layers] == ONE.layers
    assert read(store, "", manifest.descriptor) == manifest.raw
    assert "differ from the publisher's" in store.notes[0]


def test_the_same_image_gets_the_same_digest_from_every_tool(tmp_path: Path) -> None:
    digests = set()
    for place, form in enumerate((Saved.old, Saved.flat)):
        folder = tmp_path / str(place)
        folder.mkdir()
        digests.add(archive(folder, (form(ONE), ["acme/one:1"])).resolve(NAME).digest)
    assert len(digests) == 1


def test_names_are_read_as_docker_means_them(tmp_path: Path) -> None:
    tags = ["app:1", "registry.example:5000/a/b:2", "<none>:<none>", "localhost/c:3"]
    store = archive(tmp_path, (ONE.old(), tags), (TWO.flat(), None))
    assert list(store.repositories()) == ["library/app", "a/b", "c"]
    assert list(store.tags("a/b")) == ["2"]
    with pytest.raises(RepositoryUnknown):
        store.tags("app")
    with pytest.raises(ManifestUnknown):
        store.fetch(Name("a/b", "1"))


def test_names_are_told_without_hashing_and_each_layer_is_hashed_once(tmp_path: Path) -> None:
    """A layer that has changed is noticed exactly when it is hashed."""
    files, entry = ONE.old()
    store = archive(tmp_path, ((files, entry), ["acme/one:1"]))
    assert list(store.tags("acme/one")) == ["1"]
    manifest = store.fetch(NAME)
    raw = bytearray(store.path.read_bytes())
    start = raw.index(ONE.layers[1][:512])
    raw[start + 600] ^= 1
    store.path.write_bytes(raw)
    assert store.fetch(NAME).raw == manifest.raw
    with pytest.raises(DigestMismatch, match="damaged"):
        ArchiveStore(store.path).fetch(NAME)


def test_images_that_are_alike_take_their_memory_once(tmp_path: Path) -> None:
    """A layer costs three bytes in the list of images, and some hundred in a manifest."""
    layers, images, most = 500, 20, 4 << 20
    config = json.dumps({"rootfs": {"diff_ids": [str(Digest.of(b""))] * layers}}).encode()
    entries = [{"Config": "c", "Layers": ["l"] * layers, "RepoTags": [f"acme/one:{place}"]} for place in range(images)]
    members = {"c": config, "l": b"", "manifest.json": json.dumps(entries).encode()}
    store = ArchiveStore(write_tar(tmp_path / "saved.tar", members))
    tracemalloc.start()
    digests = {store.resolve(Name("acme/one", str(place))).digest for place in range(images)}
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(digests) == 1
    assert held < most


def test_what_is_asked_by_digest_first_is_found_in_any_image(tmp_path: Path) -> None:
    store = archive(tmp_path, (ONE.flat(), ["acme/one:1"]), (TWO.old(), None))
    for content in (TWO.config, *ONE.layers, *TWO.layers):
        descriptor = Descriptor(OCTETS, Digest.of(content), len(content))
        fresh = ArchiveStore(store.path)
        assert fresh.exists("any", descriptor)
        assert read(fresh, "any", descriptor) == content
        assert not fresh.exists("any", Descriptor(OCTETS, descriptor.digest, len(content) + 1))
    assert store.fetch(Name("", None, store.resolve(NAME).digest)).config
    with pytest.raises(BlobUnknown):
        read(store, "any", Descriptor(OCTETS, Digest.of(b"nothing"), 7))


def test_threads_that_ask_at_once_get_the_same_answer(tmp_path: Path) -> None:
    store = archive(tmp_path, (ONE.old(), ["acme/one:1"]), (TWO.old(), ["acme/two:1"]))
    names = [NAME, Name("acme/two", "1")] * 4
    found = in_parallel(store.resolve, names, threads=8)
    assert found[:2] * 4 == found


def test_compressed_layers_stay_compressed(tmp_path: Path) -> None:
    store = archive(tmp_path, (compressed(ONE), ["acme/one:1"]))
    manifest = store.fetch(NAME)
    assert [each.media_type for each in manifest.layers] == [OCI_LAYER_GZIP] * 2
    assert [each.digest for each in manifest.layers] == [each.digest for each in ONE.built.manifest.layers]


def test_an_archive_is_copied_and_the_next_run_has_nothing_to_do(tmp_path: Path) -> None:
    store = archive(tmp_path, (ONE.old(), ["acme/one:1"]), (TWO.flat(), ["acme/two:1"]))
    names = (NAME, Name("acme/two", "1"))
    request = Request(tuple(Item(store.locator, name, name) for name in names))
    target = MemoryStore()
    plan = make_plan(request, {store.locator: store}, target)
    assert plan.copied.blobs == 2 + 3
    run(plan, {store.locator: store}, target)
    assert [target.fetch(name).raw for name in names] == [store.fetch(name).raw for name in names]
    assert make_plan(request, {store.locator: ArchiveStore(store.path)}, target).count("unchanged") == 2


def test_one_damaged_image_does_not_hide_the_others(tmp_path: Path) -> None:
    files, entry = ONE.old()
    files[entry["Layers"][1]] = b"something else"
    store = archive(tmp_path, ((files, entry), ["acme/one:1"]), (TWO.flat(), ["acme/two:1"]))
    with pytest.raises(DigestMismatch):
        store.resolve(NAME)
    store.resolve(Name("acme/two", "1"))
    assert store.exists("", Descriptor(OCTETS, TWO.config_digest, len(TWO.config)))


def test_a_config_that_is_not_what_it_is_called(tmp_path: Path) -> None:
    files, entry = ONE.old()
    files[entry["Config"]] = TWO.config
    with pytest.raises(DigestMismatch, match="config"):
        archive(tmp_path, ((files, entry), ["acme/one:1"])).fetch(NAME)


def test_a_layer_that_is_not_there(tmp_path: Path) -> None:
    files, entry = ONE.old()
    del files[entry["Layers"][0]]
    with pytest.raises(BlobUnknown, match="which an image needs"):
        archive(tmp_path, ((files, entry), ["acme/one:1"])).fetch(NAME)


def test_a_layer_too_few(tmp_path: Path) -> None:
    files, entry = ONE.old()
    with pytest.raises(ManifestInvalid, match="as many layers"):
        archive(tmp_path, ((files, {**entry, "Layers": entry["Layers"][:1]}), ["acme/one:1"])).fetch(NAME)


@pytest.mark.parametrize("config", [b"{", b"[]", b'{"rootfs": {"diff_ids": [1]}}', b'{"rootfs": {"diff_ids": ["x"]}}'])
def test_a_config_that_is_none(tmp_path: Path, config: bytes) -> None:
    files, entry = ONE.old()
    with pytest.raises(ManifestInvalid):
        archive(tmp_path, ((files | {"odd": config}, {**entry, "Config": "odd"}), ["acme/one:1"])).fetch(NAME)


@pytest.mark.parametrize(
    "listed",
    [
        b"",
        b"{}",
        b"[1]",
        b"[{}]",
        b'[{"Config": 1}]',
        b'[{"Config": "x", "Layers": "y"}]',
        b'[{"Config": "x", "RepoTags": [1]}]',
        b"[" * 100_000,
    ],
)
def test_a_list_of_images_that_is_none(tmp_path: Path, listed: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        ArchiveStore(write_tar(tmp_path / "saved.tar", {"manifest.json": listed}))


@pytest.mark.parametrize(
    "entry", [{"Config": "x", "Layers": ["l"] * 1001}, {"Config": "x", "Layers": [], "more": "x" * (33 << 20)}]
)
def test_lists_have_limits(tmp_path: Path, entry: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        ArchiveStore(write_tar(tmp_path / "saved.tar", {"manifest.json": json.dumps([entry]).encode()}))


def test_the_oldest_format_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"1\.10") as caught:
        ArchiveStore(write_tar(tmp_path / "saved.tar", {"repositories": b"{}", "abc/layer.tar": b"x"}))
    assert caught.value.hint


def test_a_layer_that_leads_out_of_the_archive(tmp_path: Path) -> None:
    files, entry = ONE.old()
    files[entry["Layers"][0]] = "../../../etc/passwd"
    with pytest.raises(Refused, match="leads out"):
        archive(tmp_path, ((files, entry), ["acme/one:1"])).fetch(NAME)
