"""What a path on a disk is, told by looking at it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.unit.archive.writer import Saved, saved_files, write_tar
from tests.unit.bundle.packing import pack
from transload.app.detect import carried_place, is_carried
from transload.app.location import Location
from transload.app.stores import Carried
from transload.errors import LocalError
from transload.layout import LayoutStore
from transload.oci import Name
from transload.testing.images import image

ONE = {Name("app/one", "v1"): image("one", (2_500_000,))}


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one of everything, which is the current one."""
    pack(tmp_path / "whole-2026.11", ONE)
    pack(tmp_path / "cut", ONE, 1 << 20)
    pack(tmp_path / "alone" / "bundle", ONE)
    LayoutStore(tmp_path / "layout", create=True)
    write_tar(tmp_path / "saved.tar", saved_files((Saved("saved").flat(), ["app/saved:v1"])))
    (tmp_path / "notes").write_text("neither of these\n")
    (tmp_path / "notes.007.tar").write_text("called like a volume\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("whole-2026.11", Location("bundle", "whole-2026.11")),
        ("whole-2026.11.tar", Location("bundle", "whole-2026.11.tar")),
        ("cut", Location("bundle", "cut")),
        ("cut.tar", Location("bundle", "cut.tar")),
        ("cut.002.tar", Location("bundle", "cut.002.tar")),
        ("alone", Location("bundle", "alone")),
        ("alone/bundle", Location("bundle", "alone/bundle")),
        ("layout", Location("oci", "layout")),
        ("saved.tar", Location("archive", "saved.tar")),
        ("saved", Location("bundle", "saved")),  # which it is not, as will be said when it is opened
        ("notes", Location("archive", "notes")),
        ("bundle:anywhere", Location("bundle", "anywhere")),
        ("oci:anywhere", Location("oci", "anywhere")),
        (r"bundle:E:\media\cut", Location("bundle", r"E:\media\cut")),
        (r"archive:E:\media\saved.tar", Location("archive", r"E:\media\saved.tar")),
    ],
)
def test_what_a_path_is(disk: Path, text: str, place: Location) -> None:
    assert is_carried(text)
    assert carried_place(text) == place


@pytest.mark.parametrize("text", ["absent", "absent.tar", "absent/cut", "cu", "arcdata"])
def test_what_is_not_there(disk: Path, text: str) -> None:
    assert not is_carried(text)
    with pytest.raises(LocalError, match="there is no bundle, folder or archive"):
        carried_place(text)


@pytest.mark.parametrize("folders", [["elsewhere"], ["absent", "elsewhere"]])
def test_volumes_that_lie_elsewhere(disk: Path, folders: Iterable[str]) -> None:
    (disk / "elsewhere").mkdir()
    (disk / "cut.001.tar").rename(disk / "elsewhere" / "moved.001.tar")
    assert not is_carried("moved")
    assert carried_place("moved", Carried(tuple(map(Path, folders)))) == Location("bundle", "moved")


def test_only_later_volumes_are_a_bundle_too(disk: Path) -> None:
    (disk / "cut.001.tar").unlink()
    assert carried_place("cut") == Location("bundle", "cut")


@pytest.mark.parametrize("text", [r"bundle:E:\media\cut", "oci:folder", "archive:a/b.tar"])
def test_a_place_is_read_back_as_it_is_written(text: str) -> None:
    assert str(Location.parse(text)) == text
