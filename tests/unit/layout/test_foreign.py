"""Layouts that others made: with nested indexes, links, missing and wrong files, other versions; and full disks."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from transload.clock import SystemClock
from transload.errors import (
    BlobUnknown,
    CorruptError,
    DiskFull,
    LocalError,
    ManifestInvalid,
    ManifestUnknown,
    NotFound,
    PermissionRefused,
    Refused,
    RepositoryUnknown,
    SizeMismatch,
)
from transload.layout import LayoutStore
from transload.oci import Descriptor, Digest, Name
from transload.oci.refname import REF_NAME
from transload.testing.contract import APP, blob, read
from transload.testing.images import Built, fill, image, index, multi_platform, put, signature
from transload.testing.reading import OCTETS

IMAGE = image("foreign", layers=(100,))


def handmade(folder: Path, *listed: Built, names: tuple[str, ...] = ()) -> Path:
    """A layout written without our own code: only what the specification asks for."""
    (folder / "blobs" / "sha256").mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0", "more": true}\n')
    entries = []
    for place, built in enumerate(listed):
        for each in built.walk():
            (folder / "blobs" / "sha256" / each.digest.encoded).write_bytes(each.manifest.raw)
        for descriptor, raw in built.walk_blobs():
            (folder / "blobs" / "sha256" / descriptor.digest.encoded).write_bytes(raw)
        annotations = {"annotations": {REF_NAME: names[place]}} if place < len(names) else {}
        entries.append(built.descriptor.to_json() | annotations)
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    return folder


def place(folder: Path, digest: Digest) -> Path:
    return folder / "blobs" / "sha256" / digest.encoded


# --- reading


def test_a_bare_tag_is_in_the_repository_without_a_name(tmp_path: Path) -> None:
    store = LayoutStore(handmade(tmp_path / "l", IMAGE, names=("v1",)))
    assert list(store.repositories()) == [""]
    assert list(store.tags("")) == ["v1"]
    assert store.fetch(Name("", "v1")).raw == IMAGE.manifest.raw


def test_reading_writes_nothing(tmp_path: Path) -> None:
    folder = handmade(tmp_path / "l", IMAGE, names=("a:v1",))
    before = sorted(folder.rglob("*"))
    store = LayoutStore(folder, create=True)
    assert store.resolve(Name("a", "v1")) == IMAGE.descriptor
    assert store.refers.referrers("a", IMAGE.digest) == ()
    assert sorted(folder.rglob("*")) == before


def test_a_manifest_without_a_name_is_reached_by_its_digest(tmp_path: Path) -> None:
    store = LayoutStore(handmade(tmp_path / "l", IMAGE))
    assert list(store.repositories()) == []
    assert list(store.tags("")) == []
    assert store.resolve(Name("any/thing", None, IMAGE.digest)) == IMAGE.descriptor
    with pytest.raises(RepositoryUnknown):
        store.tags("any/thing")


def test_a_blob_that_is_no_manifest_does_not_resolve(tmp_path: Path) -> None:
    store = LayoutStore(handmade(tmp_path / "l", IMAGE))
    with pytest.raises(CorruptError):
        store.resolve(Name("", None, IMAGE.manifest.layers[0].digest))


def test_referrers_in_nested_indexes_are_found(tmp_path: Path) -> None:
    signed = signature(IMAGE)
    store = LayoutStore(handmade(tmp_path / "l", index([index([signed]), IMAGE]), names=("all",)))
    assert store.refers.referrers("", IMAGE.digest) == (signed.descriptor,)
    assert store.refers.referrers("", IMAGE.digest)[0].annotations == signed.manifest.annotations


def test_part_of_an_index_is_enough_to_read_the_rest(tmp_path: Path) -> None:
    multi = multi_platform("part", layers=(10,))
    folder = handmade(tmp_path / "l", multi, names=("m:1",))
    place(folder, multi.children[0].digest).unlink()
    store = LayoutStore(folder)
    assert store.fetch(Name("m", "1")).raw == multi.manifest.raw
    assert store.refers.referrers("", multi.digest) == ()
    with pytest.raises(ManifestUnknown):
        store.fetch(Name("m", None, multi.children[0].digest))


def test_a_name_whose_blob_is_missing_is_not_found(tmp_path: Path) -> None:
    folder = handmade(tmp_path / "l", IMAGE, names=("a:1",))
    place(folder, IMAGE.digest).unlink()
    for ask in (LayoutStore(folder).resolve, LayoutStore(folder).fetch):
        with pytest.raises(ManifestUnknown, match="missing"):
            ask(Name("a", "1"))


def test_a_changed_manifest_is_not_given_out(tmp_path: Path) -> None:
    folder = handmade(tmp_path / "l", IMAGE, names=("a:1",))
    place(folder, IMAGE.digest).write_bytes(IMAGE.manifest.raw.replace(b"linux", b"minix") + b" ")
    with pytest.raises(CorruptError):
        LayoutStore(folder).fetch(Name("a", "1"))


def test_a_blob_of_another_size_is_not_given_out(tmp_path: Path) -> None:
    folder = handmade(tmp_path / "l", IMAGE)
    layer = IMAGE.manifest.layers[0]
    with place(folder, layer.digest).open("ab") as file:
        file.write(b"more")
    store = LayoutStore(folder)
    assert not store.exists("", layer)
    with pytest.raises(SizeMismatch):
        read(store, "", layer)


def test_a_change_by_another_tool_is_seen(tmp_path: Path) -> None:
    folder = handmade(tmp_path / "l", IMAGE, names=("a:1",))
    old = (folder / "index.json").read_text()
    os.utime(folder / "index.json", (1, 1))
    store = LayoutStore(folder)
    assert list(store.tags("a")) == ["1"]
    (folder / "index.json").write_text(old.replace("a:1", "a:2"))
    assert list(store.tags("a")) == ["2"]


# --- refusals


@pytest.mark.parametrize("marker", ['{"imageLayoutVersion": "2.0.0"}', "{}", "[]"])
def test_other_versions_are_refused(tmp_path: Path, marker: str) -> None:
    folder = handmade(tmp_path / "l", IMAGE)
    (folder / "oci-layout").write_text(marker)
    with pytest.raises(Refused, match="version"):
        LayoutStore(folder)


def test_what_is_no_layout(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        LayoutStore(tmp_path / "nothing")
    with pytest.raises(NotFound):
        LayoutStore(tmp_path)
    (tmp_path / "oci-layout").write_text("no json")
    with pytest.raises(ManifestInvalid):
        LayoutStore(tmp_path)
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    with pytest.raises(NotFound):
        LayoutStore(tmp_path).resolve(Name("", "v1"))


def test_a_layout_is_not_made_among_other_things(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(Refused):
        LayoutStore(tmp_path, create=True)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]
    with pytest.raises(LocalError, match="is not a folder"):
        LayoutStore(tmp_path / "holiday.jpg", create=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs links and pipes of POSIX")
@pytest.mark.parametrize("kind", ["file", "folder", "loop", "pipe", "blobs"])
def test_what_leads_elsewhere_or_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    folder = handmade(tmp_path / "l", IMAGE, names=("a:1",))
    layer = IMAGE.manifest.layers[0]
    there = place(folder, layer.digest)
    if kind == "blobs":
        (folder / "blobs").rename(tmp_path / "elsewhere")
        (folder / "blobs").symlink_to(tmp_path / "elsewhere")
    else:
        there.rename(tmp_path / "elsewhere")
    if kind == "file":
        there.symlink_to(tmp_path / "elsewhere")
    elif kind == "folder":
        there.mkdir()
    elif kind == "loop":
        there.symlink_to(there)
    elif kind == "pipe":
        os.mkfifo(there)
    store = LayoutStore(folder)
    for ask in (
        lambda: read(store, "", layer),
        lambda: store.exists("", layer),
        lambda: store.paths.path(layer.digest),
        lambda: store.paths.file(layer.digest),
    ):
        with pytest.raises(LocalError if kind == "loop" else Refused):
            ask()


def test_a_link_inside_the_layout_is_followed(tmp_path: Path) -> None:
    folder = handmade(tmp_path / "real", IMAGE)
    layer = IMAGE.manifest.layers[0]
    there = place(folder, layer.digest)
    there.rename(folder / "kept-here")
    there.symlink_to(Path("..", "..", "kept-here"))
    (tmp_path / "link").symlink_to(folder)
    store = LayoutStore(tmp_path / "link")
    assert read(store, "", layer) == IMAGE.contents[1].read()
    assert store.paths.path(layer.digest).read_bytes() == IMAGE.contents[1].read()
    with store.paths.file(layer.digest) as file:
        assert file.read() == IMAGE.contents[1].read()


def test_files_of_unknown_blobs_do_not_lie_anywhere(tmp_path: Path) -> None:
    with pytest.raises(BlobUnknown):
        LayoutStore(handmade(tmp_path / "l", IMAGE)).paths.path(Digest.of(b"unknown"))


# --- writing


def test_a_foreign_layout_is_written_into_and_keeps_its_entries(tmp_path: Path) -> None:
    folder = handmade(tmp_path / "l", IMAGE, names=("registry.example:5000/a:1",))
    before = json.loads((folder / "index.json").read_text())["manifests"]
    other = image("other", layers=(10,))
    fill(LayoutStore(folder), other, "a", "2")
    store = LayoutStore(folder)
    assert list(store.tags("a")) == ["1", "2"]
    assert json.loads((folder / "index.json").read_text())["manifests"][:1] == before


def test_a_damaged_blob_is_mended_by_writing_it_again(tmp_path: Path) -> None:
    folder = handmade(tmp_path / "l", IMAGE)
    there = place(folder, IMAGE.contents[1].descriptor.digest)
    there.write_bytes(bytes(there.stat().st_size))
    put(LayoutStore(folder), "", IMAGE.contents[1])
    assert there.read_bytes() == IMAGE.contents[1].read()
    place(folder, IMAGE.digest).write_bytes(bytes(len(IMAGE.manifest.raw)))
    LayoutStore(folder).put_manifest(Name("a", "1"), IMAGE.manifest)
    assert LayoutStore(folder).fetch(Name("a", "1")).raw == IMAGE.manifest.raw


def test_a_referrer_whose_tag_moves_on_is_still_found(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path, create=True)
    fill(store, IMAGE, APP, "1")
    old, new = signature(IMAGE, "old"), signature(IMAGE, "new")
    fill(store, old, APP, "sig")
    fill(store, new, APP, "sig")
    assert set(store.refers.referrers(APP, IMAGE.digest)) == {old.descriptor, new.descriptor}
    assert list(store.tags(APP)) == ["1", "sig"]


def test_leftovers_that_cannot_be_a_beginning_are_dropped(tmp_path: Path) -> None:
    store, content = LayoutStore(tmp_path, create=True), blob("leftover", 1000)
    with store.begin("", content.descriptor) as ingest:
        ingest.write([content.read()[:10]])
    (parked,) = (tmp_path / ".transload" / "ingest").iterdir()
    parked.write_bytes(bytes(1001))
    with store.begin("", content.descriptor) as ingest:
        assert ingest.offset == 0
        ingest.write([content.read()])
        ingest.commit()
    assert read(store, "", content.descriptor) == content.read()


def test_files_of_killed_second_writers_go_after_a_day(tmp_path: Path) -> None:
    folder = LayoutStore(tmp_path, create=True).root / ".transload" / "ingest"
    folder.mkdir()
    old, new, parked = (folder / name for name in ("sha256-a.1.second", "sha256-a.2.second", "sha256-b"))
    for path in (old, new, parked):
        path.write_bytes(b"x")
    now = SystemClock().wall_s()
    os.utime(old, (now - 90_000, now - 90_000))
    os.utime(parked, (now - 90_000, now - 90_000))
    put(LayoutStore(tmp_path), "", blob("any", 1))
    assert sorted(folder.iterdir()) == [new, parked]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_told_and_work_goes_on_when_there_is_space(small_disk: Path) -> None:
    store = LayoutStore(small_disk, create=True)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(160_000))
    content = blob("large", 150_000)
    with pytest.raises(DiskFull) as caught, store.begin("", content.descriptor) as ingest:
        ingest.write([content.read()[:30_000], content.read()[30_000:]])
    assert caught.value.hint
    assert not store.exists("", content.descriptor)
    ballast.unlink()
    with store.begin("", content.descriptor) as ingest:
        assert 30_000 <= ingest.offset < 150_000
    put(store, "", content)
    assert read(store, "", content.descriptor) == content.read()


def test_a_commit_after_a_failed_write_is_refused(small_disk: Path) -> None:
    store, content = LayoutStore(small_disk, create=True), blob("too large", 400_000)
    with store.begin("", content.descriptor) as ingest:
        with pytest.raises(DiskFull):
            ingest.write([content.read()])
        with pytest.raises(SizeMismatch):
            ingest.commit()
    assert not store.exists("", content.descriptor)


def test_a_disk_that_is_read_only(small_disk: Path) -> None:
    store = LayoutStore(small_disk, create=True)
    fill(store, IMAGE, "a", "1")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    store = LayoutStore(small_disk, create=True)
    assert store.fetch(Name("a", "1")).raw == IMAGE.manifest.raw
    with pytest.raises(PermissionRefused):
        put(store, "a", blob("x", 10))
    with pytest.raises(PermissionRefused):
        store.put_manifest(Name("a", "2"), IMAGE.manifest)


def test_a_descriptor_of_nothing(tmp_path: Path) -> None:
    assert not LayoutStore(tmp_path, create=True).exists("", Descriptor(OCTETS, Digest.of(b""), 0))
