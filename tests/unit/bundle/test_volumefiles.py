"""Volumes in several folders, on disks that come one after the other, joined again."""

import shutil
from pathlib import Path

import pytest

from tests.unit.bundle.packing import blobs_of, joined, named, pack
from transload.bundle import BundleStore
from transload.bundle.reading.volumefiles import WantedVolume
from transload.errors import LocalError, NotFound, UsageError, VolumeMissing, VolumeSwapped
from transload.oci import Name
from transload.testing.images import image
from transload.testing.reading import read
from transload.testing.releases import release

MADE = named(release(images=4, size=300_000))
VOLUME = 100_000


@pytest.fixture
def disks(tmp_path: Path) -> list[Path]:
    """A folder for each volume; a bundle called `b`."""
    (tmp_path / "made").mkdir()
    *volumes, _ = pack(tmp_path / "made" / "b", MADE, VOLUME)[1]
    folders = [tmp_path / f"disk{number}" for number in range(len(volumes))]
    for folder, volume in zip(folders, volumes, strict=True):
        folder.mkdir()
        volume.rename(folder / volume.name)
    assert len(folders) > 3
    return folders


def is_right(store: BundleStore) -> bool:
    return all(read(store, "", each.descriptor) == each.read() for each in blobs_of(MADE).values())


def test_volumes_may_lie_in_several_folders(disks: list[Path]) -> None:
    assert is_right(BundleStore([disks[0] / "b", *disks[1:]]))
    assert is_right(BundleStore(disks))
    assert is_right(
        BundleStore([disks[0] / "b.001.tar", *(disk / f"b.{n:03}.tar" for n, disk in enumerate(disks[1:], 2))])
    )


@pytest.mark.parametrize("named_as", ["b", "b.tar", "b.001.tar", "b.002.tar", ""])
def test_every_way_to_name_a_bundle(tmp_path: Path, named_as: str) -> None:
    pack(tmp_path / "b", MADE, VOLUME)
    store = BundleStore(tmp_path / named_as)
    assert store.locator == f"bundle:{tmp_path / 'b'}"
    assert is_right(store)
    assert is_right(BundleStore(str(tmp_path / named_as)))


@pytest.mark.parametrize("named_as", ["rel.110", "rel.110.tar", ""])
def test_a_name_that_ends_like_a_volume(tmp_path: Path, named_as: str) -> None:
    pack(tmp_path / "rel.110", MADE)
    assert is_right(BundleStore(tmp_path / named_as)) if named_as else True


@pytest.mark.parametrize("spelt", ["b.{:03}.TAR", "B.{:03}.TAR"])
@pytest.mark.parametrize("named_as", ["{first}", "b", ""])
def test_a_medium_may_give_names_back_in_capitals(tmp_path: Path, spelt: str, named_as: str) -> None:
    *volumes, _ = pack(tmp_path / "b", MADE, VOLUME)[1]
    for number, volume in enumerate(volumes, 1):
        volume.rename(tmp_path / spelt.format(number))
    assert is_right(BundleStore(tmp_path / named_as.format(first=spelt.format(1))))


@pytest.mark.parametrize("named_as", ["b.TAR", "b", ""])
def test_so_may_a_bundle_of_one_file(tmp_path: Path, named_as: str) -> None:
    pack(tmp_path / "b", MADE)
    (tmp_path / "b.tar").rename(tmp_path / "b.TAR")
    assert is_right(BundleStore(tmp_path / named_as))


def test_a_file_that_was_named_is_the_one_that_is_read(tmp_path: Path) -> None:
    pack(tmp_path / "b", MADE)
    (tmp_path / "b.tar").rename(tmp_path / "b.Tar")
    assert is_right(BundleStore(tmp_path / "b.Tar"))


def test_a_folder_with_later_volumes_only_says_which_is_missing(tmp_path: Path) -> None:
    pack(tmp_path / "b", MADE, VOLUME)
    (tmp_path / "b.001.tar").unlink()
    with pytest.raises(VolumeMissing, match=r"b\.001\.tar is missing"):
        BundleStore(tmp_path)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("named_as", ["b", "b.00{} (1).tar", ""])
