"""`transload mirror`: the main job."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transload.app.mirror import prepare
from transload.app.outcome import StartTime
from transload.cli import ages as age_flags
from transload.cli import options
from transload.cli.command import Command
from transload.cli.commandline import (
    all_words,
    command_line,
    command_words,
    connection_words,
    limit_words,
    retry_command,
)
from transload.cli.declaring import option
from transload.cli.gather import agreed, check_via_is_used, gather, no_question, tell_the_same
from transload.cli.gating import gates, with_gates
from transload.cli.recording import RecordFlags, record_signer, recorded_at_target, recording
from transload.cli.running import carry
from transload.cli.session import open_session
from transload.cli.signing import SigningFlags, record_signing
from transload.cli.trusting import TrustFlags, policies, with_policy
from transload.errors import UsageError
from transload.report.result import exit_code
from transload.values import evolve

if TYPE_CHECKING:
    from transload.app.job import Through
    from transload.app.network import Network
    from transload.cli.flags import GateFlags, LoginFlags, RunFlags, WantedFlags
    from transload.cli.output import OutputFormat
    from transload.planning.ages import Ages
    from transload.transfer.limits import Limits


@click.command(cls=Command)
@options.mirrored
@option(
    "--if-new",
    is_flag=True,
    help="For cron: one line if the target has everything, and no second run of the same command at a time.",
)
@options.verify_medium
@options.values_folder
@options.through
@recorded_at_target
@record_signing
@gates
@options.logins
@age_flags.ages
@policies
@options.network
@options.limits
@options.reports
@options.reporter
def mirror(
    wanted: WantedFlags,
    if_new: bool,
    verify_medium: bool,
    values_folder: Path | None,
    through: Through | None,
    record: RecordFlags,
    signing: SigningFlags,
    gating: GateFlags,
    logins: LoginFlags,
    ages: Ages,
    trust: TrustFlags,
    network: Network,
    limits: Limits,
    output: OutputFormat,
    quiet: bool,
    run: RunFlags,
    jobs: int,
) -> int:
    """Copy images from where they are published to your registry: complete, unchanged, each layer once.

    SET is a catalog (arcdata, bdc), a file (image set, catalog, list of references), an image reference, or a Helm
    chart (oci://…, https://…), which brings its images. On a terminal, without SET, it asks for everything in the order
    of the vendor's script; the script's variables SOURCE_DOCKER_… and TARGET_DOCKER_… answer in advance.

    \b
      transload mirror arcdata --to registry.local/arcdata
      transload mirror arcdata --tag 1.39..1.46 --to registry.local/arcdata
      transload mirror arcdata --to registry.local/arcdata --to oci:folder
      transload mirror arcdata --to registry.local/arcdata --if-new
      transload mirror quay.io/prometheus/node-exporter:v1.8.2 --to oci:folder
      transload mirror arcdata --to registry.local/arcdata --through docker
    """
    with open_session("mirror", output, quiet, network, run) as session, ExitStack() as held:
        gathered = gather(session, wanted, logins, bodies=jobs)
        if through is not None:
            _check_through(several=bool(wanted.also_to), if_new=if_new, limited=limits.max_bytes is not None)
        gathered = evolve(gathered, job=evolve(gathered.job, values_folder=values_folder, through=through, ages=ages))
        gathered = with_policy(gathered, trust, session.output.notice)
        signer = record_signer(record, signing, session, gating)
        gathered = with_gates(gathered, gating, session, limits, signer)
        job = gathered.job
        if job.target.is_engine and limits.max_bytes is not None:
            raise UsageError("--max-bytes does not go with an engine as the target", hint="leave it out")
        more = [*connection_words(network, gathered.logins), *limit_words(limits)]
        records = recording(record, signer, several=bool(wanted.also_to))
        more += ["--verify-medium"] if verify_medium else []
        more += all_words(gating, record, signing, trust, run)
        targets = (str(job.target), *wanted.also_to)
        if if_new:
            from transload.app.onlyone import only_one  # runs of cron

            session.output.only_new(*targets)
            held.enter_context(only_one(session.environment.state, [*command_words(job), *targets, *wanted.via]))
        if wanted.also_to:
            from transload.cli.several import mirror_to_all  # most runs have one target

            return mirror_to_all(session, gathered, wanted, more, limits, verify_medium=verify_medium)
        check_via_is_used(wanted)
        if verify_medium:
            from transload.app.readback import check_on_medium, with_read_back  # few runs; it imports bundles

            check_on_medium(job.target)
        words = ["mirror", *command_words(job, more)]
        began = StartTime.now(command_line(words), session.output.run_id)
        again = record.again(retry_command(job, more))
        session.begins(again(()), began, job.target)
        agree = partial(agreed, job.target) if gathered.asked else no_question
        with session.stoppable(), session.stores(gathered.logins) as stores:
            session.wait(limits)
            early = not gathered.asked and records is None and (limits.max_bytes, limits.between) == (None, None)
            prepared = prepare(evolve(job, begins_early=early), stores, session.cancellation)
            if verify_medium:
                prepared = with_read_back(prepared, stores, session.cancellation)
            result = carry(session, stores, prepared, began, again, job.bodies, limits, agree, records)
        tell_the_same(gathered, words)
        return exit_code(result)


def _check_through(*, several: bool, if_new: bool, limited: bool) -> None:
    """Raises `UsageError` for what cannot be had from a copy by an engine."""
    if several:
        raise UsageError("--through copies to one target, and --to names several", hint="run it for each of them")
    for is_wanted, flag in ((if_new, "--if-new"), (limited, "--max-bytes")):
        if is_wanted:
            raise UsageError(
                f"{flag} does not go with --through: the engine alone knows what it moves",
                hint=f"leave {flag} or --through out",
            )
