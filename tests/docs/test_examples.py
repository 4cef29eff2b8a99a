"""Every example in README and the guides is held by a test, in one of these ways:

* `console`: each `$ …` command is run in a shell, the blocks of a page in order in one folder, against served
  registries that answer to the names of real ones (`world.py`). What it prints is compared with what is shown, where
  `...` alone on a line stands for any lines, `…` for any text in a line, and durations and rates are not compared.
  A command fails the test unless it ends with 0 or `$ echo $?` shows its exit code.
* `sh`: what cannot be run here (docker, kubectl, a server that does not end). The shell parses it, and every
  `transload` command in it is parsed by click, so that an unknown command or option fails the test.
* `yaml`: read by whoever reads such a file: image sets and catalogs, policies, the configuration file.
* `python`: run as a program in the same folder, after the `console` blocks before it, and read by mypy.

A block after `<!-- file: NAME -->` is saved under that name first. Files named in a page but shown nowhere are none.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from tests import forked
from tests.docs.commandlines import group, parse, transload_commands
from tests.docs.pages import DOCS, ROOT, TOLD, Block, blocks, commands, label
from tests.docs.signedimages import publish_signed
from tests.docs.world import World, registries, world
from transload.catalog.setfile import parse_set
from transload.cli.defaults import defaults_from_file
from transload.cli.main import transload
from transload.memory import MemoryStore
from transload.report import activity
from transload.trust.policyfile import read_policy

LANGUAGES = {"console", "sh", "yaml", "python", "text"}
_ACTIVITIES = "|".join(what for what, _, _ in activity._WORDS.values())
_SLOW = re.compile(rf"(?:{_ACTIVITIES})(?:: .*)?, [\d.]+ (?:ms|s|min|h)\b.*|\[ *\d+%\] .*")
"""What a command says every ten seconds of what it is doing: on a busy machine only, so no page shows it."""
_UNCOMPARED = re.compile(r"\b\d+(?:\.\d+)? (?:ms|s|[KMG]?i?B/s)(?= |$|\)|,)|\[ *\d+/\d+\]")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Mapping[str, int]]]:
    with registries(tmp_path_factory.mktemp("registries")) as served:
        yield served


@pytest.fixture
def here(sources: tuple[Path, Mapping[str, int]], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """The commands of README.md start the installed program; those of the other pages are forks of it."""
    started = request.node.callspec.params.get("page") == ROOT / "README.md"
    with world(tmp_path, *sources, program=None if started else forked.program()) as made:
        yield made


@pytest.mark.parametrize("page", TOLD, ids=label)
def test_examples_run_as_shown(page: Path, here: World) -> None:
    for block in blocks(page):
        if block.file:
            path = here.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        if block.language == "console":
            _run_console(block, here)
        elif block.language == "python":
            _run_python(block, here)


@pytest.mark.parametrize("page", TOLD, ids=label)
def test_blocks_are_of_a_kind_that_is_checked(page: Path) -> None:
    assert {block.language for block in blocks(page)} <= LANGUAGES
    assert page.read_text().count("```") == 2 * len(list(blocks(page))), "a block without a language"


def of_language(language: str) -> list[Block]:
    return [block for page in TOLD for block in blocks(page) if block.language == language]


@pytest.mark.parametrize("block", of_language("sh"), ids=str)
def test_commands_that_are_not_run_are_parsed(block: Block) -> None:
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
    for words in transload_commands(block.text):
        parse(words)


@pytest.mark.parametrize("block", of_language("yaml"), ids=str)
def test_files_are_read(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = yaml.safe_load(block.text)
    for saved in blocks(block.page):
        if saved.file:  # what other blocks include
            (tmp_path / saved.file).write_text(saved.text)
    if document.get("kind") in {"ImageSet", "Catalog"}:
        parse_set(block.text, str(tmp_path / "example.yaml"))
    elif "rules" in document:
        publish_signed(MemoryStore(), MemoryStore(), tmp_path)
        path = tmp_path / "policy.yaml"
        path.write_text(block.text)
        assert read_policy(path).rules
    elif "groups" in document:
        _check_alert_rules(document)
    else:
        path = tmp_path / "config.yaml"
        path.write_text(block.text)
        monkeypatch.setenv("TRANSLOAD_CONFIG", str(path))
        _check_configuration(defaults_from_file(transload) or {})


def test_programs_pass_a_strict_type_checker(tmp_path: Path) -> None:
    programs = of_language("python")
    for number, block in enumerate(programs):
        (tmp_path / f"example_{number}.py").write_text(block.text)
    files = [str(path) for path in sorted(tmp_path.glob("*.py"))]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--untyped-calls-exclude=distributed", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(files) == len(programs) > 0
    assert done.returncode == 0, done.stdout


def test_make_targets_that_the_readme_names_exist() -> None:
    named = re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert named
    assert set(named) <= set(targets)


@pytest.mark.parametrize("verb", transload.list_commands(click.Context(transload)))
def test_every_verb_has_a_page_with_an_example_that_is_run(verb: str) -> None:
    page = DOCS / "verbs" / f"{verb}.md"
    run = [command for block in blocks(page) if block.language == "console" for command, _ in commands(block.text)]
    assert any(f"{command} ".startswith(f"transload {verb} ") for command in run), f"{page} runs no transload {verb}"


def test_commands_that_stand_in_tables_are_parsed() -> None:
    """Those of the page for people who come from other tools; `transload plan` alone names a command."""
    page = (DOCS / "guides" / "from-other-tools.md").read_text()
    spans = [shlex.split(span) for span in re.findall(r"`transload ([^`]+)`", page)]
    for words in spans:
        parse(words if len(words) > 1 else [*words, "list.txt", "--to", "registry.local"])
    assert len(spans) > 30


def test_a_wrong_option_would_be_seen() -> None:
    with pytest.raises(click.UsageError):
        parse(["mirror", "arcdata", "--too", "registry.local"])
    with pytest.raises(click.UsageError):
        parse(["mirrer"])


def test_other_output_would_be_seen() -> None:
    told = compare("a\nb…\n...\nz\n".splitlines(), "a\nb and more\nx\ny\nz\n")
    assert told is None
    assert compare(["a", "z"], "a\ny\nz\n") is not None
    assert compare(["done in 3 s"], "done in 0.5 s\n") is None
    assert compare(["3 blobs"], "4 blobs\n") is not None
    assert compare(["Plan"], "planning: 20 of 21 images asked about, 7.5 s\nPlan\n") is None
    assert compare(["Plan"], "[  45%] 3 of 21 images\nPlan\n") is None
    assert compare(["Plan"], "planning: 20 of 21 images asked about\nPlan\n") is not None


# --- running


def _run_console(block: Block, here: World) -> None:
    told = commands(block.text)
    printed = here.session([command for command, _ in told])
    for number, ((command, shown), (output, code)) in enumerate(zip(told, printed, strict=True)):
        following = told[number + 1][0] if number + 1 < len(told) else ""
        assert code == 0 or following == "echo $?", f"{block}: {command} ends with {code}:\n{output}"
        difference = compare(shown, output)
        assert difference is None, f"{block}: {command}\n{difference}\nprinted was:\n{output}"


def _run_python(block: Block, here: World) -> None:
    program = block.text.replace("proxy.local:3128", here.proxy)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        cwd=here.folder,
        env={key: value for key, value in here.environment.items() if not key.startswith("TRANSLOAD")}
        | {"SSL_CERT_FILE": str(here.folder / "site-ca.pem")},  # as on a machine that trusts the site's authority
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{block}:\n{done.stdout}\n{done.stderr}"
    shown = [line.removeprefix("# prints: ") for line in block.text.splitlines() if line.startswith("# prints: ")]
    difference = compare(shown, done.stdout)
    assert difference is None, f"{block}: {difference}\nprinted was:\n{done.stdout}"


def compare(shown: list[str], printed: str) -> str | None:
    """What is wrong with `printed`, None if it is what is shown. Nothing shown is nothing claimed."""
    lines = [line for line in shown if line.strip()]
    if not lines:
        return None
    patterns = ["(?:.*\n)*?" if line.strip() == "..." else _pattern(line) + r" *\n" for line in lines]
    told = [line for line in printed.splitlines() if line.strip() and not _SLOW.fullmatch(line)]
    actual = "".join(f"{_masked(line)}\n" for line in told)
    if re.fullmatch("".join(patterns), actual):
        return None
    missing = next(
        (line for line in lines if line != "..." and not re.search(f"^{_pattern(line)} *$", actual, re.MULTILINE)), ""
    )
    return (
        f"not printed as shown: {missing}" if missing else "lines were printed that are not shown, or in another order"
    )


def _pattern(line: str) -> str:
    return "[^\n]*".join(re.escape(part) for part in _masked(line.rstrip()).split("…"))


def _masked(line: str) -> str:
    return _UNCOMPARED.sub("#", line)


# --- parsing


def _check_alert_rules(document: Mapping[str, Any]) -> None:
    """Rules use figures that there are; tests/real has promtool read them too."""
    figures = set(re.findall(r"`(transload_\w+)`", (DOCS / "formats" / "metrics.md").read_text()))
    used = [rule["expr"] for group in document["groups"] for rule in group["rules"]]
    assert used
    assert set(re.findall(r"transload_\w+", " ".join(used))) <= figures


def _check_configuration(defaults: Mapping[str, Any]) -> None:
    known: set[str] = set()
    with group() as context:
        for name in defaults:
            command = transload.get_command(context, name)
            assert command is not None
            known |= {parameter.name for parameter in command.params if parameter.name}
            command.make_context(name, ["x"], parent=context, default_map=dict(defaults[name]), resilient_parsing=True)
    assert {key for flags in defaults.values() for key in flags} <= known
