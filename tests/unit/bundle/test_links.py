"""Links that somebody planted where a bundle is made: nothing outside the folder is written, copied or deleted."""

import os
from pathlib import Path

import pytest

from tests.unit.bundle.packing import contents_of, pack
from transload.bundle import BundleStore, BundleWriter, lay_out
from transload.bundle.reading.extras import extract_extras
from transload.bundle.writing.partial import discard
from transload.errors import LocalError, Refused
from transload.oci import Name
from transload.testing.images import image

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs links of POSIX")

ONE = {Name("acme/app", "1"): image("one", layers=(30_000, 1000))}


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "victim"
    path.write_bytes(b"V" * 50)
    return path


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk"


@pytest.mark.parametrize("name", ["b.partial.journal", "b.001.tar.partial", "b.002.tar.partial"])
@pytest.mark.parametrize("hard", [False, True])
def test_an_unfinished_file_that_leads_elsewhere(disk: Path, victim: Path, name: str, hard: bool) -> None:
    if hard:
        (disk / name).hardlink_to(victim)
    else:
        (disk / name).symlink_to(victim)
    with pytest.raises(Refused, match="second name" if hard else "is a link"):
        pack(disk / "b", ONE, 20_000)
    assert victim.read_bytes() == b"V" * 50


def test_a_volume_that_becomes_a_link_in_the_middle(disk: Path, victim: Path) -> None:
    writer = BundleWriter(disk / "b", lay_out(contents_of(ONE), None))
    writer.start()
    (disk / "b.tar.partial").unlink()
    (disk / "b.tar.partial").symlink_to(victim)
    (content, *_) = next(iter(ONE.values())).walk_contents()
    with pytest.raises(Refused, match="is a link"), writer.begin("", content.descriptor):
        pass
    writer.park()
    assert victim.read_bytes() == b"V" * 50


def test_the_sums_are_no_copy_of_somebody_elses_file(disk: Path, victim: Path) -> None:
    victim.write_text("a secret")
    (disk / "SHA256SUMS").symlink_to(victim)
    pack(disk / "b", ONE)
    assert victim.read_text() == "a secret"
    assert "secret" not in (disk / "SHA256SUMS").read_text()
    assert not (disk / "SHA256SUMS").is_symlink()


def test_a_pipe_where_a_file_should_be(disk: Path) -> None:
    os.mkfifo(disk / "SHA256SUMS")
    with pytest.raises(LocalError, match="is a pipe"):
        pack(disk / "b", ONE)
    os.mkfifo(disk / "c.tar.partial")
    with pytest.raises(LocalError, match="is a pipe"):
        pack(disk / "c", ONE)


def test_what_is_forgotten_is_the_link(disk: Path, victim: Path) -> None:
    writer = BundleWriter(disk / "b", lay_out(contents_of(ONE), None))
    writer.start()
    writer.park()
    (disk / "b.tar.partial").unlink()
    (disk / "b.tar.partial").symlink_to(victim)
    discard(disk / "b")
    assert (list(disk.iterdir()), victim.read_bytes()) == ([], b"V" * 50)


def test_an_extracted_file_replaces_a_link(disk: Path, victim: Path, tmp_path: Path) -> None:
    from transload.bundle import ExtraFile

    (tmp_path / "licence.txt").write_text("the licence")
    pack(disk / "b", ONE, extras=(ExtraFile.of(tmp_path / "licence.txt"),))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "licence.txt").symlink_to(victim)
    extract_extras(BundleStore(disk / "b"), tmp_path / "out", overwrite=True)
    assert ((tmp_path / "out" / "licence.txt").read_text(), victim.read_bytes()) == ("the licence", b"V" * 50)


def test_the_folder_itself_may_be_a_link(disk: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(disk)
    pack(tmp_path / "link" / "b", ONE, 20_000)
    BundleStore(disk / "b").resolve(next(iter(ONE)))
