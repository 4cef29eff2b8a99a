"""`transload mirror`: the main job."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from transload.app.mirroring import prepare
from transload.app.settings import read_environment
from transload.app.stores import Stores
from transload.cli import options
from transload.cli.again import command_line, command_words, connection_words, retry_command
from transload.cli.carrying import Began, carry
from transload.cli.command import Command
from transload.cli.guide import agreed, gather, no_question, tell_the_same
from transload.cli.progress import Output, Telling
from transload.cli.stopping import stoppable
from transload.nursery import Cancellation
from transload.report.result import exit_code


@click.command(cls=Command)
@options.wanted
@options.logins
@options.network
@options.reports
@options.telling
def mirror(output: Output, quiet: bool, report: tuple[Path, ...], **flags: Any) -> int:
    """Copy images from where they are published to your registry: complete, unchanged, each layer once.

    SET is a catalog (arcdata, bdc), a file (image set, catalog, list of references), or an image reference. On a
    terminal, without SET, it asks for everything in the order of the vendor's script; the script's variables
    SOURCE_DOCKER_… and TARGET_DOCKER_… answer in advance.

    \b
      transload mirror arcdata --to registry.local/arcdata
      transload mirror arcdata --tag 1.39..1.46 --to registry.local/arcdata
      transload mirror quay.io/prometheus/node-exporter:v1.8.2 --to oci:folder
    """
    network = options.network_of(flags)
    environment = read_environment()
    with Telling("mirror", output, quiet, report) as telling:
        given = gather(flags, environment, network)
        job = given.job
        more = connection_words(network, given.logins)
        began = Began.now(command_line(["mirror", *command_words(job, more)]))
        cancellation = Cancellation()
        with (
            stoppable(cancellation, telling.notice),
            Stores(environment, network, given.logins, cancellation, ears=telling.ears) as stores,
        ):
            prepared = prepare(job, stores, cancellation)
            retry = retry_command(job, more)
            agree = partial(agreed, job.target) if given.asked else no_question
            result = carry(prepared, stores, telling, cancellation, began, retry, job.bodies, agree)
        tell_the_same(given, ["mirror", *command_words(job, more)])
        return exit_code(result)
