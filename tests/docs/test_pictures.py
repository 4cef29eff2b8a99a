"""The pictures: each that a page shows is there, each that is there is shown, and the commands in them exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, label
from tests.pictures.diagrams import DRAWINGS, Way, drawn
from tests.pictures.terminals import steady, words_of
from transload.cli.main import transload

PICTURES = DOCS / "pictures"
SHOWN = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
FILES = sorted(PICTURES.iterdir())
MOST_BYTES = 3 << 19
# What only this machine, or the moment, knows.
FOREIGN = re.compile(rf"{re.escape(str(ROOT))}/|/tmp/|/home/|127\.0\.0\.1|localhost")


def shown() -> list[tuple[Path, str, Path]]:
    """Page, alternative text and file of each picture in the documentation."""
    return [
        (page, text, (page.parent / file).resolve())
        for page in PAGES
        for text, file in SHOWN.findall(page.read_text(encoding="utf-8"))
        if "://" not in file
    ]


def test_each_picture_is_there_and_said_in_words() -> None:
    lacking = [f"{label(page)}: {file.relative_to(ROOT)}" for page, _, file in shown() if not file.is_file()]
    assert lacking == [], "make pictures"
    silent = [f"{label(page)}: {file.name}: {text!r}" for page, text, file in shown() if len(text) < 20]
    assert silent == []


def test_each_picture_is_shown() -> None:
    seen = {file for _, _, file in shown()}
    assert [path.name for path in FILES if path.resolve() not in seen] == []


def test_all_are_small() -> None:
    assert sum(path.stat().st_size for path in FILES) < MOST_BYTES


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".svg"], ids=lambda path: path.name)
def test_a_drawing_has_a_title_and_fetches_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "<title" in text
    assert re.findall(r"""(?:href|src)=|url\((?!#)|@import|<script""", text) == []
    assert FOREIGN.findall(text) == []


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_of_a_way_is_as_it_is_made_and_has_commands_that_exist(name: str) -> None:
    title, items = DRAWINGS[name]
    assert (PICTURES / f"{name}.svg").read_text(encoding="utf-8") == drawn(name, title, items), "make pictures"
    commands = [command for item in items if isinstance(item, Way) for command in item.commands]
    assert commands
    for command in commands:
        check(command)


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".svg"], ids=lambda path: path.name)
def test_commands_typed_in_a_terminal_exist(path: Path) -> None:
    typed = re.findall(r"\$ (transload [\w./: -]+?)(?=\n)", words_of(path))
    assert typed or path.stem in DRAWINGS
    for command in typed:
        check(command)


def check(line: str) -> None:
    """That the program takes these words: the command is there, and so is each option."""
    name, *words = shlex.split(line)[1:]
    context = transload.make_context("transload", [], resilient_parsing=True)
    command = transload.get_command(context, name)
    assert command is not None, line
    options = {text for option in command.params if isinstance(option, click.Option) for text in option.opts}
    assert {word for word in words if word.startswith("-")} <= options, line


def test_what_only_a_clock_changes_is_no_difference() -> None:
    assert steady("in 0.3 s, 42 MiB/s") == steady("in 12 s, 1.9 GiB/s")
    assert steady("21 copied") != steady("20 copied")
    assert steady("[1/2] a copied\n[2/2] b copied") == steady("[1/2] b copied\n[2/2] a copied")
