"""Links that somebody planted in a layout: writing does not leave the folder, by whatever name it would."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from transload.errors import NotFound, Refused
from transload.layout import LayoutStore
from transload.oci import Name
from transload.testing.contract import blob, read
from transload.testing.images import fill, image, put

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs links of POSIX")

CONTENT = blob("planted", 1000)
PARKED = f"sha256-{CONTENT.descriptor.digest.encoded}"


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    fill(LayoutStore(tmp_path / "l", create=True), image("before", layers=(10,)), "a", "1")
    return tmp_path / "l"


@pytest.mark.parametrize("name", [PARKED, f"{PARKED}.lock"])
@pytest.mark.parametrize("before", [None, b"", CONTENT.read()[:100], bytes(5000)])
def test_an_unfinished_blob_that_is_a_link(layout: Path, tmp_path: Path, name: str, before: bytes | None) -> None:
    victim = tmp_path / "victim"
    if before is not None:
        victim.write_bytes(before)
    (layout / ".transload" / "ingest" / name).symlink_to(victim)
    with pytest.raises(Refused, match="link"):
        put(LayoutStore(layout), "a", CONTENT)
    assert (victim.read_bytes() if victim.exists() else None) == before


def test_an_unfinished_blob_with_a_second_name(layout: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(CONTENT.read()[:100])
    (layout / ".transload" / "ingest" / PARKED).hardlink_to(tmp_path / "victim")
    with pytest.raises(Refused, match="second name"):
        put(LayoutStore(layout), "a", CONTENT)
    assert (tmp_path / "victim").read_bytes() == CONTENT.read()[:100]


@pytest.mark.parametrize("inside", ["blobs", "blobs/sha256", ".transload", ".transload/ingest"])
def test_a_folder_that_leads_elsewhere(layout: Path, tmp_path: Path, inside: str) -> None:
    (layout / inside).rename(tmp_path / "elsewhere")
    (layout / inside).symlink_to(tmp_path / "elsewhere")
    before = sorted(tmp_path.joinpath("elsewhere").rglob("*"))
    with pytest.raises(Refused, match="link"):
        put(LayoutStore(layout, create=True), "a", CONTENT)
    assert sorted(tmp_path.joinpath("elsewhere").rglob("*")) == before


def test_a_folder_of_another_algorithm_that_leads_elsewhere(layout: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (layout / "blobs" / "sha512").symlink_to(tmp_path / "elsewhere")
    fill(LayoutStore(layout), image("after", layers=(20,)), "a", "2")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_lock_of_the_index_that_is_a_link(layout: Path, tmp_path: Path) -> None:
    (layout / ".transload" / "lock").unlink()
    (layout / ".transload" / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(Refused, match="link"):
        fill(LayoutStore(layout), image("after", layers=(20,)), "a", "2")
    assert not (tmp_path / "victim").exists()


def test_making_a_layout_over_links(tmp_path: Path) -> None:
    (tmp_path / "l").mkdir()
    (tmp_path / "l" / "blobs").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(Refused, match="link"):
        LayoutStore(tmp_path / "l", create=True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", ["index.json", "oci-layout"])
def test_a_replaced_file_that_is_a_link_is_replaced(layout: Path, tmp_path: Path, name: str) -> None:
    (layout / name).rename(tmp_path / "victim")
    before = (tmp_path / "victim").read_bytes()
    (layout / name).symlink_to(tmp_path / "victim")
    fill(LayoutStore(layout, create=True), image("after", layers=(20,)), "a", "2")
    assert (tmp_path / "victim").read_bytes() == before
    LayoutStore(layout).resolve(Name("a", "2"))


def _delete_tag(store: LayoutStore) -> None:
    store.deletes.delete_manifest(Name("a", "1"))


def _delete_blob(store: LayoutStore) -> None:
    put(store, "a", CONTENT)
    (store.root / "blobs" / "sha256").rename(store.root.parent / "elsewhere")
    (store.root / "blobs" / "sha256").symlink_to(store.root.parent / "elsewhere")
    store.deletes.delete_blob("a", CONTENT.descriptor.digest)


@pytest.mark.parametrize("act", [_delete_tag, _delete_blob])
def test_deleting(layout: Path, tmp_path: Path, act: Callable[[LayoutStore], None]) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / ".index.json.1").touch()
    (layout / ".index.json.2").symlink_to(victim / ".index.json.1")
    if act is _delete_tag:
        act(LayoutStore(layout))
    else:
        with pytest.raises(Refused):
            act(LayoutStore(layout))
        assert (tmp_path / "elsewhere" / CONTENT.descriptor.digest.encoded).exists()
    assert (victim / ".index.json.1").exists()


@pytest.mark.parametrize("name", ["index.json", "oci-layout"])
def test_a_pipe_or_a_device_where_a_file_should_be(layout: Path, name: str) -> None:
    from transload.errors import LocalError

    (layout / name).unlink()
    os.mkfifo(layout / name)
    with pytest.raises(LocalError, match="is a pipe"):
        LayoutStore(layout).resolve(Name("a", "1"))
    (layout / name).unlink()
    (layout / name).symlink_to("/dev/zero")
    with pytest.raises(LocalError, match="is a device"):
        LayoutStore(layout).resolve(Name("a", "1"))
    (layout / name).unlink()
    with pytest.raises(NotFound):
        LayoutStore(layout).resolve(Name("a", "1"))


def test_the_folder_itself_may_be_a_link(layout: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(layout)
    store = LayoutStore(tmp_path / "link", create=True)
    put(store, "a", CONTENT)
    assert read(store, "a", CONTENT.descriptor) == CONTENT.read()
