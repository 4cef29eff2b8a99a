"""`transload mirror`: the main job."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from transload.app.mirroring import prepare
from transload.app.settings import read_environment
from transload.app.stores import Stores
from transload.cli import options
from transload.cli.carrying import Began, carry, command_words, retry_command
from transload.cli.guide import gather
from transload.cli.progress import Output, Telling
from transload.cli.stopping import stoppable
from transload.nursery import Cancellation
from transload.report.result import exit_code


@click.command()
@options.wanted
@options.logins
@options.network
@options.reports
@options.telling
def mirror(output: Output, quiet: bool, reports: tuple[Path, ...], **flags: Any) -> int:
    """Copy images from where they are published to your registry: complete, unchanged, each layer once.

    SET is a catalog (arcdata, bdc), a file (image set, catalog, list of references), or an image reference. On a
    terminal, without SET and --to, it asks for everything in the order of the vendor's script; the script's variables
    SOURCE_DOCKER_… and TARGET_DOCKER_… answer in advance.

    \b
      transload mirror arcdata --to registry.local/arcdata
      transload mirror arcdata --tag v1.39.0..v1.46.0 --to registry.local/arcdata
      transload mirror quay.io/jetstack/cert-manager-webhook:v1.14.0 --to registry.local/mirror
    """
    network = options.network_of(flags)
    environment = read_environment()
    with Telling("mirror", output, quiet, reports) as telling:
        given = gather(flags, environment, network)
        job = given.job
        began = Began.now(shlex.join(["transload", "mirror", *command_words(job)]))
        cancellation = Cancellation()
        with (
            stoppable(cancellation, telling.notice),
            Stores(environment, network, given.logins, cancellation) as stores,
        ):
            prepared = prepare(job, stores, cancellation)
            return exit_code(carry(prepared, stores, telling, cancellation, began, retry_command(job), job.bodies))
