"""Killed before each single call that changes a file, run again: complete, with its sums, and nothing left over."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

KILLING = Path(__file__).with_name("killing.py")


# Up to its 90th call, `protect` does what `pack` does.
@pytest.mark.parametrize(
    ("work", "first"),
    [
        ("pack", 1),
        ("protect", 90),
        ("record", 1),
        ("repair", 1),
        ("media", 1),
        ("mirror", 1),
        ("small", 1),
    ],
)
def test_the_next_run_is_complete(tmp_path: Path, work: str, first: int) -> None:
    command = [sys.executable, str(KILLING), work, str(tmp_path), str(first)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["wrong"] == {}
    assert told["calls"] > first + 50  # else it was not killed where it writes
