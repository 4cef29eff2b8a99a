"""Recovery volumes as they are documented: the example, a foreign program, the same bytes each time, copies."""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from attrs import evolve

from tests.unit.bundle.packing import named, pack
from transload.bundle.format.galois import add, factor
from transload.bundle.format.recovery import (
    BLOCK_BYTES,
    Description,
    Protection,
    block_bytes_for,
    planned,
    recovery_name,
    split_recovery_name,
)
from transload.bundle.format.recoveryfile import descriptions_in, protections_in
from transload.bundle.format.volumes import Cut
from transload.bundle.writing.recovery import RecoveryWriter
from transload.errors import Busy, DiskFull, MemberDamaged, Truncated, UsageError
from transload.files import Folder
from transload.oci import Digest
from transload.testing.releases import release

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "formats" / "recovery.md"
FOREIGN = Path(__file__).with_name("foreign_mender.py")
MADE = named(release("recovery", images=2, size=40_000))
VOLUME, BLOCK = 9000, 512


def protect(folder: Path, rows: int = 2, block_bytes: int = BLOCK, volume_bytes: int | None = VOLUME) -> RecoveryWriter:
    blueprint, _ = pack(folder / "b", MADE, volume_bytes)
    writer = RecoveryWriter(folder / "b", planned(blueprint.cut, blueprint.digest, rows, block_bytes))
    writer.check_space()
    writer.write()
    return writer


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- the document


def test_the_documented_example_is_computed_so() -> None:
    rows = dict(re.findall(r"^\| (.*\d) \| `?([0-9a-f, ]+)`? ", DOCUMENTATION.read_text(), re.MULTILINE))
    blocks = [bytes.fromhex(rows[f"volume {volume}"]) for volume in (1, 2, 3)]
    for row in (1, 2):
        factors = [factor(row, volume) for volume in (1, 2, 3)]
        sums = [0]
        for number, block in zip(factors, blocks, strict=True):
            add(sums, [number], block)
        assert rows[f"factors of recovery volume {row}"].strip() == ", ".join(map(str, factors))
        assert sums[0].to_bytes(6, "little").hex() == rows[f"recovery volume {row}"].strip()


def test_the_documented_description_is_what_is_written() -> None:
    (shown,) = re.findall(r"```json\n(.*?)\n```", DOCUMENTATION.read_text(), re.DOTALL)
    raw = f"{shown}\n".encode()
    assert Description.decode(raw).raw == raw
    assert {key for key in re.findall(r'"(\w+)": ', shown) if f"| `{key}` |" not in DOCUMENTATION.read_text()} == set()


@pytest.mark.parametrize("lost", [(1, 2), (6, 5), (2,)])
def test_a_foreign_program_makes_lost_volumes_again(tmp_path: Path, lost: tuple[int, ...]) -> None:
    protect(tmp_path)
    before = files_in(tmp_path)
    for volume in lost:
        (tmp_path / f"b.{volume:03}.tar").unlink()
    subprocess.run([sys.executable, FOREIGN, tmp_path, "b"], check=True)
    assert files_in(tmp_path) == before


# --- the files


def test_a_recovery_volume_is_a_tar_archive_with_all_twice(tmp_path: Path) -> None:
    writer = protect(tmp_path)
    for row, path in enumerate(writer.files, 1):
        with tarfile.open(path) as archive:
            names = archive.getnames()
        (description,) = {description.id: description for description in descriptions_in(path)}.values()
        beginning = f"transload/recovery/{description.id}"
        ends = [".json", ".sums", f".r{row:02}", ".sums", ".json"]
        assert names == [beginning + end for end in ends]
        assert path.stat().st_size == description.file_bytes


def test_the_same_bundle_gives_the_same_recovery_volumes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        protect(tmp_path / name)
    (tmp_path / "two" / "b.r01.tar").unlink()
    (tmp_path / "two" / "b.r01.tar.partial").write_bytes(b"from a run that was killed" * 1000)
    protect_again(tmp_path / "two")
    assert files_in(tmp_path / "one") == files_in(tmp_path / "two")


def protect_again(folder: Path) -> None:
    (description,) = {item.id: item for path in folder.glob("b.r*.tar") for item in descriptions_in(path)}.values()
    RecoveryWriter(folder / "b", evolve(description, sums=Digest.of(b""))).write()


def test_more_recovery_volumes_change_no_parity(tmp_path: Path) -> None:
    contents = []
    for rows in (1, 3):
        (tmp_path / str(rows)).mkdir()
        path = protect(tmp_path / str(rows), rows).files[0]
        with tarfile.open(path) as archive:
            parity = archive.extractfile(archive.getmembers()[2])
            assert parity
            contents.append(parity.read())
    assert contents[0] == contents[1]


def test_many_rows_are_made_in_several_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    protect(tmp_path / "one", 7)
    monkeypatch.setattr("transload.bundle.writing.recovery._MEMORY_BYTES", 3 * BLOCK)
    protect(tmp_path / "two", 7)
    assert files_in(tmp_path / "one") == files_in(tmp_path / "two")


