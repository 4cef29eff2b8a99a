"""Further files come out as they went in, and never over anything."""

from pathlib import Path

import pytest

from tests.unit.bundle.packing import pack
from transload.bundle import BundleStore, ExtraFile
from transload.bundle.reading.extras import extract_extras
from transload.errors import CorruptError, FileExists, NotFound
from transload.oci import Name
from transload.testing.images import image

ONE = {Name("a", "1"): image("extras")}
FILES = {
    "licence.txt": b"may be used",
    "chart-1.0.tgz": b"chart " * 50_000,
    "Handbuch – ü.pdf": b"",
    "x" * 150: b"long",
}


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    pack(tmp_path / "b", ONE, 1000, extras=tuple(ExtraFile.of(tmp_path / name) for name in FILES))
    return BundleStore(tmp_path / "b")


def test_all_or_some_are_extracted(store: BundleStore, tmp_path: Path) -> None:
    paths = extract_extras(store, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in paths} == FILES
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES.keys()
    assert extract_extras(store, tmp_path / "some", ["licence.txt"]) == (tmp_path / "some" / "licence.txt",)
    assert [path.name for path in (tmp_path / "some").iterdir()] == ["licence.txt"]


def test_nothing_is_overwritten_unless_asked(store: BundleStore, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "licence.txt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExists):
        extract_extras(store, out)
    assert [path.name for path in out.iterdir()] == ["licence.txt"]
    extract_extras(store, out, overwrite=True)
    assert (out / "licence.txt").read_bytes() == FILES["licence.txt"]
    assert not (tmp_path / "elsewhere").exists()


def test_an_unknown_name_writes_nothing(store: BundleStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        extract_extras(store, tmp_path / "out", ["licence.txt", "../licence.txt"])
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_does_not_come_out(store: BundleStore, tmp_path: Path) -> None:
    member = next(each for each in store.ledger.extras if each.name == "chart-1.0.tgz")
    volume = tmp_path / f"b.{(member.offset + 5000) // 1000 + 1:03}.tar"
    raw = bytearray(volume.read_bytes())
    raw[(member.offset + 5000) % 1000] ^= 1
    volume.write_bytes(raw)
    with pytest.raises(CorruptError):
        extract_extras(BundleStore(tmp_path / "b"), tmp_path / "out", ["chart-1.0.tgz"])
    assert list((tmp_path / "out").iterdir()) == []
