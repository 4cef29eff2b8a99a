"""Files that FAT does not take are refused before anything is copied. The list of mounts is written by the test."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import transload
from transload import LayoutStore
from transload.errors import LocalError
from transload.files import check_file_size, filesystem
from transload.oci import Descriptor, Digest, Manifest, Name

GIB = 1 << 30
Mount = Callable[[str], None]


@pytest.fixture
def mounted_as(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mount:
    def mount(kind: str) -> None:
        device = tmp_path.stat().st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        lines = (
            f"21 1 0:5 / /proc rw - proc proc rw\n22 1 {number} / {tmp_path} rw,noatime shared:1 - {kind} /dev/x rw\n"
        )
        (tmp_path / "mountinfo").write_text(lines)

    monkeypatch.setattr(filesystem, "_MOUNTS", tmp_path / "mountinfo")
    return mount


@pytest.mark.parametrize("kind", ["vfat", "msdos"])
def test_fat_takes_files_below_four_gib(tmp_path: Path, mounted_as: Mount, kind: str) -> None:
    mounted_as(kind)
    assert check_file_size(tmp_path, 4 * GIB - 1, "it", "cut it")
    with pytest.raises(LocalError, match="formatted with FAT, whose files are below 4 GiB"):
        check_file_size(tmp_path, 4 * GIB, "it", "cut it")


@pytest.mark.parametrize("kind", ["exfat", "ntfs3", "ext4", "fuseblk"])
def test_others_take_larger_ones(tmp_path: Path, mounted_as: Mount, kind: str) -> None:
    mounted_as(kind)
    assert check_file_size(tmp_path, 100 * GIB, "it", "cut it")


def test_where_the_system_does_not_say_nothing_is_refused(tmp_path: Path, mounted_as: Mount) -> None:
    assert not check_file_size(tmp_path, 100 * GIB, "it", "cut it")


def large(folder: Path) -> None:
    """A layout whose image has a layer of 5 GiB: a sparse file, which nobody gets to read."""
    store = LayoutStore(folder, create=True)
    layer = Descriptor("application/vnd.oci.image.layer.v1.tar", Digest.of(b"large"), 5 * GIB)
    blobs = folder / "blobs" / "sha256"
    with (blobs / layer.digest.encoded).open("wb") as file:
        file.truncate(layer.size)
    config = b"{}"
    (blobs / Digest.of(config).encoded).write_bytes(config)
    described = Descriptor("application/vnd.oci.image.config.v1+json", Digest.of(config), len(config))
    raw = (
        f'{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{described_as(described)},'
        f'"layers":[{described_as(layer)}]}}'
    )
    store.put_manifest(Name("a/large", "1"), Manifest.parse(raw.encode(), None, None))


def described_as(blob: Descriptor) -> str:
    return f'{{"mediaType":"{blob.media_type}","digest":"{blob.digest}","size":{blob.size}}}'


def test_a_large_layer_is_refused_before_it_is_read(
    tmp_path: Path, mounted_as: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    large(tmp_path / "source")
    mounted_as("vfat")
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    with pytest.raises(LocalError) as caught:
        transload.pack((), tmp_path / "b", origin=f"oci:{tmp_path}/source")
    assert "--volume-size fat32" in str(caught.value.hint)
    with pytest.raises(LocalError) as caught:
        transload.mirror((), origin=f"oci:{tmp_path}/source", to=f"oci:{tmp_path}/copy")
    assert "below 4 GiB" in str(caught.value)
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith("b")]
