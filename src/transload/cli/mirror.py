"""`transload mirror`: the main job."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from transload.app.mirror import prepare
from transload.app.outcome import StartTime
from transload.app.settings import read_environment
from transload.app.stores import Stores
from transload.cli import options
from transload.cli.command import Command
from transload.cli.commandline import command_line, command_words, connection_words, retry_command
from transload.cli.gather import agreed, gather, no_question, tell_the_same
from transload.cli.interruption import stoppable
from transload.cli.output import Output, OutputFormat
from transload.cli.running import carry
from transload.report.result import exit_code
from transload.threads import Cancellation


@click.command(cls=Command)
@options.wanted
@options.logins
@options.network
@options.reports
@options.reporter
def mirror(output: OutputFormat, quiet: bool, report: tuple[Path, ...], **flags: Any) -> int:
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
    with Output("mirror", output, quiet, report) as reporter:
        given = gather(flags, environment, network)
        job = given.job
        more = connection_words(network, given.logins)
        began = StartTime.now(command_line(["mirror", *command_words(job, more)]))
        cancellation = Cancellation()
        with (
            stoppable(cancellation, reporter.notice),
            Stores(environment, network, given.logins, cancellation, ears=reporter.ears) as stores,
        ):
            prepared = prepare(job, stores, cancellation)
            retry = retry_command(job, more)
            agree = partial(agreed, job.target) if given.asked else no_question
            result = carry(prepared, stores, reporter, cancellation, began, retry, job.bodies, agree)
        tell_the_same(given, ["mirror", *command_words(job, more)])
        return exit_code(result)
