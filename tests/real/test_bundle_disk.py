"""A disk that gets full: the run stops with the numbers, and the same command goes on once there is room."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.bundle.packer import MADE
from tests.unit.bundle.packing import contents_of, joined, pack
from transload.bundle import lay_out

PACKER = Path(__file__).parents[1] / "unit" / "bundle" / "packer.py"
VOLUME = 700_001

# In a mount namespace of its own, so that it takes no rights and leaves nothing behind.
SCRIPT = """
set -e
mount -t tmpfs -o size={size} tmpfs {disk}
"{python}" "{packer}" {disk}/b {volume} {other} > {out}/first && echo 0 > {out}/first.rc || echo $? > {out}/first.rc
ls {disk} > {out}/left
mount -o remount,size=100m {disk}
rm -f {disk}/other
"{python}" "{packer}" {disk}/b {volume} > {out}/second
cp {disk}/* {out}/
"""


def isolated(script: str) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    tried = subprocess.run([*alone, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True)
    if tried.returncode:
        pytest.skip("no mount namespaces here")
    done = subprocess.run([*alone, "sh", "-c", script], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr


def made_on_a_full_disk(tmp_path: Path, size: int, other: str = "") -> tuple[str, list[str], list[str]]:
    """What the first run said last, what it left, and what the second one said."""
    disk, out = tmp_path / "disk", tmp_path / "out"
    disk.mkdir()
    out.mkdir()
    isolated(
        SCRIPT.format(
            size=size,
            disk=disk,
            out=out,
            python=sys.executable,
            packer=PACKER,
            volume=VOLUME,
            other=other.format(disk=disk),
        )
    )
    assert (out / "first.rc").read_text() == "8\n"
    *volumes, _ = pack(tmp_path / "reference" / "b", MADE, VOLUME)[1]
    assert joined(sorted(out.glob("b.*.tar"))) == joined(volumes)
    assert (out / "SHA256SUMS").read_bytes() == (tmp_path / "reference" / "SHA256SUMS").read_bytes()
    return (
        (out / "first").read_text().splitlines()[-1],
        (out / "left").read_text().split(),
        (out / "second").read_text().splitlines(),
    )


def test_too_small_a_disk_is_refused_before_the_first_byte(tmp_path: Path) -> None:
    said, left, _ = made_on_a_full_disk(tmp_path, 3 << 20)
    size = lay_out(contents_of(MADE), VOLUME).cut.size
    assert said.startswith("error disk-full")
    assert f"({size} bytes)" in said
    assert left == ["b.partial.journal"]


def test_a_disk_that_fills_up_meanwhile_costs_nothing_that_was_done(tmp_path: Path) -> None:
    """Somebody else takes most of the room as soon as the packing has begun."""
    size = lay_out(contents_of(MADE), VOLUME).cut.size
    said, left, second = made_on_a_full_disk(tmp_path, size + (1 << 20), f"{{disk}}/other {size - (2 << 20)}")
    assert said.startswith("error disk-full")
    assert "no space left" in said
    assert "are free" in said
    assert "b.001.tar.partial" in left
    assert second[-1] == "finished"
    assert any(line.startswith("at ") and not line.endswith(" 0") for line in second)
