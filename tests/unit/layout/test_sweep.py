"""What killed writers left among the unfinished blobs goes when the next one begins, and nothing that is in use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from transload.clock import SYSTEM_CLOCK
from transload.files import Folder
from transload.layout.ingest import LOCK, OWN, grouped, sweep
from transload.locks import claimed

DAYS_S = 3 * 86_400


def left(path: Path, age_s: float = DAYS_S) -> Path:
    path.write_bytes(b"")
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_old_files_and_locks_go(tmp_path: Path) -> None:
    gone = [left(tmp_path / f"sha256-a{LOCK}"), left(tmp_path / f"sha256-a.01{OWN}")]
    kept = [
        left(tmp_path / "sha256-a"),
        left(tmp_path / f"sha256-b{LOCK}", 60),
        left(tmp_path / f"sha256-b.01{OWN}", 60),
    ]
    sweep(Folder(tmp_path), SYSTEM_CLOCK)
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)


def test_a_lock_that_is_held_stays(tmp_path: Path) -> None:
    path = left(tmp_path / f"sha256-a{LOCK}")
    with claimed(Folder(tmp_path), path.name):
        os.utime(path, (time.time() - DAYS_S,) * 2)
        sweep(Folder(tmp_path), SYSTEM_CLOCK)
        assert path.exists()


def test_a_link_in_the_place_of_a_lock_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"kept")
    link = tmp_path / f"sha256-a{LOCK}"
    link.symlink_to(tmp_path / "elsewhere")
    os.utime(link, (time.time() - DAYS_S,) * 2, follow_symlinks=False)
    sweep(Folder(tmp_path), SYSTEM_CLOCK)
    assert link.is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == b"kept"


def test_what_a_killed_process_leaves_of_a_group_goes_at_once(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from transload.files import Folder; from transload.layout.ingest import grouped\n"
        "with grouped(Folder(Path(sys.argv[1]))) as new_name:\n"
        "    for _ in range(3): (Path(sys.argv[1]) / new_name()).write_bytes(b'x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert len(list(tmp_path.iterdir())) == 4  # the lock too
    sweep(Folder(tmp_path), SYSTEM_CLOCK)
    assert not list(tmp_path.iterdir())


def test_what_a_group_writes_stays_while_it_is_written(tmp_path: Path) -> None:
    with grouped(Folder(tmp_path)) as new_name:
        path = tmp_path / new_name()
        path.write_bytes(b"x")
        sweep(Folder(tmp_path), SYSTEM_CLOCK)
        assert path.exists()
    assert list(tmp_path.iterdir()) == [path]
