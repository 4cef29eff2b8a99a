"""`transload list` and `transload extract`: looking into a bundle, and taking further files out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transload.app.detect import carried_place
from transload.app.settings import read_environment
from transload.app.stores import Logins, Network, Stores
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import show_result, width_of
from transload.cli.ledgers import BundleView
from transload.cli.output import Output, OutputFormat
from transload.errors import SelectionEmpty, UsageError
from transload.report.styled import Styled, folded
from transload.threads import Cancellation

if TYPE_CHECKING:
    from transload.bundle.reading.checking import CheckedPart
    from transload.bundle.reading.reader import BundleStore


@click.command("list", cls=Command)
@click.argument("carried", metavar="BUNDLE", shell_complete=completion.files)
@options.bundle
@options.reporter
def list_(carried: str, key: Path | None, volumes: tuple[Path, ...], output: OutputFormat, quiet: bool) -> int:
    """Show what a bundle holds: images, digests, sizes, prerequisites, signer, volumes (also those that are missing).

    \b
      transload list /media/usb/arcdata-2026-11
    """
    with Output("list", output, quiet) as reporter:
        store = _bundle(carried, key, volumes)
        if not store.ledger.images and not store.ledger.extras:
            raise SelectionEmpty(f"there is nothing in {carried}", subject=carried, hint="pack it again")
        signer = store.signature.key_id if store.signature else None
        shown = BundleView(store.ledger, Path(store.locator.partition(":")[2]).name, signer, store.verified)
        troubles = list(_troubles(store))
        if not reporter.document("bundle", **shown.to_json(one.subject for one in troubles)):
            width = width_of(sys.stdout)
            show_result([*shown.image_lines(width), *([] if quiet else [Styled(), *shown.facts(width)])])
            show_result(line for one in troubles for line in _lacking(one, width))
    return 0


def _troubles(store: BundleStore) -> Iterator[CheckedPart]:
    """Volumes that are not there or not whole; no blob is read for it."""
    volumes = islice(store.check(), store.ledger.cut.count)
    return (one for one in volumes if one.error is not None)


def _lacking(one: CheckedPart, width: int | None) -> list[Styled]:
    needing = {0: "no image needs it", 1: "1 image needs it"}.get(
        len(one.images), f"{len(one.images):,} images need it"
    )
    return folded(f"{'problem:':<9} ", f"{one.error} ({needing})", width, "warn")


@click.command(cls=Command)
@click.argument("carried", metavar="BUNDLE", shell_complete=completion.files)
@click.argument("names", metavar="[FILE]...", nargs=-1)
@click.option(
    "-C",
    "--into",
    type=options.FOLDER,
    default=".",
    show_default=True,
    metavar="DIR",
    help="Folder to put them in.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@options.bundle
@options.reporter
def extract(
    carried: str,
    names: tuple[str, ...],
    into: Path,
    overwrite: bool,
    key: Path | None,
    volumes: tuple[Path, ...],
    output: OutputFormat,
    quiet: bool,
) -> int:
    """Take further files (pack --also) out of a bundle: the FILEs named, or all.

    \b
      transload extract /media/usb/arcdata-2026-11 licence.txt -C /tmp
    """
    from transload.bundle.reading.extras import extract_extras

    with Output("extract", output, quiet) as reporter:
        store = _bundle(carried, key, volumes)
        if not store.ledger.extras and not names:
            raise SelectionEmpty(f"{carried} holds no further files", subject=carried, hint="pack --also puts them in")
        paths = extract_extras(store, into, names or None, overwrite=overwrite)
        if not reporter.document("extracted", files=[str(path) for path in paths]):
            show_result(str(path) for path in paths)
    return 0


def _bundle(carried: str, key: Path | None, volumes: tuple[Path, ...]) -> BundleStore:
    given = options.carried(volumes, key)
    place = carried_place(carried, given)
    if place.kind != "bundle":
        raise UsageError(
            f"{carried} is not a bundle of transload",
            subject=carried,
            hint="only bundles can be listed and extracted from; push, verify and serve take this one, too",
        )
    with Stores(read_environment(), Network(), Logins(), Cancellation(), given) as stores:
        return stores.bundle(place)
