"""Sticks as they are bought: exFAT and NTFS, with all that is written to them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.media import mounted
from transload import LayoutStore, MemoryStore
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image, multi_platform


@pytest.fixture(scope="module", params=["exfat", "ntfs"])
def medium(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("media")
    source = LayoutStore(folder / "source", create=True)
    fill(source, image("one", layers=(3_000_000, 20)), "a/one", "1")
    fill(source, multi_platform("many"), "a/many", "1")
    with mounted(request.param, folder) as place:
        yield place


def run(medium: Path, *words: str) -> tuple[int, str]:
    """A command in the folder with the source, its state on the medium; what it ends with, and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "transload", *words],
        cwd=medium.parent,
        env={"PATH": "/usr/bin:/bin", "TRANSLOAD_STATE_DIR": str(medium / "state")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def good(medium: Path, *words: str) -> str:
    code, told = run(medium, *words)
    assert code == 0, told
    return told


def test_a_bundle_in_volumes(medium: Path) -> None:
    packing = ("pack", "--from", "oci:source", "-o", f"{medium.name}/b", "--volume-size", "1MiB")
    good(medium, *packing, "--report", f"{medium.name}/report.md")
    assert "nothing to do" in good(medium, *packing)
    good(medium, "verify", f"{medium.name}/b")
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=medium, check=True)
    good(medium, "push", f"{medium.name}/b", "--to", f"oci:{medium.name}/pushed")
    assert not [path.name for path in medium.iterdir() if ".partial" in path.name or path.name.startswith(".SHA")]


def test_a_folder_an_inventory_and_a_plan(medium: Path) -> None:
    mirroring = ("--from", "oci:source", "--to", f"oci:{medium.name}/folder")
    good(medium, "plan", *mirroring, "-o", f"{medium.name}/plan.json")
    good(medium, "apply", f"{medium.name}/plan.json")
    assert "nothing to do" in good(medium, "mirror", *mirroring)
    good(medium, "verify", f"oci:{medium.name}/folder", "--deep")
    good(medium, "inventory", f"oci:{medium.name}/folder", "-o", f"{medium.name}/inventory.json")


def test_what_is_remembered_lies_on_it(medium: Path) -> None:
    with serve(MemoryStore(), ServeSettings(writable=True)) as served:
        good(medium, "mirror", "--from", "oci:source", "--to", served.host_port)
        assert "unchanged" in good(medium, "mirror", "--from", "oci:source", "--to", served.host_port)
    assert (medium / "state" / "known-registries.sqlite3").stat().st_size > 0


def test_a_name_that_it_does_not_take(medium: Path) -> None:
    code, told = run(medium, "pack", "--from", "oci:source", "-o", f"{medium.name}/a:b")
    if code == 0:
        pytest.skip("this driver takes every name")
    assert (code, "does not take the name a:b" in told) == (8, True)


def test_capitals_do_not_make_another_name(medium: Path) -> None:
    folder = medium / "capitals"
    folder.mkdir()
    good(medium, "pack", "--from", "oci:source", "--image", "a/one", "-o", f"{medium.name}/capitals/name")
    (folder / "name.tar").rename(folder / "NAME.TAR")
    if not (folder / "name.tar").exists():
        pytest.skip("this driver tells capitals from small letters")
    before = (folder / "NAME.TAR").read_bytes()
    code, told = run(medium, "pack", "--from", "oci:source", "--image", "a/many", "-o", f"{medium.name}/capitals/name")
    assert (code, "exists already" in told) == (7, True), told
    assert (folder / "NAME.TAR").read_bytes() == before
