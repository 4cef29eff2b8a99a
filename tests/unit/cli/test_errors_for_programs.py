"""With `--output json`, every error is the last line of the stream, also one that ends a command before it begins."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from transload.cli.forprograms import asked_for_json
from transload.cli.main import main

KEYS = {"code", "exit_code", "side", "store", "subject", "message", "hint", "retryable"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSLOAD_CONFIG", str(tmp_path / "config.yaml"))
    monkeypatch.delenv("TRANSLOAD_OUTPUT", raising=False)


def last(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code of a command line, and the problem in the last of its two lines."""
    code = main(list(words))
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["event"], first["format"]) == ("hello", 1)
    assert second["event"] == "error"
    assert set(second["problem"]) == KEYS
    assert second["problem"]["exit_code"] == code
    return code, second["problem"]


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("mirror --nope", 2, "No such option '--nope'"),
        ("mirror a/b:1 --to", 2, "Option '--to' requires an argument"),
        ("mirror --narrow x", 2, "Invalid value for '--narrow': 'x' is not one of"),
        ("mirror --jobs 900", 2, "900 is not in the range"),
        ("mirror --all", 2, "there is no option --all"),
        ("pack", 2, "Missing option '-o' / '--out'"),
        ("check", 2, "Missing argument 'TARGET'"),
        ("list one two", 2, "Got unexpected extra argument (two)"),
        ("mirrow", 2, "there is no command 'mirrow'"),
        ("", 2, "No such option '-q'"),
        ("push b --to one.example --to two.example", 2, "--to is given twice"),
        ("list absent", 8, "absent"),
        ("repair oci:absent", 2, "oci:absent"),
    ],
)
@pytest.mark.parametrize("asked", ["--output json", "--output=json"])
def test_the_last_line_is_the_error(
    capsys: pytest.CaptureFixture[str], line: str, code: int, said: str, asked: str
) -> None:
    command, *others = line.split() or ["-q"]
    ended, problem = last(capsys, command, *asked.split(), *others)
    assert ended == code
    assert said in problem["message"]
    assert not problem["message"].endswith(".")


def test_the_variable_and_the_file_ask_for_json_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("config.yaml").write_text("output: json\n")
    assert last(capsys, "mirror", "--nope")[0] == 2
    Path("config.yaml").unlink()
    monkeypatch.setenv("TRANSLOAD_OUTPUT", "json")
    assert last(capsys, "mirror", "--nope")[0] == 2


def test_a_wrong_file_of_settings_is_an_error_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    Path("config.yaml").write_text("absent: 1\n")
    assert "no command has this flag" in last(capsys, "list", "b", "--output", "json")[1]["message"]


def test_without_json_nothing_is_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["mirror", "--nope"],
        ["mirror", "--nope", "--output", "text"],
        ["list", "b", "--nope", "--", "--output=json"],
    ):
        assert main(words) == 2
        assert capsys.readouterr().out == ""


def test_what_the_words_say_goes_before_the_default() -> None:
    assert asked_for_json(["a"], "json")
    assert not asked_for_json(["a", "--output", "text"], "json")
    assert not asked_for_json(["a", "--output"], None)


def test_errors_of_the_machine_are_for_programs_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    code, problem = last(capsys, "pack", "a/b:1", "-o", "x", "--output", "json")
    assert (code, problem["code"]) == (8, "local")
