"""A bundle on several media, mounted one after the other at the same place: each is a folder of 4.5 MiB here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import transload
from transload import Cancellation, LayoutStore
from transload.bundle.writing.onmedia import WantedMedium
from transload.errors import Busy, DigestMismatch, Interrupted, MediumWanted, UsageError
from transload.events import StepMoved
from transload.files import Folder
from transload.testing.images import fill, image

MEDIUM_BYTES = 4_608_000
MADE = [image(f"image {number}", layers=(2_300_000, 2000)) for number in range(3)]
BLOBS = {blob.descriptor.digest: blob.descriptor.size for built in MADE for blob in built.walk_contents()}


@pytest.fixture(autouse=True)
def slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where media are put in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    store = LayoutStore("source", create=True)
    for number, built in enumerate(MADE):
        fill(store, built, "a/b", str(number))
    place = tmp_path / "slot"
    place.mkdir()

    def usage(folder: Path) -> Any:
        size = MEDIUM_BYTES if Path(folder).absolute() == place else 1 << 40
        used = sum(path.stat().st_size for path in Path(folder).iterdir() if path.is_file())
        return type("Usage", (), {"total": size, "free": size - used})()

    monkeypatch.setattr("shutil.disk_usage", usage)
    return place


def change(slot: Path) -> Path:
    """Take the medium out, and put an empty one in; where the old one is now."""
    number = len(list(slot.parent.glob("medium*"))) + 1
    away = slot.rename(slot.parent / f"medium{number}")
    slot.mkdir()
    return away


def pack(**more: Any) -> transload.PackResult:
    return transload.pack((), "slot/b", origin="oci:source", volume_size="2MiB", to_media=True, **more)


def all_media(slot: Path) -> Iterator[Path]:
    yield from sorted(slot.parent.glob("medium*"))
    yield slot


def check(slot: Path) -> None:
    """The volumes, brought together, are the bundle that is packed in one go; each medium lists its own."""
    whole = slot.parent / "whole"
    transload.pack((), slot.parent / "elsewhere", origin="oci:source", volume_size="2MiB")
    whole.mkdir()
    for medium in all_media(slot):
        listed = (medium / "SHA256SUMS").read_text().split()[1::2]
        volumes = sorted(path for path in medium.iterdir() if path.name != "SHA256SUMS")
        assert sorted(listed) == [path.name for path in volumes]
        for path in volumes:
            shutil.copy(path, whole)
            one_go = path.with_name(path.name.replace("b.", "elsewhere."))
            assert path.read_bytes() == (slot.parent / one_go.name).read_bytes()
    assert transload.verify(f"bundle:{whole}/b").good


def test_it_asks_for_the_next_medium_and_needs_no_room_for_the_whole(slot: Path) -> None:
    asked: list[WantedMedium] = []

    def ask(wanted: WantedMedium) -> bool:
        asked.append(wanted)
        if len(asked) != 2:  # the second time, nobody has changed the medium
            change(slot)
        return True

    result = pack(ask_medium=ask)
    assert [(wanted.number, wanted.file_name) for wanted in asked] == [
        (2, "b.002.tar"),
        (3, "b.003.tar"),
        (3, "b.003.tar"),
    ]
    assert "free" in asked[0].problem
    assert result.result.moved_bytes == sum(BLOBS.values())
    check(slot)


def test_where_a_medium_was_mounted_and_none_is_now_nothing_is_written(
    slot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = True
    asked: list[WantedMedium] = []
    monkeypatch.setattr("os.path.ismount", lambda place: mounted and Path(place) == slot)

    def ask(wanted: WantedMedium) -> bool:
        nonlocal mounted
        asked.append(wanted)
        if mounted:
            change(slot)
        mounted = len(asked) > 2
        return len(asked) != 2

    with pytest.raises(MediumWanted, match=f"nothing is mounted at {slot}"):
        pack(ask_medium=ask)
    assert not list(slot.iterdir())
    pack(ask_medium=ask)  # a new run has not forgotten it
    assert [wanted.problem for wanted in asked[1:3]] == [f"nothing is mounted at {slot}"] * 2
    check(slot)


def test_without_anybody_to_ask_the_next_run_goes_on(slot: Path) -> None:
    for _ in range(2):
        with pytest.raises(MediumWanted, match="the next medium is needed for b.00"):
            pack()
        change(slot)
    pack()
    check(slot)
    slot.rename(slot.parent / "last")
    slot.mkdir()
    again = pack()
    assert again.result.moved_bytes == 0
    assert not list(slot.iterdir())


def test_a_medium_that_was_lost_is_written_again(slot: Path) -> None:
    pack(ask_medium=lambda _: bool(change(slot)))
    lost = slot.parent / "medium2"
    before = {path.name: path.read_bytes() for path in lost.iterdir()}
    change(slot)
    shutil.rmtree(lost)
    pack(rewrite_volumes=[2])
    assert {path.name: path.read_bytes() for path in slot.iterdir()} == before
    with pytest.raises(UsageError, match="has no volume 9"):
        pack(rewrite_volumes=[9])


def test_after_ctrl_c_it_goes_on_with_the_volume_that_was_begun(slot: Path) -> None:
    cancellation = Cancellation()

    def listen(event: object) -> None:
        if isinstance(event, StepMoved) and event.position > 500_000 and (slot / "b.002.tar.partial").exists():
            cancellation.cancel()

    with pytest.raises(Interrupted):
        pack(ask_medium=lambda _: bool(change(slot)), progress=listen, cancellation=cancellation)
    pack(ask_medium=lambda _: bool(change(slot)))
    check(slot)


def test_another_bundles_volume_is_in_the_way(slot: Path) -> None:
    (slot / "b.001.tar").write_bytes(b"of another bundle")
    with pytest.raises(MediumWanted, match="is there already, and no run has noted it"):
        pack()
    assert (slot / "b.001.tar").read_bytes() == b"of another bundle"


def test_a_damaged_blob_takes_the_volumes_back_that_hold_its_beginning(slot: Path) -> None:
    largest = max(BLOBS, key=lambda digest: (BLOBS[digest], digest))
    first = min((digest for digest in BLOBS if BLOBS[digest] == BLOBS[largest]), default=largest)
    file = Path("source/blobs/sha256") / first.encoded
    right = file.read_bytes()
    file.write_bytes(bytes([right[0] ^ 1]) + right[1:])
    with pytest.raises(DigestMismatch):
        pack(ask_medium=lambda _: bool(change(slot)))
    file.write_bytes(right)
    for medium in list(slot.parent.glob("medium*")):
        shutil.rmtree(medium)
    shutil.rmtree(slot)
    slot.mkdir()
    pack(ask_medium=lambda _: bool(change(slot)))
    check(slot)


def test_what_it_cannot_be_combined_with() -> None:
    with pytest.raises(UsageError, match="recovery volumes need"):
        pack(recovery=1)
    with pytest.raises(UsageError, match="volume by volume"):
        transload.pack((), "slot/b", origin="oci:source", rewrite_volumes=[1])


def test_two_processes_do_not_write_one_volume(slot: Path) -> None:
    with Folder(slot).locked("b.001.tar.partial"), pytest.raises(Busy):
        pack()


def test_what_is_written_can_be_read_back(slot: Path) -> None:
    pack(ask_medium=lambda _: bool(change(slot)), verify_medium=True)
    check(slot)


def test_a_bundle_of_the_same_name_that_is_cut_in_another_way_stays_alone(slot: Path) -> None:
    (slot / "b.tar").write_bytes(b"the bundle of last month")
    with pytest.raises(MediumWanted, match=r"b\.tar is there already, and belongs to another bundle of this name"):
        pack()
    assert [path.name for path in slot.iterdir()] == ["b.tar"]


def test_limits_are_refused_before_their_hours_are_waited_for() -> None:
    for limits in (transload.Limits(max_bytes=1000), transload.Limits(between="03:00-03:01")):
        with pytest.raises(UsageError, match="cannot be combined"):
            pack(limits=limits)
