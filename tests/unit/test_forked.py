"""A fork of the program does what the program does when it is started."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import forked
from transload.layout import LayoutStore

WORDS = (["--version"], ["mirror", "--from", "oci:nowhere", "--to", "oci:there"], ["mirrer"], ["verify"], ["--help"])


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_it_says_and_ends_as_the_program_does(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    started = subprocess.run([sys.executable, "-m", "transload", *words], capture_output=True, text=True)
    fork = forked.run(*words)
    assert (fork.returncode, fork.stdout, fork.stderr) == (started.returncode, started.stdout, started.stderr)


def test_its_variables_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("defaults: wrong\n")
    assert forked.run("list", "x", TRANSLOAD_CONFIG=str(tmp_path / "config.yaml")).returncode != 0
    assert str(tmp_path) in forked.run("list", "x", TRANSLOAD_CONFIG=str(tmp_path / "config.yaml")).stderr
    assert str(tmp_path) not in forked.run("list", "x").stderr


def test_it_ends_with_whoever_asked(tmp_path: Path) -> None:
    LayoutStore(tmp_path / "site", create=True)
    words = [str(forked.program()), "serve", f"oci:{tmp_path / 'site'}", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as asking:
        assert asking.stderr
        assert "http://" in asking.stderr.readline()
        asking.send_signal(signal.SIGINT)
        asking.stderr.read()  # which the program holds open until it has ended
    assert asking.returncode == -signal.SIGINT
