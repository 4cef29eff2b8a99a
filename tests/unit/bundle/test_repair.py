"""Repairing: exact or refused, in place or beside, killed and run again; from one thing at a time to thousands."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.bundle.packing import joined, named
from tests.unit.bundle.protecting import (
    BLOCK,
    IMAGES,
    OTHERS,
    Step,
    Whole,
    contents,
    cut,
    lose,
    overwrite,
    protected,
    put_back,
    rename,
    spoil,
)
from transload.bundle import BundleStore
from transload.bundle.repairing.repair import Repaired, repair
from transload.errors import BeyondRepair, Busy, DiskFull, NotFound, TransloadError
from transload.files import Folder
from transload.testing.releases import release

SMALL = named(release("thousands", images=1, size=2500))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return protected(tmp_path_factory.mktemp("whole"))


def spoilt(whole: Whole, folder: Path, *steps: Step) -> Path:
    """The bundle, damaged."""
    put_back(whole, folder)
    for step in steps:
        step(folder)
    return folder / "b"


def told(repaired: Repaired) -> dict[str, tuple[str, int]]:
    return {file.path.name: (file.how, file.blocks) for file in repaired.files}


CASES: dict[str, tuple[Sequence[Step], dict[str, tuple[str, int]]]] = {
    "nothing": ([], {}),
    "lost": ([lose("b.001.tar", "b.009.tar")], {"b.001.tar": ("made", 18), "b.009.tar": ("made", 14)}),
    "a volume and a recovery volume lost": (
        [lose("b.003.tar", "b.r01.tar")],
        {"b.003.tar": ("made", 18), "b.r01.tar": ("made", 18)},
    ),
    "all recovery volumes but one lost": ([lose("b.r01.tar")], {"b.r01.tar": ("made", 18)}),
    "a block": ([overwrite("b.004.tar", 3 * BLOCK + 5, 10)], {"b.004.tar": ("mended", 1)}),
    "the beginning": ([overwrite("b.001.tar", 0, 2000)], {"b.001.tar": ("mended", 4)}),
    "cut": ([cut("b.004.tar", 9000)], {"b.004.tar": ("mended", 1)}),
    "empty": ([cut("b.004.tar", 0)], {"b.004.tar": ("made", 18)}),
    "lengthened": ([cut("b.004.tar", 99_999)], {"b.004.tar": ("mended", 0)}),
    "swapped": (
        [rename("b.001.tar", "b.003.tar")],
        {"b.001.tar": ("renamed", 0), "b.003.tar": ("renamed", 0)},
    ),
    "swapped and damaged": (
        [rename("b.001.tar", "b.003.tar"), overwrite("b.003.tar", 0, 700)],
        {"b.001.tar": ("renamed", 2), "b.003.tar": ("renamed", 0)},
    ),
    "renamed by a program": ([rename("b.001.tar", "b.001 (1).tar")], {"b.001.tar": ("renamed", 0)}),
    "recovery volumes swapped": (
        [rename("b.r01.tar", "b.r02.tar")],
        {"b.r01.tar": ("renamed", 0), "b.r02.tar": ("renamed", 0)},
    ),
    "a description": ([overwrite("b.r01.tar", 600, 10)], {"b.r01.tar": ("mended", 0)}),
    "sums": ([overwrite("b.r02.tar", 26_000 - 5000, 10)], {"b.r02.tar": ("mended", 0)}),
    "parity": ([overwrite("b.r02.tar", 12_000, 10)], {"b.r02.tar": ("mended", 1)}),
    "in many volumes, but not in one stripe": (
        [overwrite(f"b.00{number}.tar", (2 * number + 1) * BLOCK, 2 * BLOCK) for number in range(1, 8)],
        {f"b.00{number}.tar": ("mended", 2) for number in range(1, 8)},
    ),
}


@pytest.mark.parametrize(("steps", "expected"), CASES.values(), ids=CASES)
def test_repaired_in_place(
    tmp_path: Path, whole: Whole, steps: Sequence[Step], expected: dict[str, tuple[str, int]]
) -> None:
    path = spoilt(whole, tmp_path / "b", *steps)
    repaired = repair(BundleStore(path))
    assert told(repaired) == expected
    assert contents(tmp_path / "b") == whole.files
    assert repair(BundleStore(path)).files == ()


@pytest.mark.parametrize(("steps", "expected"), CASES.values(), ids=CASES)
def test_repaired_beside(
    tmp_path: Path, whole: Whole, steps: Sequence[Step], expected: dict[str, tuple[str, int]]
) -> None:
    path, there = spoilt(whole, tmp_path / "b", *steps), tmp_path / "there"
    there.mkdir()
    before = contents(tmp_path / "b")
    repaired = repair(BundleStore(path), there)
    assert contents(tmp_path / "b") == before
    written = {name: raw for name, raw in contents(there).items() if name != "SHA256SUMS"}
    assert set(written) == set(told(repaired)) == set(expected)
    assert all(raw == whole.files[name] for name, raw in written.items())
    assert all(part.error is None for part in BundleStore([there / "b", tmp_path / "b"]).check()) or not expected


def test_a_file_that_does_not_belong_there_is_kept(tmp_path: Path, whole: Whole) -> None:
    others = protected(tmp_path / "others", images=OTHERS)
    path = spoilt(whole, tmp_path / "b")
    (tmp_path / "b" / "b.002.tar").write_bytes(others.files["b.002.tar"])
    repaired = repair(BundleStore(path))
    assert [aside.name for aside in repaired.aside] == ["b.002.tar.replaced"]
    assert repaired.aside[0].read_bytes() == others.files["b.002.tar"]
    repaired.aside[0].unlink()
    assert contents(tmp_path / "b") == whole.files


def test_the_volumes_of_a_copy_with_another_name_stay_where_they_are(tmp_path: Path, whole: Whole) -> None:
    path = spoilt(whole, tmp_path / "b", lose("b.002.tar", "b.003.tar", "b.004.tar"))
    copied = {f"copy{name[1:]}": raw for name, raw in whole.files.items() if name in ("b.002.tar", "b.003.tar")}
    for name, raw in copied.items():
        (tmp_path / "b" / name).write_bytes(raw)
    repair(BundleStore(path))
    assert contents(tmp_path / "b") == {**whole.files, **copied}


def test_joined_volumes_are_mended_as_one_file(tmp_path: Path, whole: Whole) -> None:
    folder = tmp_path / "b"
    put_back(whole, folder)
    volumes = sorted(folder.glob("b.0*.tar"))
    stream = joined(volumes)
    for volume in volumes:
        volume.unlink()
    damaged = bytearray(stream[:-3000])
    damaged[5000:13_000] = bytes(8000)
    (folder / "b.tar").write_bytes(damaged)
    repaired = repair(BundleStore(folder / "b"))
    assert {file.path.name for file in repaired.files} == {"b.tar"}
    assert (folder / "b.tar").read_bytes() == stream


@pytest.mark.parametrize("step", [lose("b.tar"), cut("b.tar", 3000), overwrite("b.tar", 0, 50_000, zeros=True)])
def test_a_bundle_that_is_not_cut(tmp_path: Path, step: Step) -> None:
    made = protected(tmp_path / "b", 1, None)
    step(tmp_path / "b")
    repair(BundleStore(tmp_path / "b" / "b"))
    assert contents(tmp_path / "b") == made.files


def test_too_much_is_refused_and_nothing_is_changed(tmp_path: Path, whole: Whole) -> None:
    path = spoilt(whole, tmp_path / "b", lose("b.003.tar", "b.005.tar"), overwrite("b.007.tar", 100, 1))
    before = contents(tmp_path / "b")
    with pytest.raises(BeyondRepair, match="has lost more than"):
        repair(BundleStore(path))
    assert contents(tmp_path / "b") == before


def test_another_copy_elsewhere_helps(tmp_path: Path, whole: Whole) -> None:
    path = spoilt(whole, tmp_path / "b", lose("b.003.tar", "b.005.tar", "b.006.tar"))
    more = tmp_path / "more"
    more.mkdir()
    (more / "whatever.tar").write_bytes(whole.files["b.005.tar"])
    repair(BundleStore([path, more]))
    assert contents(tmp_path / "b") == whole.files


def test_recovery_data_that_lies_changes_nothing(tmp_path: Path, whole: Whole) -> None:
    """Sums and parity of a bundle that somebody altered, beside the genuine volumes, one of which is lost."""
    from attrs import evolve

    from transload.bundle.format.recoveryfile import protections_in
    from transload.bundle.writing.recovery import RecoveryWriter

    liars = tmp_path / "liars"
    spoilt(whole, liars, overwrite("b.003.tar", 1000, 1000))
    (protection,) = protections_in([liars / "b.r01.tar"])
    RecoveryWriter(liars / "b", evolve(protection.description, rows=whole.rows)).write()
    for step in ([], [lose("b.003.tar")]):
        path = spoilt(whole, tmp_path / "b", *step)
        for row in (1, 2):
            (tmp_path / "b" / f"b.r0{row}.tar").write_bytes((liars / f"b.r0{row}.tar").read_bytes())
        before = contents(tmp_path / "b")
        with pytest.raises(BeyondRepair):
            repair(BundleStore(path))
        assert contents(tmp_path / "b") == before


def test_without_recovery_volumes_there_is_nothing_to_repair_from(tmp_path: Path, whole: Whole) -> None:
    path = spoilt(whole, tmp_path / "b", lose("b.r01.tar", "b.r02.tar"))
    with pytest.raises(NotFound, match="has no recovery volumes"):
        repair(BundleStore(path))


def test_one_at_a_time(tmp_path: Path, whole: Whole) -> None:
    path = spoilt(whole, tmp_path / "b", lose("b.003.tar"))
    with Folder(tmp_path / "b").locked(".b.repair.lock"), pytest.raises(Busy):
        repair(BundleStore(path))


def test_a_disk_without_room(tmp_path: Path, whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    path = spoilt(whole, tmp_path / "b", lose("b.003.tar"))
    before = contents(tmp_path / "b")
    monkeypatch.setattr("transload.bundle.repairing.repair.free_bytes", lambda _: 9000)
    with pytest.raises(DiskFull, match="9216 bytes"):
        repair(BundleStore(path))
    assert contents(tmp_path / "b") == before


class Stop(Exception):
    """Ends a repair in the middle."""


@pytest.mark.parametrize("turn", range(0, 60, 7))
def test_stopped_anywhere_and_run_again(tmp_path: Path, whole: Whole, turn: int) -> None:
    path = spoilt(
        whole, tmp_path / "b", lose("b.003.tar"), overwrite("b.005.tar", 3000, 2000), rename("b.r01.tar", "b.r02.tar")
    )
    left = turn

    def read(_length: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Stop

    before = contents(tmp_path / "b")
    try:
        repair(BundleStore(path), read=read)
    except Stop:
        assert contents(tmp_path / "b") == before
    repair(BundleStore(path))
    assert contents(tmp_path / "b") == whole.files


# --- from a seed, thousands of times


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return protected(tmp_path_factory.mktemp("small"), images=SMALL, volume_bytes=2000, block_bytes=250)


@pytest.mark.parametrize("seed", range(8))
def test_every_repair_is_exact_or_refused(tmp_path: Path, small: Whole, seed: int) -> None:
    chance, outcomes = random.Random(seed), {True: 0, False: 0}
    for _ in range(50):
        put_back(small, tmp_path / "b")
        for _ in range(chance.choice([1, 1, 2, 3, 4])):
            spoil(tmp_path / "b", chance)
        outcomes[repaired_or_refused(tmp_path / "b", small)] += 1
    assert outcomes[True] > 10


def repaired_or_refused(folder: Path, whole: Whole) -> bool:
    before = contents(folder)
    try:
        repaired = repair(BundleStore(folder / "b"))
    except TransloadError:
        assert contents(folder) == before
        return False
    for path in repaired.aside:
        path.unlink()
    assert contents(folder) == whole.files
    return True


def test_the_seeds_span_volumes(small: Whole) -> None:
    assert small.volumes > 4
    assert IMAGES
