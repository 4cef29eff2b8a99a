"""Killed before each single call that changes a file, run again: complete, with its sums, and nothing left over."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

KILLING = Path(__file__).parents[1] / "killing.py"


@pytest.mark.parametrize("work", ["pack", "mirror"])
def test_the_next_run_is_complete(tmp_path: Path, work: str) -> None:
    done = subprocess.run([sys.executable, str(KILLING), work, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["wrong"] == {}
    assert told["calls"] > 50  # else it was not killed where it writes
