"""`transload check`: says before a long run whether it will work."""

from __future__ import annotations

import sys

import click

from transload.app.location import Location
from transload.app.network import Network
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import show_result, width_of
from transload.cli.flags import LoginFlags, WantedFlags
from transload.cli.gather import gather, gather_logins
from transload.cli.kinds import Number
from transload.cli.output import OutputFormat
from transload.cli.session import open_session
from transload.threads import Cancellation
from transload.values import evolve


@click.command(cls=Command)
@click.argument("target", metavar="TARGET", shell_complete=completion.stores)
@options.packed
@click.option(
    "--deep", is_flag=True, help="Also store tiny images for a moment: mounts, ranges, types of manifests, deleting."
)
@click.option(
    "--probe-size",
    metavar="SIZE",
    type=options.SIZE,
    help="Really send a body of this size (1GB), whatever the set has, instead of only announcing one.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=Number(1, 86_400),
    default=60,
    show_default=True,
    help="Time for all questions, without that for planning the set.",
)
@options.logins
@options.network
@options.reporter
def check(
    target: str,
    wanted: WantedFlags,
    deep: bool,
    probe_size: int | None,
    timeout: float,
    logins: LoginFlags,
    network: Network,
    output: OutputFormat,
    quiet: bool,
) -> int:
    """Say before a long run whether it will work: the way to TARGET, the login, the right to push, what is taken.

    With a SET, its sources are asked too, uploads are tried in its very repositories, and the time that it takes is
    estimated. Nothing is left behind. The exit code is 0 if a run would work.

    \b
      transload check registry.local/arcdata
      transload check registry.local/arcdata arcdata
    """
    from transload.app.check.run import Check, CheckOptions, less_patient
    from transload.app.check.watch import Watch
    from transload.report.checkup import checkup_lines

    with open_session("check", output, quiet, less_patient(network)) as session:
        place = Location.parse(target)
        job = None
        if wanted.sets or wanted.origin:
            gathered = gather(session, wanted, logins, target=place)
            job, given = gathered.job, gathered.logins
        else:
            given = gather_logins(session, logins, (), target)
        watch = Watch(Cancellation.within(session.cancellation), timeout)
        inner = evolve(session, cancellation=watch.cancellation)
        wishes = CheckOptions(deep=deep, probe_bytes=probe_size)
        with session.stoppable(), inner.stores(given) as stores:
            asked = Check(place, job, stores=stores, environment=session.environment, watch=watch, options=wishes)
            checkup = asked.run()
        if not session.output.document("check", check=checkup.to_json()):
            show_result(checkup_lines(checkup, width_of(sys.stdout), quiet=quiet))
        return checkup.exit_code
