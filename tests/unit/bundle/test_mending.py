"""Reading through damage: lost, cut, swapped, renamed and spoilt volumes, and what is told of it."""

import errno
import os
import random
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

import pytest

from tests.unit.bundle.packing import blobs_of, joined
from tests.unit.bundle.protecting import (
    BLOCK,
    IMAGES,
    OTHERS,
    Step,
    Whole,
    contents,
    cut,
    is_all_there,
    lose,
    overwrite,
    protected,
    put_back,
    rename,
    spoil,
)
from transload.bundle import BundleStore
from transload.bundle.reading import mending
from transload.errors import TransloadError
from transload.files import read_up_to
from transload.oci import Digest
from transload.testing.reading import read


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return protected(tmp_path_factory.mktemp("whole"))


DAMAGE: dict[str, Sequence[Step]] = {
    "nothing": [],
    "the first volume lost": [lose("b.001.tar")],
    "two lost": [lose("b.001.tar", "b.004.tar")],
    "the last lost, and a recovery volume": [lose("b.009.tar", "b.r01.tar")],
    "both recovery volumes lost": [lose("b.r01.tar", "b.r02.tar")],
    "empty": [cut("b.001.tar", 0)],
    "cut short": [cut("b.002.tar", 5000)],
    "cut short by a byte": [cut("b.002.tar", 9215)],
    "lengthened": [cut("b.002.tar", 20_000)],
    "the beginning overwritten": [overwrite("b.001.tar", 0, 3000)],
    "zeros": [overwrite("b.003.tar", 512, 4096, zeros=True)],
    "all zeros": [overwrite("b.003.tar", 0, 9216, zeros=True)],
    "in many volumes, but not in one stripe": [
        overwrite(f"b.00{number}.tar", (2 * number + 1) * BLOCK, 2 * BLOCK) for number in range(1, 8)
    ],
    "two swapped": [rename("b.001.tar", "b.003.tar")],
    "all swapped round": [rename("b.001.tar", "b.002.tar", "b.003.tar", "b.004.tar")],
    "recovery volumes swapped": [rename("b.r01.tar", "b.r02.tar"), lose("b.002.tar")],
    "a volume under the name of a recovery volume": [rename("b.r01.tar", "b.002.tar")],
    "renamed": [rename("b.001.tar", "something else.tar")],
    "renamed by a program": [rename("b.002.tar", "b.002 (1).tar")],
    "a folder in its place": [lose("b.002.tar"), lambda folder: (folder / "b.002.tar").mkdir()],
    "a recovery volume spoilt": [overwrite("b.r01.tar", 0, 6000), lose("b.002.tar")],
    "the descriptions spoilt, each elsewhere": [
        overwrite("b.r01.tar", 0, 1200),
        overwrite("b.r02.tar", 18_000, 9136),
        lose("b.001.tar"),
    ],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_everything_is_read(tmp_path: Path, whole: Whole, damage: Sequence[Step]) -> None:
    put_back(whole, tmp_path / "b")
    for step in damage:
        step(tmp_path / "b")
    store = BundleStore(tmp_path / "b" / "b")
    for content in blobs_of(IMAGES).values():
        assert read(store, "", content.descriptor) == content.read()
    assert is_all_there(tmp_path / "b" / "b")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_one_more_than_there_are_recovery_volumes_fails_as_ever(tmp_path: Path, whole: Whole, number: int) -> None:
    put_back(whole, tmp_path / "b")
    for lost in range(number, number + 3):
        (tmp_path / "b" / f"b.00{lost}.tar").unlink()
    with pytest.raises(TransloadError):
        read_all(tmp_path / "b" / "b")


def read_all(path: Path) -> None:
    store = BundleStore(path)
    for content in blobs_of(IMAGES).values():
        read(store, "", content.descriptor)


def test_the_joined_volumes_are_mended_too(tmp_path: Path, whole: Whole) -> None:
    put_back(whole, tmp_path / "b")
    volumes = sorted((tmp_path / "b").glob("b.0*.tar"))
    raw = bytearray(joined(volumes))
    for volume in volumes:
        volume.unlink()
    raw[5000:9000] = bytes(4000)
    (tmp_path / "b" / "b.tar").write_bytes(raw)
    assert is_all_there(tmp_path / "b" / "b.tar")
    (tmp_path / "b" / "b.tar").write_bytes(raw[:-4000])
    assert is_all_there(tmp_path / "b" / "b")


@pytest.mark.parametrize("spoilt", ["gone", "zeros", "cut"])
def test_a_bundle_that_is_not_cut_is_read_from_its_copy(tmp_path: Path, spoilt: str) -> None:
    protected(tmp_path / "b", 1, None)
    path = tmp_path / "b" / "b.tar"
    size = path.stat().st_size
    if spoilt == "zeros":
        path.write_bytes(bytes(size))
    elif spoilt == "gone":
        path.unlink()
    else:
        cut("b.tar", 700)(tmp_path / "b")
    assert is_all_there(tmp_path / "b" / "b")
    assert is_all_there(tmp_path / "b")


def test_each_volume_is_told_once(tmp_path: Path, whole: Whole) -> None:
    put_back(whole, tmp_path / "b")
    (tmp_path / "b" / "b.001.tar").unlink()
    overwrite("b.005.tar", 0, 2000)(tmp_path / "b")
    told: list[str] = []
    store = BundleStore(tmp_path / "b" / "b", mended=told.append)
    for content in (*blobs_of(IMAGES).values(), *blobs_of(IMAGES).values()):
        read(store, "", content.descriptor)
    assert len(told) == 2
    assert told[0].startswith("b.001.tar is missing: what it held is made again")
    assert told[1].startswith("b.005.tar is damaged: what is wrong is made again")
    assert all(f"transload repair {tmp_path / 'b' / 'b'}" in sentence for sentence in told)


def test_nothing_is_told_of_a_whole_bundle_and_no_other_file_is_read(tmp_path: Path, whole: Whole) -> None:
    put_back(whole, tmp_path / "b")
    told: list[str] = []
    store = BundleStore(tmp_path / "b" / "b", mended=told.append)
    for content in blobs_of(IMAGES).values():
        read(store, "", content.descriptor)
    assert told == []
    assert store.mender
    assert store.mender._others is None  # so no candidates were looked at


# --- other bundles


def test_recovery_volumes_of_another_bundle_beside_it_do_not_count(tmp_path: Path, whole: Whole) -> None:
    folder = tmp_path / "b"
    put_back(whole, folder)
    for path in folder.glob("b.r*"):
        path.unlink()
    protected(folder, images=OTHERS, name="other")
    store = BundleStore(folder / "b")
    assert store.mender is None
    assert {entry.image.name for entry in store.ledger.images} == set(IMAGES)
    max(folder.glob("b.0*.tar")).unlink()
    store = BundleStore(folder / "b")
    assert store.mender is None
    (folder / "b.001.tar").unlink()
    with pytest.raises(TransloadError):
        BundleStore(folder / "b")
    assert BundleStore(folder / "other").mender


@pytest.mark.parametrize("beside", [False, True])
def test_recovery_volumes_of_another_bundle_under_its_name_do_not_count(
    tmp_path: Path, whole: Whole, beside: bool
) -> None:
    folder, others = tmp_path / "b", protected(tmp_path / "others", images=OTHERS)
    put_back(whole, folder)
    for name, raw in others.files.items():
        if ".r0" in name:
            (folder / name).write_bytes(raw)
        elif beside:
            (folder / f"other{name[1:]}").write_bytes(raw)
    store = BundleStore(folder / "b")
    assert store.mender is None
    assert {entry.image.name for entry in store.ledger.images} == set(IMAGES)
    assert is_all_there(folder / "b")


def test_a_volume_of_another_bundle_is_made_good(tmp_path: Path, whole: Whole) -> None:
    folder, others = tmp_path / "b", protected(tmp_path / "others", images=OTHERS)
    put_back(whole, folder)
    for name in ("b.001.tar", "b.003.tar"):
        (folder / name).write_bytes(others.files[name])
    store = BundleStore(folder / "b")
    assert {entry.image.name for entry in store.ledger.images} == set(IMAGES)
    assert is_all_there(folder / "b")


# --- who says what is right


def test_the_ledger_is_believed_and_not_the_sums(tmp_path: Path, whole: Whole) -> None:
    """Whoever alters sums and parity alike changes nothing that is read without an error."""
    folder = tmp_path / "b"
    put_back(whole, folder)
    liars = protected(tmp_path / "liars")
    altered = bytearray((tmp_path / "liars" / "b.003.tar").read_bytes())
    altered[1000:2000] = os.urandom(1000)
    (tmp_path / "liars" / "b.003.tar").write_bytes(altered)
    _protect_as_it_is(tmp_path / "liars", liars)
    for row in (1, 2):
        (folder / f"b.r0{row}.tar").write_bytes((tmp_path / "liars" / f"b.r0{row}.tar").read_bytes())
    store = BundleStore(folder / "b")
    assert store.mender
    damaged = [part for part in store.check() if part.error is not None]
    assert damaged
    assert not any(part.made_good for part in damaged)


def _protect_as_it_is(folder: Path, whole: Whole) -> None:
    """Recovery volumes for a bundle that was altered, as if they were genuine."""
    from attrs import evolve

    from transload.bundle.format.recoveryfile import protections_in
    from transload.bundle.writing.recovery import RecoveryWriter

    (protection,) = protections_in([folder / "b.r01.tar"])
    RecoveryWriter(folder / "b", evolve(protection.description, rows=whole.rows)).write()


# --- bad sectors


def test_a_sector_that_cannot_be_read_is_damage(tmp_path: Path, whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    put_back(whole, tmp_path / "b")

    def failing(file: FileIO, length: int) -> bytes:
        path = Path(f"/proc/self/fd/{file.fileno()}").readlink()
        if path.name == "b.005.tar" and file.tell() == 2 * BLOCK:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read_up_to(file, length)

    monkeypatch.setattr(mending, "read_up_to", failing)
    told: list[str] = []
    store = BundleStore(tmp_path / "b" / "b", mended=told.append)
    for content in blobs_of(IMAGES).values():
        assert read(store, "", content.descriptor) == content.read()
    assert len(told) == 1
    assert store.mender
    assert store.mender.wrong == {5: {2}}


# --- from a seed


@pytest.mark.parametrize("seed", range(12))
def test_what_can_be_read_is_right(tmp_path: Path, whole: Whole, seed: int) -> None:
    chance = random.Random(seed)
    for turn in range(5):
        folder = tmp_path / str(turn)
        put_back(whole, folder)
        for _ in range(chance.randrange(1, 5)):
            spoil(folder, chance)
        before = contents(folder)
        try:
            store = BundleStore(folder / "b")
        except TransloadError:
            continue
        assert {entry.image.name for entry in store.ledger.images} == set(IMAGES)
        wrong = {part.subject for part in store.check() if part.error is not None and not part.made_good}
        for blob in store.ledger.blobs:
            if blob.path not in wrong:
                assert read(store, "", blob.descriptor) == _content(blob.digest)
        assert contents(folder) == before


def _content(digest: str) -> bytes:
    manifests = {str(each.digest): each.manifest.raw for built in IMAGES.values() for each in built.walk()}
    return manifests.get(digest) or blobs_of(IMAGES)[Digest(digest)].read()
