"""`transload check` of targets on this machine: folders, bundles to be packed, archives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import transload
from tests.unit.check.test_registries import NOTHING, at, verdicts
from transload.errors import DiskFull, LocalError, NotFound, UsageError
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.server import Served, serve
from transload.testing.images import fill, image


@pytest.fixture
def vendor() -> Iterator[Served]:
    store = MemoryStore()
    fill(store, image("set", (300_000,)), "acme/app", "1")
    with serve(store) as served:
        yield served


def listed(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_a_folder_that_will_be_made(tmp_path: Path) -> None:
    found = transload.check(f"oci:{tmp_path / 'new' / 'deep'}", environment=NOTHING)
    assert found.works
    assert at(found, "target").found.endswith("will be made")
    assert at(found, "space").facts["free_bytes"] > 0
    assert at(found, "writing").facts["bytes_per_s"] > 0
    assert listed(tmp_path) == set()


def test_a_folder_with_a_set(vendor: Served, tmp_path: Path) -> None:
    LayoutStore(tmp_path / "folder", create=True)
    before = listed(tmp_path)
    found = transload.check(f"oci:{tmp_path / 'folder'}", f"{vendor.host_port}/acme/app:1", environment=NOTHING)
    assert found.works
    assert at(found, "space").facts["needed_bytes"] == found.bytes
    assert found.bytes is not None
    assert found.bytes > 300_000
    assert found.estimate_s is not None
    assert listed(tmp_path) == before


def test_a_folder_that_will_be_made_for_a_set(vendor: Served, tmp_path: Path) -> None:
    found = transload.check(f"oci:{tmp_path / 'new'}", f"{vendor.host_port}/acme/app:1", environment=NOTHING)
    assert at(found, "target").found.endswith("will be made")
    assert at(found, "space").facts["needed_bytes"] > 300_000
    assert listed(tmp_path) == set()


def test_a_disk_that_is_too_small(vendor: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transload.app.check.local.free_bytes", lambda folder: 1000)
    for target in (f"oci:{tmp_path / 'folder'}", f"bundle:{tmp_path / 'month'}"):
        found = transload.check(target, f"{vendor.host_port}/acme/app:1", environment=NOTHING)
        point = at(found, "space")
        assert (point.verdict, point.code, found.exit_code) == ("problem", DiskFull.code, 8)
        assert "1000 B free" in point.found
    assert listed(tmp_path) == set()


def test_a_folder_that_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    for name in ("file", "other"):
        found = transload.check(f"oci:{tmp_path / name}", environment=NOTHING)
        assert at(found, "target").verdict == "problem"
        assert not found.works


def test_a_folder_below_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    found = transload.check(f"oci:{file / 'layout'}", environment=NOTHING)
    assert (at(found, "target").verdict, at(found, "target").found) == ("problem", f"{file} is not a folder")


def test_a_bundle_to_be_packed(vendor: Served, tmp_path: Path) -> None:
    found = transload.check(f"bundle:{tmp_path / 'month'}", f"{vendor.host_port}/acme/app:1", environment=NOTHING)
    assert found.works
    assert found.images == 1
    assert set(verdicts(found)) >= {"target", "space", "writing", "images", "download speed"}
    assert listed(tmp_path) == set()


def test_a_bundle_that_is_there_is_taken_for_the_same_set(vendor: Served, tmp_path: Path) -> None:
    transload.pack(f"{vendor.host_port}/acme/app:1", tmp_path / "month", environment=NOTHING)
    found = transload.check(f"bundle:{tmp_path / 'month'}", environment=NOTHING)
    assert (at(found, "target").verdict, found.works) == ("warning", True)
    assert at(found, "target").found == f"{tmp_path / 'month.tar'} is there already"
    transload.pack(f"{vendor.host_port}/acme/app:1", tmp_path / "month", environment=NOTHING)  # as it said


def test_files_of_other_bundles_do_not_matter(tmp_path: Path) -> None:
    for name in ("month.old.tar", "m[o]nth.tar", "month.txt"):
        (tmp_path / name).write_bytes(b"")
    assert at(transload.check(f"bundle:{tmp_path / 'month'}", environment=NOTHING), "target").verdict == "ok"
    odd = transload.check(f"bundle:{tmp_path / 'm[o]nth'}", environment=NOTHING)
    assert at(odd, "target").verdict == "warning"


def test_a_bundle_that_has_no_folder(tmp_path: Path) -> None:
    nowhere = transload.check(f"bundle:{tmp_path / 'usb' / 'month'}", environment=NOTHING)
    assert (at(nowhere, "target").code, nowhere.exit_code) == (LocalError.code, 8)


def test_an_archive_is_no_target(tmp_path: Path) -> None:
    found = transload.check(f"archive:{tmp_path / 'a.tar'}", environment=NOTHING)
    assert (at(found, "target").code, found.exit_code) == (UsageError.code, 2)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    found = transload.check(f"oci:{tmp_path / 'closed'}", environment=NOTHING)
    assert (at(found, "writing").verdict, found.exit_code) == ("problem", 8)


def test_a_set_that_nobody_has(tmp_path: Path, vendor: Served) -> None:
    found = transload.check(f"oci:{tmp_path}/x", f"{vendor.host_port}/acme/nobody:1", environment=NOTHING)
    assert found.exit_code == NotFound.exit_code
    assert at(found, "target").verdict == "ok"
