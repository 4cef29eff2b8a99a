"""What Tab offers: what is there, without a request, without a word of complaint."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, CompletionItem, ZshComplete

from transload.catalog.builtin import builtin, load_builtin
from transload.cli.completion import PLATFORMS
from transload.cli.main import _COMMANDS, transload
from transload.oci import Platform


def offered(*words: str) -> list[CompletionItem[str]]:
    """What is offered for the last of these words."""
    return BashComplete(transload, {}, "transload", "_").get_completions(list(words[:-1]), words[-1])


def values(*words: str) -> list[str]:
    return [item.value for item in offered(*words) if item.type == "plain"]


def kinds(*words: str) -> set[str]:
    return {item.type for item in offered(*words)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("site", "store/inner", "$(reboot)", "two words", "-o", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "saved.tar").touch()
    return tmp_path


def test_commands_have_their_lines_and_none_is_loaded() -> None:
    items = offered("")
    assert [(item.value, item.help) for item in items] == [(name, line) for name, (_, line) in _COMMANDS.items()]
    assert values("in") == ["inventory"]
    code = "from tests.unit.cli.test_completion import offered; import sys; offered(''); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "transload.cli.mirror" not in done.stdout.split()


def test_flags_of_the_command() -> None:
    assert values("mirror", "--pl") == ["--platform", "--plain-http"]
    assert values("mirror", "--to", "a.b", "--to", "c.d", "--dis") == ["--discover"]
    assert values("pack", "--narrow", "s") == ["sparse"]


@pytest.mark.parametrize("command", ["mirror", "plan", "verify", "pack", "releases"])
def test_built_in_catalogs_and_files(command: str) -> None:
    assert values(command, "") == list(builtin())
    assert kinds(command, "") == {"file", "plain"}


def test_zsh_gets_three_lines_of_each_and_none_is_empty() -> None:
    complete = ZshComplete(transload, {}, "transload", "_")
    lines = [line for item in offered("mirror", "") for line in complete.format_completion(item).split("\n")]
    assert lines == ["file", " ", "_", "plain", "arcdata", "_", "plain", "bdc", "_"]


def test_releases_of_the_catalogs_that_are_named() -> None:
    known = [release.tag for release in load_builtin("bdc").releases]
    assert values("mirror", "bdc", "--tag", "") == known[::-1]
    assert values("mirror", "my.yaml", "--tag", "") == []
    assert values("mirror", "--tag", "") == []


def test_platforms_are_such() -> None:
    assert values("mirror", "--platform", "linux/arm/") == ["linux/arm/v7", "linux/arm/v6"]
    assert [str(Platform.parse(name)) for name in PLATFORMS] == list(PLATFORMS)


@pytest.mark.usefixtures("folder")
def test_folders_as_stores_without_those_that_a_shell_would_run() -> None:
    assert values("mirror", "--to", "") == ["oci:site", "oci:store"]
    assert values("mirror", "--from", "oci:si") == ["oci:site"]
    assert values("inventory", "oci:store/") == ["oci:store/inner"]
    assert values("mirror", "--from", "archive:s") == ["archive:saved.tar", "archive:site", "archive:store"]
    assert values("mirror", "--to", "oci:nowhere/") == []
    assert values("mirror", "--to", "registry.local/") == []


def test_paths_of_bundles() -> None:
    assert kinds("push", "") == kinds("list", "") == kinds("extract", "") == {"file"}
    assert kinds("serve", "x") == {"file"}
    assert kinds("pack", "--also", "") == {"file"}
    assert kinds("push", "bundle", "--volumes", "") == {"dir"}


def test_after_the_colon_bash_begins_a_new_word() -> None:
    assert kinds("push", "bundle", "--to", "oci", ":", "fo") == {"file"}
    assert kinds("mirror", "arcdata", "--to", "oci", ":", "fo") == {"file"}


@pytest.mark.parametrize("words", ["mirrer --x", "help mir", "mirror --no-such ", "mirror --stall-timeout x ", "-"])
def test_a_line_that_is_wrong_is_not_complained_about(words: str, tmp_path: Path) -> None:
    environment = os.environ | {"COMP_WORDS": f"transload {words}", "COMP_CWORD": str(len(words.split(" ")))}
    environment |= {"_TRANSLOAD_COMPLETE": "bash_complete", "TRANSLOAD_CONFIG": str(tmp_path / "missing")}
    done = subprocess.run([sys.executable, "-m", "transload"], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
