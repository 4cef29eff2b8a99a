"""`transload repair`: makes what is lost or damaged in a bundle again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transload.app.detect import carried_place
from transload.app.repairing import repair_carried, repaired_json
from transload.app.stores import Carried
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import show_result, width_of
from transload.cli.output import OutputFormat
from transload.cli.session import open_session
from transload.report.styled import Styled, beside
from transload.report.texts import count

if TYPE_CHECKING:
    from transload.bundle.repairing.repair import Repaired, RepairedFile


@click.command(cls=Command)
@click.argument("carried", metavar="BUNDLE", shell_complete=completion.files)
@click.option(
    "--into",
    "folder",
    type=options.FOLDER,
    metavar="DIR",
    help="Write the repaired files into this folder; leave the bundle as it is.",
)
@options.bundle
@options.reporter
def repair(carried: str, folder: Path | None, reading: Carried, output: OutputFormat, quiet: bool) -> int:
    """Make lost, damaged or mixed up volumes again, from recovery volumes (pack --recovery).

    Everything is read and compared with the bundle's list of contents before a file is changed: a repair is exact, or
    it is refused. A lost volume is written anew; in a damaged one, only the blocks that are wrong are written. With
    --into, only the repaired files are written, elsewhere: for media that cannot be written to.

    \b
      transload repair /media/usb/arcdata-2026-11
      transload repair /media/dvd/arcdata --volumes /media/dvd2 --into /tmp/mended
    """
    with open_session("repair", output, quiet) as session, session.stoppable():
        location = carried_place(carried, reading)
        session.begins()
        with session.stores(carried=reading) as stores:
            repaired = repair_carried(location, folder, stores, session.cancellation)
        if not session.output.document("repaired", bundle=location.value, **repaired_json(repaired)):
            show_result([*([] if quiet else _lines(repaired)), _sum(repaired, folder)])
    return 0


def _lines(repaired: Repaired) -> Iterator[Styled]:
    names = max((len(file.path.name) for file in repaired.files), default=0)
    for file in repaired.files:
        yield from beside(Styled.of(file.path.name), _done(file), names, width_of(sys.stdout))
    for path in repaired.aside:
        yield Styled.of(f"what had its name is no part of the bundle, and is now {path}")
    if repaired.listed:
        what = f"lines for {count(len(repaired.listed), 'file')} written again"
        yield from beside(Styled.of("SHA256SUMS"), what, max(names, len("SHA256SUMS")), width_of(sys.stdout))


def _done(file: RepairedFile) -> str:
    if file.how == "made":
        return "made again"
    blocks = f"{count(file.blocks, 'block')} made again" if file.blocks else ""
    if file.how == "renamed":
        return ", ".join(filter(None, ["given its right name", blocks]))
    return blocks or "its size and what is around its content are right again"


def _sum(repaired: Repaired, folder: Path | None) -> Styled:
    if not repaired.files and repaired.listed:
        return Styled.of(("repaired: ", "good"), "SHA256SUMS; every byte of the bundle was right")
    if not repaired.files:
        return Styled.of(("nothing to repair: ", "good"), "every byte is right")
    where = f" in {folder}" if folder else ""
    return Styled.of(("repaired: ", "good"), f"{count(len(repaired.files), 'file')}{where}, and every byte is right")
