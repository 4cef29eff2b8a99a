"""`transload push`: copies a carried store into a registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click

from transload.app.detect import carried_place, open_carried, signature_notes
from transload.app.job import BODIES, Job
from transload.app.location import Location
from transload.app.network import Network
from transload.app.outcome import StartTime
from transload.app.push import prepare_push
from transload.app.stores import Carried
from transload.cli import ages as age_flags
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.commandline import (
    all_words,
    command_line,
    connection_words,
    limit_words,
    operand,
    platform_words,
    referrers_words,
)
from transload.cli.console import say_notes
from transload.cli.flags import GateFlags, LoginFlags, RunFlags, WantedFlags
from transload.cli.gather import gather
from transload.cli.gating import gates, with_gates
from transload.cli.output import OutputFormat
from transload.cli.prompting import ask_for_volume
from transload.cli.recording import RecordFlags, receipted, record_signer, recording
from transload.cli.running import carry
from transload.cli.session import open_session
from transload.cli.signing import SigningFlags, record_signing
from transload.cli.trusting import TrustFlags, policies, with_policy
from transload.planning import Referrers
from transload.planning.ages import Ages
from transload.report.result import exit_code
from transload.transfer.limits import Limits
from transload.values import evolve


@click.command(cls=Command)
@click.argument("carried", metavar="BUNDLE", shell_complete=completion.files)
@options.pushed
@options.compress
@age_flags.allow_older
@options.values_folder
@gates
@options.bundle
@receipted
@record_signing
@options.target_login
@age_flags.ages
@policies
@options.network
@options.limits
@options.reports
@options.reporter
def push(
    carried: str,
    wanted: WantedFlags,
    compress: bool,
    allow_older: bool,
    values_folder: Path | None,
    gating: GateFlags,
    reading: Carried,
    record: RecordFlags,
    signing: SigningFlags,
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
    """Push a bundle to a registry, directly from its volumes; content that is there already is not sent.

    BUNDLE is a bundle's name, an OCI layout folder, an OCI archive, or a docker save archive. With --key, only
    what the key signed is read. If a volume is missing or damaged, only the images that need it fail. If an image has
    only some of its platforms, as docker save leaves it, those are pushed, and the others are named. A bundle older
    than one that was taken here is refused, and so is a tag that would move to content older than what is there;
    --allow-older takes them.

    \b
      transload push /media/usb/arcdata-2026-11 --to registry.local/arcdata
      transload push arcdata --volumes /media/disk2 --to registry.local/arcdata
      transload push arcdata --key site.pub --to registry.local/arcdata
      transload push saved.tar --compress --to registry.local/tools
    """
    with open_session("push", output, quiet, network, run) as session:
        location = carried_place(carried, reading)
        referrers = wanted.referrers or Referrers.REFRESH  # all that was carried for this target
        wanted = evolve(wanted, referrers=referrers, origin=str(location), foreign_layers=True, foreign_as_held=True)
        gathered = gather(session, wanted, logins, bodies=jobs)
        gathered = evolve(gathered, job=evolve(gathered.job, values_folder=values_folder, ages=ages))
        gathered = with_policy(gathered, trust, session.output.notice)
        signer = record_signer(record, signing, session, gating)
        gathered = with_gates(gathered, gating, session, limits, signer)
        job = gathered.job
        switches = [*(["--compress"] if compress else []), *(["--allow-older"] if allow_older else [])]
        words = [
            operand(carried),
            *_words(reading, job),
            *switches,
            *connection_words(network, gathered.logins),
            *limit_words(limits),
            *all_words(gating, record, signing, trust, run),
        ]
        again = record.again(_again(words, job))
        began = StartTime.now(again(()), session.output.run_id)
        session.begins(began.asked, began, job.target)
        records = recording(record, signer)
        if location.kind == "bundle":
            reading = evolve(reading, ask=ask_for_volume(Path(location.value), session.output.paused))
        with session.stoppable(), session.stores(gathered.logins, reading) as stores:
            session.wait(limits)
            store = open_carried(location, stores)
            if quiet and session.output.speaks and store.bundle:  # otherwise the totals have it
                say_notes(signature_notes(store.bundle))
            prepared = prepare_push(
                store,
                job,
                stores,
                session.cancellation,
                compress=compress,
                allow_older=allow_older,
                run_id=began.run_id,
            )
            if quiet and session.output.speaks and prepared.taking:
                say_notes(prepared.taking.notes())
            return exit_code(carry(session, stores, prepared, began, again, job.bodies, limits, recording=records))


def _words(reading: Carried, job: Job) -> list[str]:
    words = ["--key", str(reading.key)] if reading.key else []
    for folder in reading.folders:
        words += ["--volumes", str(folder)]
    words += ["--to", str(job.target), *(["--flatten"] if job.flatten else []), *platform_words(job)]
    words += ["--values-folder", str(job.values_folder)] if job.values_folder else []
    words += job.ages.words
    words += referrers_words(job.referrers, usual=Referrers.REFRESH)
    words += ["--recheck"] if job.recheck else []
    words += ["--target-tag", job.target_tag] if job.target_tag else []
    return words + (["--jobs", str(job.bodies)] if job.bodies != BODIES else [])


def _again(words: Iterable[str], job: Job) -> Callable[[tuple[str, ...]], str]:
    """A function that gives the command line for the named images; without names, for all that `job` wants."""
    always = ["push", *words]

    def command(names: tuple[str, ...]) -> str:
        images = [_image_word(name, job.target) for name in names]
        if job.flatten:  # the path in the bundle is then no longer known
            images = [name.partition(":")[0] for name in images]
        restricted = [word for image in dict.fromkeys(images or job.images) for word in ("--image", image)]
        return command_line([*always, *restricted])

    return command


def _image_word(name: str, target: Location) -> str:
    """A name at the target for --image: `repository:tag` or `repository@digest`, without the prefix."""
    return name.removeprefix(f"{target.prefix}/") if target.prefix else name
