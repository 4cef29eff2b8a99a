"""Questions during a run, at a terminal: for a medium."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transload.cli.console import say, say_folded
from transload.cli.interruption import leave
from transload.cli.prompts import ask, is_interactive
from transload.errors import VolumeMissing
from transload.files import expanded
from transload.report.texts import size

if TYPE_CHECKING:
    from transload.bundle.reading.volumefiles import Ask, WantedVolume
    from transload.bundle.writing.onmedia import Ask as AskMedium
    from transload.bundle.writing.onmedia import WantedMedium

_WITHOUT = "-"


def ask_for_volume(bundle: Path, paused: Callable[[], AbstractContextManager[None]]) -> Ask | None:
    """A function that asks for a missing medium while `bundle` is read; None if nobody can be asked.

    `paused` hides moving bars during the question.
    """
    if not is_interactive():
        return None
    home = bundle if bundle.is_dir() else bundle.absolute().parent

    def ask_for(wanted: WantedVolume) -> Path | None:
        with paused():
            return _where_is(wanted, home)

    return ask_for


def ask_for_medium(paused: Callable[[], AbstractContextManager[None]]) -> AskMedium | None:
    """A function that asks for the next medium to write to; None if nobody can be asked."""
    if not is_interactive():
        return None

    def ask_for(wanted: WantedMedium) -> bool:
        with paused():
            what = f"volume {wanted.number} of {wanted.count}, {size(wanted.size)}"
            say([""])
            say_folded(f"{wanted.problem}. {wanted.file_name} ({what}) is next.")
            say_folded(f"Insert another medium, mounted at {wanted.folder}, and press Enter; {_WITHOUT} stops here.")
            try:
                return ask("Ready") != _WITHOUT
            except click.Abort:
                leave()

    return ask_for


def _where_is(wanted: WantedVolume, home: Path) -> Path | None:
    if not isinstance(wanted.problem, VolumeMissing):
        say([""])
        say_folded(str(wanted.problem))
    what = f"volume {wanted.number} of {wanted.count}, {size(wanted.size)}"
    say([""])
    say_folded(f"{wanted.file_name} ({what}) is needed. Insert its medium and press Enter,")
    say_folded(f"or write the folder or file that it is in; {_WITHOUT} goes on without it.")
    try:
        answer = ask("Where is it", str(home))
    except click.Abort:  # perhaps in a thread that reads; nobody waits for it
        leave()
    return None if answer == _WITHOUT else expanded(answer)
