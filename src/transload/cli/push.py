"""`transload push`: what was carried, into a registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from transload.app.place import Place
from transload.app.pushing import carried_place, prepare_push
from transload.app.settings import read_environment
from transload.app.stores import Carried, Stores
from transload.cli import options
from transload.cli.again import command_line, connection_words
from transload.cli.asking import ask_for_volume
from transload.cli.carrying import Began, carry
from transload.cli.guide import gather, is_interactive
from transload.cli.progress import Output, Telling
from transload.cli.stopping import stoppable
from transload.nursery import Cancellation
from transload.report.result import exit_code

_NO_SOURCE = dict.fromkeys(
    ("from", "tag", "target_tag", "platform", "source_registry", "source_repository", "source_username", "discover")
) | {"narrow": "rewritten", "platform": (), "referrers": True, "foreign_layers": True, "allow_missing": False}


@click.command()
@click.argument("carried", metavar="BUNDLE")
@options.to
@click.option("--image", metavar="NAME", multiple=True, help="Only this image (repeatable).")
@click.option("--flatten", is_flag=True, help="Keep only the last part of each repository path at the target.")
@options.bundle
@options.target_login
@options.network
@options.reports
@options.telling
def push(
    carried: str,
    key: Path | None,
    volumes: tuple[Path, ...],
    output: Output,
    quiet: bool,
    report: tuple[Path, ...],
    **flags: Any,
) -> int:
    """Push a bundle to a registry, straight from its volumes; what is there already is not sent.

    BUNDLE is a bundle's name, an OCI layout folder, an OCI archive, or a docker save archive. With --key, nothing that
    the key did not sign is read. A volume that is missing or damaged costs only the images that need it.

    \b
      transload push /media/usb/arcdata-2026-11 --to registry.local/arcdata
      transload push arcdata --volumes /media/disk2 --key site.pub --to registry.local/arcdata
    """
    network = options.network_of(flags)
    environment = read_environment()
    with Telling("push", output, quiet, report) as telling:
        place = carried_place(carried)
        more = {"sets": (), **_NO_SOURCE, "discover": False, "source_password_stdin": False, "from": str(place)}
        given = gather({**more, **flags}, environment, network)
        connection = connection_words(network, given.logins)
        words = ["push", carried, *_words(key, volumes), *_target_words(given.job.target, flags), *connection]
        began = Began.now(command_line(words))
        cancellation = Cancellation()
        access = Carried(volumes, key, ask_for_volume if is_interactive() else None)
        with (
            stoppable(cancellation, telling.notice),
            Stores(environment, network, given.logins, cancellation, access) as stores,
        ):
            prepared = prepare_push(place, given.job, stores, cancellation)
            result = carry(prepared, stores, telling, cancellation, began, lambda _: began.asked, given.job.bodies)
        return exit_code(result)


def _words(key: Path | None, volumes: tuple[Path, ...]) -> list[str]:
    words = ["--key", str(key)] if key else []
    for folder in volumes:
        words += ["--volumes", str(folder)]
    return words


def _target_words(target: Place, flags: dict[str, Any]) -> list[str]:
    words = ["--to", str(target)]
    for image in flags["image"]:
        words += ["--image", image]
    return words + (["--flatten"] if flags["flatten"] else [])
