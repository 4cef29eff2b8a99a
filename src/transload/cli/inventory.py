"""`transload inventory`: what a target holds, to be carried back to where bundles are packed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from transload.app.place import Place
from transload.app.settings import read_environment
from transload.app.stores import Stores
from transload.cli import options
from transload.cli.guide import gather_logins
from transload.cli.progress import Output, Telling
from transload.cli.stopping import stoppable
from transload.cli.telling import show_result
from transload.files import local_errors, replace_file
from transload.nursery import Cancellation
from transload.report.texts import count, size


@click.command()
@click.argument("store", metavar="STORE")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
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
@options.target_login
@options.network
@options.telling
def inventory(store: str, out: Path, repository: tuple[str, ...], output: Output, quiet: bool, **flags: Any) -> int:
    """Write down what STORE holds: repositories, tags, digests. transload pack --against FILE leaves that out.

    \b
      transload inventory registry.local/arcdata -o site.json
    """
    from transload.planning.inventoryfile import dump
    from transload.planning.stocktaking import take_inventory

    network = options.network_of(flags)
    environment = read_environment()
    with Telling("inventory", output, quiet) as telling:
        place = Place.parse(store)
        absent = {"source_username": None, "source_password_stdin": False}
        logins = gather_logins({**flags, **absent}, environment, (), store)
        cancellation = Cancellation()
        with stoppable(cancellation, telling.notice), Stores(environment, network, logins, cancellation) as stores:
            named = tuple("/".join(filter(None, (place.prefix, path))) for path in repository) or None
            target = stores.target(place, create=False)
            found = take_inventory(target, place.prefix, repositories=named, cancellation=cancellation)
        with local_errors("writing", out):
            replace_file(out, dump(found))
        for note in found.notes:
            telling.notice(f"note: {note}")
        tags = sum(len(shelf.tags) for shelf in found.repositories.values())
        held = f"{count(len(found.blobs), 'blob')} ({size(sum(found.blobs.values()))})"
        if output == "text":
            show_result([f"{out}: {count(len(found.repositories), 'repository')}, {count(tags, 'tag')}, {held}"])
        return 1 if found.notes else 0
