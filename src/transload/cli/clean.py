"""`transload clean`: removes what ended runs left behind."""

from __future__ import annotations

import click

from transload.app.cleaning import Leftover, place_of
from transload.app.cleaning import clean as removed
from transload.app.location import Location
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import show_result
from transload.cli.output import OutputFormat
from transload.cli.session import open_session
from transload.clock import SYSTEM_CLOCK
from transload.planning.ages import seconds_in
from transload.report.texts import count, duration, one_line, size


@click.command(cls=Command)
@click.argument("stores", metavar="[STORE]...", nargs=-1, shell_complete=completion.stores)
@click.option(
    "--older-than",
    metavar="AGE",
    default="1d",
    show_default=True,
    help="Only what nobody has written to for so long: 7d, 12h, 30m.",
)
@click.option("--dry-run", is_flag=True, help="Show what would go, and remove nothing.")
@options.reporter
def clean(stores: tuple[str, ...], older_than: str, dry_run: bool, output: OutputFormat, quiet: bool) -> int:
    """Remove what ended runs left behind and nobody goes on with: halves of blobs and bundles, notes, locks.

    STORE is oci:DIR, or the bundle:NAME that was not finished. Without one, the folder is cleaned in which transload
    keeps its notes; those on the media of a bundle (pack --to-media) stay for 30 days. What another process holds
    stays. A run that goes on needs what is removed here again.

    \b
      transload clean --dry-run
      transload clean oci:/srv/mirror bundle:/media/usb/arcdata --older-than 7d
    """
    with open_session("clean", output, quiet) as session:
        age_s, state = float(seconds_in(older_than)), session.environment.state
        places: list[Location | None] = [place_of(store) for store in stores]
        gone = [
            leftover
            for place in places or [None]
            for leftover in removed(place, state, age_s, SYSTEM_CLOCK, dry_run=dry_run)
        ]
        document = [_json(leftover) for leftover in gone]
        if session.output.document("cleaned", removed=not dry_run, files=document):
            return 0
        if not quiet:
            show_result(map(_line, gone))
        folders = sum(leftover.is_folder for leftover in gone)
        parts = [(len(gone) - folders, "file"), (folders, "folder")]
        named = " and ".join(count(number, noun) for number, noun in parts if number)
        total = f"{named}, {size(sum(leftover.size for leftover in gone))}"
        verb = "would be removed" if dry_run else "removed"
        show_result([f"{verb}: {total}" if gone else "nothing to clean"])
    return 0


def _line(leftover: Leftover) -> str:
    facts = f"{leftover.what}, {size(leftover.size)}, {duration(max(0.0, leftover.age_s))} old"
    return f"{one_line(str(leftover.path))}  ({facts})"


def _json(leftover: Leftover) -> dict[str, object]:
    return {
        "path": str(leftover.path),
        "what": leftover.what,
        "size": leftover.size,
        "age_s": round(leftover.age_s, 3),
    }
