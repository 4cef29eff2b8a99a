"""The file of settings: values for all commands, and sections for one."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from transload.cli.defaults import _OWN, _commands, defaults_from_file
from transload.cli.main import main, transload
from transload.errors import DocumentInvalid

# Flags of which the help differs, but whose value in the file is meant for all of these commands.
ALIKE = {"to", "from", "target-tag", "source-repository", "out", "sign-key", "policy", "referrers"}


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRANSLOAD_CONFIG", str(tmp_path / "config.yaml"))
    return tmp_path / "config.yaml"


def read(path: Path, text: str) -> dict[str, Any]:
    path.write_text(text)
    return defaults_from_file(transload) or {}


def test_deep_alone_is_that_of_verify(path: Path) -> None:
    values = read(path, "deep: true\n")
    assert values["verify"] == {"deep": True}
    assert values["check"] == {}


def test_a_section_is_for_its_command(path: Path) -> None:
    values = read(path, "check:\n  deep: true\n  max_connections: 2\nmax-connections: 4\nverify: {}\n")
    assert values["check"] == {"deep": True, "max_connections": 2}
    assert values["verify"] == {"max_connections": 4}
    assert values["mirror"] == {"max_connections": 4}


def test_flags_that_mean_two_things_are_separated() -> None:
    helps: defaultdict[str, set[str]] = defaultdict(set)
    for name, options in _commands(transload).items():
        for flag, option in options.items():
            if flag not in _OWN.get(name, ()):
                helps[flag].add(option.help or "")
    assert {flag for flag, texts in helps.items() if len(texts) > 1} == ALIKE


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("all: true\n", "all: this flag is only of the command forget"),
        ("list: true\n", "list: this flag is only of the command forget"),
        ("check: {depth: 1}\n", "check: depth: this command has no such flag; did you mean 'deep'?"),
        ("check: {1: 2}\n", "check: expected a map of flags to values"),
        ("check: 3\n", "check: no command has this flag"),
        ("checks: {deep: true}\n", "checks: no command has this flag"),
        ("jobs: {deep: true}\n", "jobs: takes one value, not a map"),
        ("check: {target-password: x}\n", "target-password: secrets do not belong into this file"),
        ("check: {platform: {a: b}}\n", "platform: takes one value, not a map"),
    ],
)
def test_what_is_wrong_is_told(path: Path, text: str, told: str) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        read(path, text)
    assert told in str(caught.value)


def test_forgetting_everything_is_never_a_default(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text("all: true\n")
    assert main(["forget"]) != 0
    assert "write it in a section of this name: forget: {all: true}" in capsys.readouterr().err


def test_two_names_of_one_flag_are_not_both_in_the_file(path: Path) -> None:
    with pytest.raises(DocumentInvalid, match="tag and releases are the same flag"):
        read(path, "tag: 1.40\nreleases: 1.40..1.46\n")
    values = read(path, "releases: 1.40..1.46\nmirror: {tag: v1.46.0}\n")
    assert values["mirror"] == {"tag": "v1.46.0"}
    assert values["plan"] == {"tag": "1.40..1.46"}
    assert values["releases"] == {}, "here the flag means which releases are listed"