def test_the_sums_are_listed_beside_those_of_the_volumes(tmp_path: Path) -> None:
    protect(tmp_path)
    for line in (tmp_path / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    assert "b.r02.tar" in (tmp_path / "SHA256SUMS").read_text()


def test_a_bundle_that_is_not_cut_has_a_copy(tmp_path: Path) -> None:
    writer = protect(tmp_path, 1, volume_bytes=None)
    with tarfile.open(writer.files[0]) as archive:
        parity = archive.extractfile(archive.getmembers()[2])
        assert parity
        assert parity.read() == (tmp_path / "b.tar").read_bytes()


def test_what_is_there_already_is_known(tmp_path: Path) -> None:
    writer = protect(tmp_path)
    assert writer.files_there()
    writer.files[1].rename(tmp_path / "elsewhere")
    assert not writer.files_there()


def test_recovery_volumes_of_another_bundle_are_not_taken_for_ours(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    writer = protect(tmp_path / "one")
    blueprint, _ = pack(tmp_path / "two" / "b", named(release("another", images=2, size=40_000)), VOLUME)
    RecoveryWriter(tmp_path / "two" / "b", planned(blueprint.cut, blueprint.digest, 2, BLOCK)).write()
    for path in writer.files:
        shutil.copy(tmp_path / "two" / path.name, path)
    assert not writer.files_there()


def test_a_second_process_is_told_that_it_is_busy(tmp_path: Path) -> None:
    writer = protect(tmp_path)
    with Folder(tmp_path).locked("b.r01.tar.partial"), pytest.raises(Busy):
        writer.write()


def test_a_volume_that_got_shorter_meanwhile(tmp_path: Path) -> None:
    writer = protect(tmp_path)
    with (tmp_path / "b.002.tar").open("r+b") as file:
        file.truncate(5000)
    with pytest.raises(Truncated, match=r"b\.002\.tar"):
        writer.write()


def test_a_disk_without_room_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = protect(tmp_path)
    monkeypatch.setattr("transload.bundle.writing.recovery.free_bytes", lambda _: 1000)
    with pytest.raises(DiskFull, match="1000 bytes"):
        writer.check_space()


# --- the copies


def test_one_place_may_be_damaged_anywhere(tmp_path: Path) -> None:
    path = protect(tmp_path, 1).files[0]
    raw = path.read_bytes()
    (whole,) = protections_in([path])
    for start in range(0, len(raw), 700):
        damaged = bytearray(raw)
        damaged[start : start + 1000] = b"\xff" * len(damaged[start : start + 1000])
        path.write_bytes(damaged)
        assert protections_in([path]) == [whole]
    for length in (whole.description.parity_offset, len(raw) - 1):
        path.write_bytes(raw[:length])
        assert protections_in([path]) == [whole]
    path.write_bytes(raw + bytes(100_000))
    assert protections_in([path]) == [whole]


def test_what_two_recovery_volumes_kept_is_put_together(tmp_path: Path) -> None:
    one, two = protect(tmp_path).files
    (whole,) = protections_in([one])
    description = whole.description
    for path, copies in ((one, description.copies_of_sums), (two, (0, description.file_bytes - 2000))):
        raw = bytearray(path.read_bytes())
        for offset in copies:
            raw[offset : offset + 900] = bytes(900)
        path.write_bytes(raw)
    assert protections_in([two]) == []
    assert protections_in([one]) == []
    assert protections_in([two, one]) == [whole]


@pytest.mark.parametrize(
    "wrong",
    [
        (b'"format": 1', b'"format": 2'),
        (b'"recovery_volumes": 2', b'"recovery_volumes": 0'),
        (b'"recovery_volumes": 2', b'"recovery_volumes": 254'),
        (b'"volume_size": 9000', b'"volume_size": 1'),
        (b'"volume_size": 9000', b'"volume_size": true'),
        (b'"block_size": 512', b'"block_size": 0'),
        (b'"block_size": 512', b'"block_size": 99999999'),
        (b'"volumes"', b'"Volumes"'),
        (b"sha256:", b"sha1:"),
        (b"{", b"["),
    ],
)
def test_a_description_is_exactly_so_or_refused(tmp_path: Path, wrong: tuple[bytes, bytes]) -> None:
    (protection,) = protections_in(protect(tmp_path).files)
    raw = protection.description.raw
    assert wrong[0] in raw
    with pytest.raises(MemberDamaged):
        Description.decode(raw.replace(*wrong))


def test_a_table_of_sums_beyond_the_limit_is_refused() -> None:
    description = planned(Cut(1 << 40, 1 << 35), Digest.of(b""), 1)
    with pytest.raises(MemberDamaged, match="sums"):
        Description.decode(evolve(description, block_bytes=512).raw)


# --- numbers


def test_blocks_grow_with_the_bundle() -> None:
    tib = 1 << 40
    assert block_bytes_for(Cut(tib // 4, tib // 40), 2) == BLOCK_BYTES
    assert block_bytes_for(Cut(tib, tib // 10), 2) == 4 * BLOCK_BYTES
    with pytest.raises(UsageError, match="up to 2 TiB"):
        block_bytes_for(Cut(2 * tib, tib // 10), 2)


@pytest.mark.parametrize(("volumes", "rows"), [(254, 2), (1, 255), (3, 0), (3, -1), (9999, 1)])
def test_too_many_volumes_are_refused(volumes: int, rows: int) -> None:
    with pytest.raises(UsageError, match="at most 255 together"):
        planned(Cut(volumes * 5, 5), Digest.of(b""), rows)


def test_the_largest_volumes_are_laid_out_with_extended_headers() -> None:
    description = planned(Cut(30 << 30, 10 << 30), Digest.of(b""), 2)
    protection = Protection(description, bytes(description.sums_bytes))
    assert sum(map(len, description.leading(protection.sums, 2))) == description.parity_offset
    *_, (offset, piece) = protection.stretches(5)
    assert offset + len(piece) == description.file_bytes


def test_names() -> None:
    assert recovery_name("a.b", 120) == "a.b.r120.tar"
    assert split_recovery_name("A.R01.TAR") == ("A", 1)
    assert split_recovery_name("a.r1.tar") is None
