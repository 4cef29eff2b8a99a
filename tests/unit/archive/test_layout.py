"""OCI archives, members in any order and names in any form; and those that docker writes since version 25."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.unit.archive.writer import VERSION, Saved, add, blob_name, layout_files, saved_files, write_tar
from transload.archive import ArchiveStore
from transload.errors import (
    BlobUnknown,
    CorruptError,
    ManifestInvalid,
    ManifestUnknown,
    NotFound,
    Refused,
    SizeMismatch,
)
from transload.oci import Digest, Manifest, Name
from transload.oci.mediatype import OCI_CONFIG, OCI_MANIFEST
from transload.testing.contract import APP, SourceContract, read, sample
from transload.testing.images import image, multi_platform

IMAGE = image("archived", layers=(100, 5000))
TAR_LAYER = "application/vnd.oci.image.layer.v1.tar"


@pytest.fixture(scope="module")
def forwards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tar(tmp_path_factory.mktemp("archive") / "sample.tar", layout_files(sample()))


@pytest.fixture(scope="module")
def backwards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {f"./{name}": content for name, content in reversed(layout_files(sample(), full=True).items())}
    return write_tar(tmp_path_factory.mktemp("archive") / "sample.tar", files, tarfile.PAX_FORMAT)


class TestOciArchive(SourceContract):
    @pytest.fixture
    def source(self, forwards: Path) -> ArchiveStore:
        return ArchiveStore(forwards)


class TestOciArchiveBackwards(SourceContract):
    """The index before the blobs, `./` before the names, the other format: tar promises no order."""

    @pytest.fixture
    def source(self, backwards: Path) -> ArchiveStore:
        return ArchiveStore(backwards)


def test_sizes_are_told_without_a_descriptor(tmp_path: Path) -> None:
    store = ArchiveStore(write_tar(tmp_path / "a.tar", layout_files({Name(APP, "1"): IMAGE})))
    for blob in IMAGE.manifest.blobs:
        assert store.sizes.size(APP, blob.digest) == blob.size
    with pytest.raises(BlobUnknown):
        store.sizes.size(APP, Digest.of(b"nothing"))


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_longer_than_a_header_are_read(tmp_path: Path, form: int) -> None:
    long = "x" * 200
    files = layout_files({Name(APP, "1"): IMAGE})
    layer = blob_name(IMAGE.contents[1].descriptor.digest)
    files |= {f"{long}/{long}": files[layer], layer: f"../../{long}/{long}"}
    store = ArchiveStore(write_tar(tmp_path / "a.tar", files, form))
    assert read(store, APP, IMAGE.contents[1].descriptor) == IMAGE.contents[1].read()


def test_hard_links_name_another_member(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", files := layout_files({Name(APP, "1"): IMAGE}))
    layer = blob_name(IMAGE.contents[1].descriptor.digest)
    with tarfile.open(path, "w") as tar:
        add(tar, "first", files.pop(layer))
        add(tar, layer, b"", type=tarfile.LNKTYPE, linkname="first")
        for name, content in files.items():
            add(tar, name, content)
    assert read(ArchiveStore(path), APP, IMAGE.contents[1].descriptor) == IMAGE.contents[1].read()


def test_folders_and_devices_are_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        add(tar, "blobs", b"", type=tarfile.DIRTYPE)
        add(tar, "blobs", b"", type=tarfile.DIRTYPE)
        add(tar, "null", b"", type=tarfile.CHRTYPE)
        for name, content in layout_files({Name(APP, "1"): IMAGE}).items():
            add(tar, name, content)
    assert ArchiveStore(path).fetch(Name(APP, "1")).raw == IMAGE.manifest.raw


def test_a_missing_blob_is_missed_when_it_is_wanted(tmp_path: Path) -> None:
    files = layout_files({Name(APP, "1"): IMAGE})
    del files[blob_name(IMAGE.contents[1].descriptor.digest)]
    store = ArchiveStore(write_tar(tmp_path / "a.tar", files))
    assert store.resolve(Name(APP, "1")) == IMAGE.descriptor
    assert not store.exists(APP, IMAGE.contents[1].descriptor)
    with pytest.raises(BlobUnknown):
        read(store, APP, IMAGE.contents[1].descriptor)


def test_a_missing_or_changed_manifest_is_not_given_out(tmp_path: Path) -> None:
    files = layout_files({Name(APP, "1"): IMAGE})
    changed = files | {blob_name(IMAGE.digest): IMAGE.manifest.raw.replace(b"linux", b"minix") + b" "}
    with pytest.raises(CorruptError):
        ArchiveStore(write_tar(tmp_path / "changed.tar", changed)).fetch(Name(APP, "1"))
    del files[blob_name(IMAGE.digest)]
    store = ArchiveStore(write_tar(tmp_path / "missing.tar", files))
    for ask in (store.fetch, store.resolve):
        with pytest.raises(ManifestUnknown, match="missing"):
            ask(Name(APP, "1"))


def test_a_blob_of_another_size_is_not_given_out(tmp_path: Path) -> None:
    layer = IMAGE.contents[1].descriptor
    files = layout_files({Name(APP, "1"): IMAGE}) | {blob_name(layer.digest): b"short"}
    store = ArchiveStore(write_tar(tmp_path / "a.tar", files))
    with pytest.raises(SizeMismatch):
        read(store, APP, layer)


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"oci-layout": b'{"imageLayoutVersion": "2.0.0"}', "index.json": b'{"manifests": []}'}, Refused),
        ({"oci-layout": b"[]", "index.json": b'{"manifests": []}'}, Refused),
        ({"oci-layout": b"no json", "index.json": b'{"manifests": []}'}, ManifestInvalid),
        ({"oci-layout": VERSION}, ManifestInvalid),
        ({"oci-layout": VERSION, "index.json": b"{"}, ManifestInvalid),
        ({"anything": b"else"}, CorruptError),
    ],
)
def test_what_is_no_layout(tmp_path: Path, files: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        ArchiveStore(write_tar(tmp_path / "a.tar", files))


def test_a_layout_in_a_folder_of_the_archive_is_told_how_to_go_on(tmp_path: Path) -> None:
    files = {f"release/{name}": content for name, content in layout_files({Name(APP, "1"): IMAGE}).items()}
    with pytest.raises(CorruptError) as caught:
        ArchiveStore(write_tar(tmp_path / "a.tar", files))
    assert "oci:release" in str(caught.value.hint)


# --- docker since version 25: both formats in one archive


def docker25(tmp_path: Path, saved: Saved, *, named: bool) -> Path:
    """The engine's own store keeps no compressed layers, so it makes an OCI manifest of what it has."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": saved.config_digest, "size": len(saved.config)},
        "layers": [{"mediaType": TAR_LAYER, "digest": Digest.of(layer), "size": len(layer)} for layer in saved.layers],
    }
    manifest = Manifest.parse(json.dumps(document).encode())
    entry = manifest.descriptor.to_json()
    if named:
        entry["annotations"] = {
            "io.containerd.image.name": "docker.io/library/app:1",
            "org.opencontainers.image.ref.name": "1",
        }
    files = {blob_name(manifest.digest): manifest.raw, blob_name(saved.config_digest): saved.config}
    files |= {blob_name(Digest.of(layer)): layer for layer in saved.layers}
    listed = {
        "Config": blob_name(saved.config_digest),
        "RepoTags": ["app:1"],
        "Layers": [blob_name(Digest.of(layer)) for layer in saved.layers],
    }
    files |= {
        "index.json": json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode(),
        "manifest.json": json.dumps([listed]).encode(),
        "oci-layout": VERSION,
        "repositories": b'{"app": {"1": "x"}}',
    }
    return write_tar(tmp_path / "docker25.tar", files)


@pytest.mark.parametrize("named", [True, False])
def test_the_layout_of_docker_25_is_preferred_and_has_the_names_of_both(tmp_path: Path, named: bool) -> None:
    saved = Saved("twentyfive")
    store = ArchiveStore(docker25(tmp_path, saved, named=named))
    assert [list(store.repositories()), list(store.tags("library/app"))] == [["library/app"], ["1"]]
    manifest = store.fetch(Name("library/app", "1"))
    assert manifest.media_type == OCI_MANIFEST
    assert [read(store, "", layer) for layer in manifest.layers] == saved.layers
    assert "uncompressed" in store.notes[0]


def test_originals_that_docker_kept_are_worth_no_note(tmp_path: Path) -> None:
    files = layout_files({Name("library/app", "1"): multi_platform("kept")}, full=True)
    files |= saved_files((Saved("kept").old(), ["app:1"]))
    store = ArchiveStore(write_tar(tmp_path / "a.tar", files))
    assert store.fetch(Name("library/app", "1")).is_index
    assert store.notes == ()


def test_opening_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        ArchiveStore(tmp_path / "nothing.tar")
