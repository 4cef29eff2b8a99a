"""What is written at the end of a command is tried at its start: nobody waits for what cannot be kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from transload.cli.main import main

COMMANDS = {
    "mirror": ["mirror", "arcdata", "--to", "127.0.0.1:1/x", "--report", "{file}"],
    "pack": ["pack", "arcdata", "-o", "bundle", "--report", "{file}"],
    "plan": ["plan", "arcdata", "--to", "127.0.0.1:1/x", "-o", "{file}"],
    "inventory": ["inventory", "127.0.0.1:1/x", "-o", "{file}"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("place", ["/proc", "{here}/absent", "{here}/file"])
def test_a_file_that_could_not_be_written_is_told_before_anybody_is_asked(
    command: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == "/proc" and not Path("/proc/self").exists():
        pytest.skip("this system has no /proc")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "file").touch()
    file = f"{place.format(here=tmp_path)}/result.json"
    assert main([word.format(file=file) for word in COMMANDS[command]]) == 8
    told = capsys.readouterr().err
    assert f"writing {file}" in told or "there is no folder" in told
    assert "127.0.0.1" not in told
