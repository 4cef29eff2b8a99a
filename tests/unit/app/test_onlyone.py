"""Whoever comes second is told who holds the lock, whatever the lock file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from transload.app.onlyone import only_one
from transload.errors import AlreadyRunning


@pytest.mark.parametrize("noted", ["", "no JSON", "[]", '{"pid": 1, "since": 1e300}', '{"pid": 1, "since": -1e30}'])
def test_a_note_that_cannot_be_read_is_left_out(tmp_path: Path, noted: str) -> None:
    with only_one(tmp_path, ["mirror"]):
        (lock,) = (tmp_path / "running").iterdir()
        lock.write_text(noted)
        with pytest.raises(AlreadyRunning, match="running already$"), only_one(tmp_path, ["mirror"]):
            pass
