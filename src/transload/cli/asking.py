"""Questions in the middle of the work, for somebody at a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from transload.bundle.locating import WantedVolume


def ask_for_volume(wanted: WantedVolume) -> Path | None:
    """Ask for a medium that is not there; an empty answer goes on without it."""
    click.echo(f"\n{wanted.file_name} is needed: insert its medium, then say in which folder or file it is.", err=True)
    answer: str = click.prompt("Folder or file (empty to go on without it)", default="", show_default=False, err=True)
    return Path(answer).expanduser() if answer.strip() else None