def test_a_volume_that_was_renamed_because_its_name_was_taken_is_found_out(
    tmp_path: Path, number: int, named_as: str
) -> None:
    pack(tmp_path / "b", MADE, VOLUME)
    renamed = (tmp_path / f"b.00{number}.tar").rename(tmp_path / f"b.00{number} (1).tar")
    with pytest.raises(VolumeMissing) as caught:
        is_right(BundleStore(tmp_path / named_as.format(number)))
    assert caught.value.hint == f"{renamed} seems to be it under another name: rename it to b.00{number}.tar"


def test_volumes_joined_again_are_a_bundle(tmp_path: Path) -> None:
    *volumes, _ = pack(tmp_path / "b", MADE, VOLUME)[1]
    (tmp_path / "joined.tar").write_bytes(joined(volumes))
    store = BundleStore(tmp_path / "joined.tar")
    assert store.cut.count == 1
    assert is_right(store)
    assert all(each.error is None for each in store.check())


def test_a_bundle_that_is_not_there_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path / "none" / "b"):
        with pytest.raises(LocalError):
            BundleStore(path)
    with pytest.raises(NotFound):
        BundleStore(tmp_path)
    with pytest.raises(UsageError):
        BundleStore([])


def test_a_folder_with_two_bundles_asks_which(tmp_path: Path) -> None:
    one = {Name("a", "1"): image("a")}
    pack(tmp_path / "one", one)
    pack(tmp_path / "two", one)
    with pytest.raises(UsageError, match="one, two"):
        BundleStore(tmp_path)


def test_missing_volumes_are_asked_for_once_and_wrong_ones_again(disks: list[Path]) -> None:
    asked: list[WantedVolume] = []
    wrong = disks[0].parent / "wrong"
    wrong.mkdir()
    shutil.copy(disks[2] / "b.003.tar", wrong / "b.002.tar")

    def ask(wanted: WantedVolume) -> Path:
        asked.append(wanted)
        if wanted.number == 2:
            return (
                wrong if isinstance(wanted.problem, VolumeMissing) else disks[1]
            )  # the wrong disk first, then a folder
        return disks[wanted.number - 1] / wanted.file_name

    store = BundleStore(disks[0] / "b", ask=ask)
    assert all(len(read(store, "", each.descriptor)) == each.size for each in store.ledger.blobs)
    assert [each.number for each in asked] == [2, 2, *range(3, len(disks) + 1)]
    assert isinstance(asked[0].problem, VolumeMissing)
    assert isinstance(asked[1].problem, VolumeSwapped)
    assert (asked[0].file_name, asked[0].size, asked[0].count) == ("b.002.tar", VOLUME, len(disks))


def test_a_volume_that_is_not_to_be_had_is_asked_for_once(disks: list[Path]) -> None:
    asked = []

    def ask(wanted: WantedVolume) -> None:
        asked.append(wanted.number)

    store = BundleStore(disks[0] / "b", ask=ask)
    for _ in range(2):
        for each in store.ledger.blobs:
            if each.offset >= VOLUME:
                with pytest.raises(VolumeMissing):
                    read(store, "", each.descriptor)
    assert asked
    assert len(asked) == len(set(asked))


def test_a_disk_that_was_taken_out_is_asked_for_again(disks: list[Path]) -> None:
    asked = []

    def ask(wanted: WantedVolume) -> Path:
        asked.append(wanted.number)
        return disks[wanted.number - 1]

    store = BundleStore(disks[0] / "b", ask=ask)
    assert is_right(store)
    count = len(asked)
    for number, disk in enumerate(disks[1:], 2):
        away = disk.with_name(f"{disk.name}-away")
        disk.rename(away)
        disks[number - 1] = away
    assert is_right(store)
    assert len(asked) > count
