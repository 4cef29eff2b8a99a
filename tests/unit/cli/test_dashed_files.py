"""Files whose names begin with a dash: the commands that are told can be run as they are."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from transload.cli.main import main
from transload.memory import MemoryStore
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image


def told(said: str, word: str) -> list[str]:
    """The words, after `transload`, of the last command with `word` that was told."""
    line = [line for line in said.splitlines() if f"transload {word} " in line][-1]
    return shlex.split(line.partition("transload ")[2])


def test_the_commands_that_are_told_can_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    published, held = MemoryStore(), MemoryStore()
    fill(published, image("app", layers=(70_000, 70_001)), "acme/app", "1")
    with serve(published) as source, serve(held, settings=ServeSettings(writable=True)) as target:

        def ran(*words: str) -> tuple[int, str]:
            capsys.readouterr()
            return main(list(words)), "".join(capsys.readouterr())

        code, said = ran("plan", "--from", source.host_port, "--to", target.host_port, "-o", "-p.json")
        code, said = ran(*told(said, "apply"), "--max-bytes", "75000", "--report", "-r.json")
        assert code == 10, said
        code, said = ran(*told(said, "apply"))
        assert code == 0, said
        assert ran("pack", "--from", source.host_port, "--out", "-bundle")[0] == 0
        code, said = ran("push", "--max-bytes", "100000", "--to", f"{target.host_port}/pushed", "--", "-bundle")
        assert code == 10, said
        code, said = ran(*told(said, "push"))
        assert code == 0, said
