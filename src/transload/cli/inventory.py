"""`transload inventory`: writes what a target holds, to carry it back to where bundles are packed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transload.app.detect import named_place
from transload.app.location import Location
from transload.app.network import Network
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import show_result, width_of
from transload.cli.flags import LoginFlags
from transload.cli.gather import gather_logins
from transload.cli.output import OutputFormat
from transload.cli.session import open_session
from transload.cli.signing import SigningFlags, load_signer, signing_options
from transload.errors import UsageError
from transload.files import check_replaceable
from transload.report.styled import folded
from transload.report.texts import count, size

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
@signing_options
@options.target_login
@options.network
@options.reporter
def inventory(
    store: str,
    out: Path,
    repository: tuple[str, ...],
    signing: SigningFlags,
    logins: LoginFlags,
    network: Network,
    output: OutputFormat,
    quiet: bool,
) -> int:
    """Write down what STORE holds: repositories, tags, digests. transload pack --against FILE leaves that out.

    With --sign-key or --sign-command, a signature is written beside it (FILE.sig), which pack --against-key demands.

    \b
      transload inventory registry.local/arcdata -o site.json
    """
    from transload.app.baseline import write_inventory
    from transload.app.whole import nothing_there
    from transload.inventory.take import take_inventory

    with open_session("inventory", output, quiet, network) as session:
        location = named_place(store)
        _check_is_target(location)
        check_replaceable(out)
        signer = load_signer(signing, session.environment, session.output.paused)
        gathered = gather_logins(session, logins, (), store)
        session.begins()
        with session.stoppable(), session.stores(gathered) as stores:
            named = tuple("/".join(filter(None, (location.prefix, path))) for path in repository) or None
            target = stores.target(location, create=False)
            taken = take_inventory(
                target,
                location.prefix,
                repositories=named,
                cancellation=session.cancellation,
                working=session.output.working,
            )
            if not taken.manifests and not taken.notes:
                raise nothing_there(target, location)
        write_inventory(out, taken, signer)
        for note in taken.notes:
            session.output.notice(f"note: {note}")
        key_id = signer.key_id if signer else None
        if not session.output.document("inventory", file=str(out), **_json(taken), signed_by=key_id):
            words = _words(taken) + (f", signed by {key_id}" if key_id else "")
            show_result(folded(f"{out}: ", words, width_of(sys.stdout)))
        return 1 if taken.notes else 0


def _check_is_target(location: Location) -> None:
    """Raises an error for a bundle or an archive: an inventory is of a target, and no target is a single file."""
    if location.kind == "bundle":
        raise UsageError(
            f"{location} is a bundle", hint=f"pack --against {location.value} takes it without an inventory"
        )
    if location.kind == "archive":
        raise UsageError(f"{location} is an archive", hint="name the registry or the folder that it was pushed to")


def _tags(inventory: Inventory) -> int:
    return sum(len(content.tags) for content in inventory.repositories.values())


def _words(inventory: Inventory) -> str:
    blobs = f"{count(len(inventory.blobs), 'blob')} ({size(sum(inventory.blobs.values()))})"
    return f"{count(len(inventory.repositories), 'repository')}, {count(_tags(inventory), 'tag')}, {blobs}"


def _json(inventory: Inventory) -> dict[str, Any]:
    return {
        "target": inventory.target,
        "prefix": inventory.prefix,
        "repositories": len(inventory.repositories),
        "tags": _tags(inventory),
        "manifests": len(inventory.manifests),
        "blobs": len(inventory.blobs),
        "bytes": sum(inventory.blobs.values()),
        "notes": list(inventory.notes),
    }
