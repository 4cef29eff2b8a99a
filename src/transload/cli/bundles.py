"""`transload list` and `transload extract`: show what is in a bundle, and take extra files out."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transload.app.detect import carried_place, ending_notes
from transload.app.stores import Carried
from transload.app.trusthints import hint_names, other_extras, read_hints
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import say_notes, show_result, width_of
from transload.cli.ledgers import BundleView
from transload.cli.output import OutputFormat
from transload.cli.session import Session, open_session
from transload.errors import SelectionEmpty, TransloadError, UsageError
from transload.files import local_errors, replace_file
from transload.report.styled import Styled, folded

if TYPE_CHECKING:
    from transload.bundle.reading.checking import CheckedPart
    from transload.bundle.reading.reader import BundleStore

_PROBLEM = 6  # what is there is not what it claims to be


@click.command("list", cls=Command)
@click.argument("carried", metavar="BUNDLE", shell_complete=completion.files)
@click.option("--html", type=options.FILE, metavar="FILE", help="Write it as a page of HTML: FILE.html.")
@options.bundle
@options.reporter
def list_(carried: str, html: Path | None, reading: Carried, output: OutputFormat, quiet: bool) -> int:
    """Show what a bundle holds: images, digests, sizes, prerequisites, signer, volumes (also those that are missing).

    A bundle that was packed with --record-in-bundle says who packed it, when, from where, and what was checked. With
    --key, the record must be signed by this key too.

    \b
      transload list /media/usb/arcdata-2026-11
      transload list /media/usb/arcdata-2026-11 --html contents.html
    """
    from transload.app.bundlerecord import record_in

    with open_session("list", output, quiet) as session:
        if html is not None:
            _check_page(html)
        store = _bundle(session, carried, reading)
        if not store.ledger.images and not store.ledger.extras:
            raise SelectionEmpty(f"there is nothing in {carried}", subject=carried, hint="pack it again")
        signer = store.signature.key_id if store.signature else None
        view = BundleView(
            store.ledger,
            Path(store.locator.partition(":")[2]).name,
            signer,
            store.verified,
            recovery=store.recovery_files,
            lacking_recovery=store.lacking_recovery,
            record=record_in(store),
            hints=read_hints(store),
            gated=_gated(store),
        )
        lacking = list(store.lacking())
        if html is not None:
            with local_errors("writing", html):
                replace_file(html, view.page([_told(volume) for volume in lacking]).encode())
        if not session.output.document("bundle", **view.to_json(volume.subject for volume in lacking)):
            width = width_of(sys.stdout)
            show_result([*view.image_lines(width), *([] if quiet else [Styled(), *view.facts(width)])])
            show_result(line for volume in lacking for line in _problem(volume, width))
            say_notes(ending_notes(store))
    return _PROBLEM if store.verified and view.record is not None and view.record.problem else 0


def _gated(store: BundleStore) -> int:
    """How many images come with what gates of the sender said of them, as far as that can be read."""
    from transload.report.gateattestation import ARTIFACT_TYPE

    said = 0
    for entry in store.ledger.images:
        with suppress(TransloadError):  # a volume is missing, which is told
            referrers = store.referrers(entry.image.name.repository, entry.image.root.digest)
            said += any(referrer.artifact_type == ARTIFACT_TYPE for referrer in referrers)
    return said


def _check_page(path: Path) -> None:
    """Before anything is read: raises what `check_report_path` raises, and `UsageError` for another suffix."""
    from transload.report.reportfile import check_report_path

    if path.suffix.lower() != ".html":
        raise UsageError(f"{path.name!r} is no name of a page", subject=str(path), hint="let the name end in .html")
    check_report_path(path)


def _problem(volume: CheckedPart, width: int | None) -> list[Styled]:
    return folded(f"{'problem:':<9} ", _told(volume), width, "warn")


def _told(volume: CheckedPart) -> str:
    needing = {0: "no image needs it", 1: "1 image needs it"}.get(
        len(volume.images), f"{len(volume.images):,} images need it"
    )
    return f"{volume.error} ({needing})"


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
@click.option("--trust", is_flag=True, help="Take out the trust material that it carries as hints.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@options.bundle
@options.reporter
def extract(
    carried: str,
    names: tuple[str, ...],
    into: Path,
    trust: bool,
    overwrite: bool,
    reading: Carried,
    output: OutputFormat,
    quiet: bool,
) -> int:
    """Take extra files (pack --also) out of a bundle: the FILEs named, or all.

    With --trust it takes out the policy with which the bundle was packed, and the keys and certificates that it names.
    They are hints: look at them, and compare the fingerprints with those that you have from another source.

    \b
      transload extract /media/usb/arcdata-2026-11 licence.txt -C /tmp
      transload extract /media/usb/arcdata-2026-11 --trust -C hints
    """
    from transload.bundle.reading.extras import extract_extras

    if trust and names:
        raise UsageError("--trust takes out all of the trust material", hint="leave the names out")
    with open_session("extract", output, quiet) as session:
        store = _bundle(session, carried, reading)
        renamed = hint_names(store.ledger) if trust else {}
        chosen = list(renamed) if trust else list(names) or [extra.name for extra in other_extras(store.ledger)]
        if not chosen:
            what, way = ("trust material", "--policy") if trust else ("extra files", "--also")
            raise SelectionEmpty(f"{carried} holds no {what}", subject=carried, hint=f"pack {way} puts them in")
        paths = extract_extras(store, into, chosen, renamed, overwrite=overwrite)
        if not session.output.document("extracted", files=[str(path) for path in paths]):
            show_result(str(path) for path in paths)
    return 0


def _bundle(session: Session, carried: str, reading: Carried) -> BundleStore:
    location = carried_place(carried, reading)
    if location.kind != "bundle":
        raise UsageError(
            f"{carried} is not a bundle of transload",
            subject=carried,
            hint="only bundles can be listed and extracted from; push, verify and serve take this one, too",
        )
    with session.stores(carried=reading) as stores:
        return stores.bundle(location)
