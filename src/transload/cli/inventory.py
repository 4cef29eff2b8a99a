"""`transload inventory`: what a target holds, to be carried back to where bundles are packed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transload.app.detect import named_place
from transload.app.location import Location
from transload.app.settings import read_environment
from transload.app.stores import Stores
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import show_result, width_of
from transload.cli.gather import gather_logins
from transload.cli.interruption import stoppable
from transload.cli.output import Output, OutputFormat
from transload.cli.prompting import load_signer
from transload.errors import UsageError
from transload.files import check_replaceable
from transload.report.styled import folded
from transload.report.texts import count, size
from transload.threads import Cancellation

if TYPE_CHECKING:
    from transload.inventory.inventory import Inventory


@click.command(cls=Command)
@click.argument("store", metavar="STORE", shell_complete=completion.stores)
@click.option(
    "-o",
    "--out",
    type=options.FILE,
    required=True,
    metavar="FILE",
    help="Where to write it.",
)
@click.option(
    "--repository",
    metavar="PATH",
    multiple=True,
    help="Look at this repository; for registries that keep no list (repeatable).",
)
@options.sign_key
@options.target_login
@options.network
@options.reporter
def inventory(
    store: str,
    out: Path,
    repository: tuple[str, ...],
    sign_key: Path | None,
    output: OutputFormat,
    quiet: bool,
    **flags: Any,
) -> int:
    """Write down what STORE holds: repositories, tags, digests. transload pack --against FILE leaves that out.

    With --sign-key, a signature is written beside it (FILE.sig), which pack --against-key demands.

    \b
      transload inventory registry.local/arcdata -o site.json
    """
    from transload.app.baseline import write_inventory
    from transload.app.whole import nothing_there
    from transload.inventory.take import take_inventory

    network = options.network_of(flags)
    environment = read_environment()
    with Output("inventory", output, quiet) as reporter:
        place = named_place(store)
        _check_is_target(place)
        check_replaceable(out)
        signer = load_signer(sign_key, environment)
        absent = {"source_username": None, "source_password_stdin": False}
        logins = gather_logins({**flags, **absent}, environment, network, (), store)
        cancellation = Cancellation()
        with (
            stoppable(cancellation, reporter.notice),
            Stores(environment, network, logins, cancellation, ears=reporter.ears) as stores,
        ):
            named = tuple("/".join(filter(None, (place.prefix, path))) for path in repository) or None
            target = stores.target(place, create=False)
            found = take_inventory(
                target, place.prefix, repositories=named, cancellation=cancellation, working=reporter.working
            )
            if not found.manifests and not found.notes:
                raise nothing_there(target, place)
        write_inventory(out, found, signer)
        for note in found.notes:
            reporter.notice(f"note: {note}")
        key_id = signer.key_id if signer else None
        if not reporter.document("inventory", file=str(out), **_json(found), signed_by=key_id):
            told = _words(found) + (f", signed by {key_id}" if key_id else "")
            show_result(folded(f"{out}: ", told, width_of(sys.stdout)))
        return 1 if found.notes else 0


def _check_is_target(place: Location) -> None:
    """An inventory says what a far side has, and no far side is a file."""
    if place.kind == "bundle":
        raise UsageError(f"{place} is a bundle", hint=f"pack --against {place.value} takes it without an inventory")
    if place.kind == "archive":
        raise UsageError(f"{place} is an archive", hint="name the registry or the folder that it was pushed to")


def _tags(found: Inventory) -> int:
    return sum(len(shelf.tags) for shelf in found.repositories.values())


def _words(found: Inventory) -> str:
    blobs = f"{count(len(found.blobs), 'blob')} ({size(sum(found.blobs.values()))})"
    return f"{count(len(found.repositories), 'repository')}, {count(_tags(found), 'tag')}, {blobs}"


def _json(found: Inventory) -> dict[str, Any]:
    return {
        "target": found.target,
        "prefix": found.prefix,
        "repositories": len(found.repositories),
        "tags": _tags(found),
        "manifests": len(found.manifests),
        "blobs": len(found.blobs),
        "bytes": sum(found.blobs.values()),
        "notes": list(found.notes),
    }
