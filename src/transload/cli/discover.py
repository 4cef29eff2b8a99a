"""`transload discover`: says which images files name, and writes them as an image set."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transload.app.network import Network
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import show_result, width_of
from transload.cli.output import OutputFormat
from transload.cli.session import Session, open_session
from transload.errors import SelectionEmpty
from transload.files import check_replaceable, replace_file
from transload.report.texts import count

if TYPE_CHECKING:
    from transload.app.discovering import Discovery


@click.command(cls=Command)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, shell_complete=completion.files)
@click.option("-o", "--out", type=options.FILE, metavar="SET", help="Write an image set (.yaml) of what was found.")
@click.option(
    "--field",
    "fields",
    metavar="FIELD",
    multiple=True,
    help="This field of your own kinds is an image: spec.image, spec.workers[].image (repeatable).",
)
@click.option("--pin", is_flag=True, help="Ask the registries for the digests of the tags, and write them too.")
@click.option("--strict", is_flag=True, help="Fail if a question is open.")
@options.network
@options.reporter
def discover(
    paths: tuple[str, ...],
    out: Path | None,
    fields: tuple[str, ...],
    pin: bool,
    strict: bool,
    network: Network,
    output: OutputFormat,
    quiet: bool,
) -> int:
    """List the images that files name, in files, folders, or - (stdin).

    Read are Kubernetes manifests and dumps of clusters, Compose files, Dockerfiles, bills of materials, and bundles and
    catalogs of operators. What cannot be decided (a template, no tag) is a question. The image set with both is for the other commands.

    \b
      transload discover manifests/ -o set.yaml
      kubectl get pods,deployments -A -o json | transload discover - -o set.yaml
      transload mirror set.yaml --to registry.local/site
    """
    from transload.app.discovering import discover_images
    from transload.discovery.fieldpath import FieldPath

    with open_session("discover", output, quiet, network) as session:
        if out is not None:
            check_replaceable(out)
        asked = [FieldPath.parse(field) for field in fields]
        found = discover_images(paths, fields=asked, standard_input=sys.stdin.buffer)
        if pin:
            found = _pinned(session, found)
        if out is not None:
            replace_file(out, found.set_text().encode())
        _show(session, found, out, quiet)
        if not found.listing.images:
            raise SelectionEmpty(
                f"no image could be decided: {count(len(found.listing.questions), 'question')} open",
                hint="answer them: render templates, write tags",
            )
        return int(bool(found.listing.unread or found.unpinned or (strict and found.listing.questions)))


def _pinned(session: Session, found: Discovery) -> Discovery:
    from transload.app.discovering import pinned

    with session.stoppable(), session.stores() as stores:
        return pinned(found, stores, session.cancellation)


def _show(session: Session, found: Discovery, out: Path | None, quiet: bool) -> None:
    from transload.report.discovered import listing_json, listing_lines, totals_text

    fields = listing_json(found.listing, found.pins, found.unpinned)
    if session.output.document(
        "discover", **fields, files=found.files, hidden=found.hidden, set=str(out) if out else None
    ):
        return
    if quiet:
        show_result(str(entry.reference) for entry in found.listing.images)
        return
    show_result(listing_lines(found.listing, found.pins, found.unpinned, width_of(sys.stdout)))
    written = f"; written to {out}" if out else ""
    show_result([f"{totals_text(found.listing, found.files, found.hidden)}{written}"])
