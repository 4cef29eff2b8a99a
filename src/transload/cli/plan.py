"""`transload plan` and `transload apply`: decide now, copy later."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transload.app.answers import Answers
from transload.app.halfway import unknown_half_notes
from transload.app.job import Through
from transload.app.location import Location
from transload.app.mirror import Prepared, prepare, prepare_saved
from transload.app.network import Network
from transload.app.outcome import StartTime
from transload.app.ownplans import check_named, is_own, remember
from transload.app.settings import Environment
from transload.cli import ages as age_flags
from transload.cli import options
from transload.cli.command import Command, is_written
from transload.cli.commandline import command_line, command_words, connection_words, limit_words
from transload.cli.flags import GateFlags, LoginFlags, RunFlags, WantedFlags
from transload.cli.gather import gather, gather_logins, tell_the_same
from transload.cli.gating import gates, gates_of
from transload.cli.output import OutputFormat
from transload.cli.recording import RecordFlags, record_signer, recorded_at_target, recording
from transload.cli.running import carry
from transload.cli.session import Session, open_session
from transload.cli.signing import SigningFlags, record_signing
from transload.cli.trusting import TrustFlags, named_policies, policies, policy_named, with_policy
from transload.errors import UsageError
from transload.files import check_replaceable, local_errors, read_file, replace_file
from transload.limits import PLAN_BYTES
from transload.planning import Plan
from transload.planning.ages import Ages
from transload.planning.planfile import dump_plan, load_plan
from transload.report.exitcodes import of_plan
from transload.report.result import exit_code
from transload.transfer.limits import Limits
from transload.values import evolve

if TYPE_CHECKING:
    from transload.trust.policy import Policy


@click.command(cls=Command)
@options.mirrored
@options.through
@click.option(
    "-o", "--out", type=options.FILE, metavar="FILE", help="Write the plan to this file, for transload apply."
)
@click.option(
    "--explain-tags",
    is_flag=True,
    help="Also list every tag that a rule of an image set looked at, and say why it was taken or left.",
)
@options.logins
@age_flags.ages
@policies
@options.network
@options.reporter
def plan(
    wanted: WantedFlags,
    through: Through | None,
    out: Path | None,
    explain_tags: bool,
    logins: LoginFlags,
    ages: Ages,
    trust: TrustFlags,
    network: Network,
    output: OutputFormat,
    quiet: bool,
) -> int:
    """Say what mirror would do: per image and in total what is to copy, to mount, already there; bytes and requests.

    \b
      transload plan arcdata --to registry.local/arcdata
      transload plan arcdata --to registry.local/arcdata -o plan.json
    """
    with open_session("plan", output, quiet, network) as session:
        if out is not None:
            if wanted.also_to:
                raise UsageError(
                    "a saved plan is for one target, and --to names several", hint="save a plan for each of them"
                )
            if through is not None:
                raise UsageError("a copy by an engine has no steps to save", hint="leave --out or --through out")
            check_replaceable(out)
        gathered = gather(session, wanted, logins)
        gathered = evolve(gathered, job=evolve(gathered.job, through=through, ages=ages))
        gathered = with_policy(gathered, trust, session.output.notice)
        if out is not None and gathered.job.target.is_engine:
            raise UsageError("a plan for an engine has no steps to save", hint="leave --out out")
        if wanted.also_to and through is not None:
            raise UsageError("--through copies to one target, and --to names several", hint="plan it for each of them")
        if wanted.also_to:
            from transload.cli.several import plan_for_all  # most plans have one target

            return plan_for_all(session, gathered, wanted.also_to, explained=explain_tags)
        with session.stoppable(), session.stores(gathered.logins) as stores:
            prepared = prepare(gathered.job, stores, session.cancellation)
        notes = (*prepared.notes, *unknown_half_notes(prepared.plan, prepared.target))
        session.output.whole_plan(
            prepared.plan,
            notes,
            prepared.choices,
            prepared.additions,
            explained=explain_tags,
            verdicts=prepared.verdicts,
        )
        if explain_tags and not prepared.choices:
            session.output.notice("no set has a rule for tags, so there is nothing to explain")
        if out is not None:
            _write(prepared.plan, out, session)
        words = command_words(gathered.job, [*connection_words(network, gathered.logins), *trust.words])
        tell_the_same(gathered, ["plan", *words])
        return of_plan(prepared.plan)


def _write(decided: Plan, path: Path, session: Session) -> None:
    with local_errors("writing", path):
        content = dump_plan(decided)
        replace_file(path, content)
    remember(content, session.environment.state)
    session.output.notice(f"plan written; to do it: {command_line(['apply', str(path)])}")


@click.command(cls=Command)
@click.argument("file", type=options.FILE)
@options.named
@gates
@recorded_at_target
@record_signing
@named_policies
@options.logins
@options.network
@options.limits
@options.reports
@options.reporter
def apply(
    file: Path,
    to: str | None,
    origin: str | None,
    gating: GateFlags,
    record: RecordFlags,
    signing: SigningFlags,
    trust: TrustFlags,
    logins: LoginFlags,
    network: Network,
    limits: Limits,
    output: OutputFormat,
    quiet: bool,
    run: RunFlags,
    jobs: int,
) -> int:
    """Do what the plan in FILE says. Content that has arrived in the meantime is not sent again.

    For a plan that was not made here, --to and --from must repeat the registry that gets a password. With --policy,
    images that are not signed as it wants are refused, and the others are copied; so it is with those that a --gate
    refuses.
    """
    with open_session("apply", output, quiet, network, run) as session:
        with local_errors("reading", file):
            content = read_file(file, PLAN_BYTES + 1)
            decided = load_plan(content)
        policy = policy_named(trust)
        named = _named(decided, to, origin)
        own = is_own(content, session.environment.state)
        check = (lambda _: None) if own else partial(_check_logins, decided, named, session.environment)
        gathered = gather_logins(session, logins, decided.sources, decided.target, check)
        words = [word for flag, store in named.items() for word in (f"--{flag}", store)]
        words += [*connection_words(network, gathered), *limit_words(limits), *trust.words]
        words += [*record.words, *signing.words, *gating.words]
        began = StartTime.now(command_line(["apply", str(file), *words]), session.output.run_id)
        session.begins(began.asked, began, Location.parse(decided.target))
        signer = record_signer(record, signing, session, gating)
        looks = gates_of(gating, session, limits, signer)
        records = recording(record, signer)
        with session.stoppable(), session.stores(gathered) as stores:
            session.wait(limits)
            prepared = prepare_saved(decided, stores)
            if policy is not None:
                prepared = _judged(prepared, policy, trust, own, session)
            if looks is not None:
                from transload.app.gatedplan import gated_plan  # few plans are shown to gates

                prepared = gated_plan(prepared, looks, stores, session.cancellation, jobs)
            result = carry(session, stores, prepared, began, lambda _: began.asked, jobs, limits, recording=records)
            return exit_code(result)


def _judged(prepared: Prepared, policy: Policy, trust: TrustFlags, own: bool, session: Session) -> Prepared:
    """The same without the images that the policy refuses."""
    from transload.app.judgedplan import judged_plan  # few plans are judged
    from transload.app.trusting import Judge

    return judged_plan(prepared, Judge(policy, trust.at), session.cancellation, own=own)


def _named(decided: Plan, to: str | None, origin: str | None) -> dict[str, str]:
    """The stores of the plan that the command line names too, by flag. Defaults for other commands do not count.

    Raises `UsageError` if they are not the plan's.
    """
    named: dict[str, str] = {}
    for flag, name, text, stores in (
        ("to", "to", to, (decided.target,)),
        ("from", "origin", origin, decided.sources),
    ):
        if not text or (not is_written(name) and text.partition("/")[0] not in stores):
            continue
        store = Location.parse(text).locator
        if store not in stores:
            planned = " and ".join(stores)
            raise UsageError(f"--{flag} is {store}, but in the plan it is {planned}", hint="make the plan again")
        named[flag] = store
    return named


def _check_logins(decided: Plan, named: Mapping[str, str], environment: Environment, answers: Answers) -> None:
    """Check a plan from elsewhere, which may name any registry: only those that the user named too get a password."""
    variables = Answers.from_variables(environment.incumbent)
    if answers.target_username:
        registries = (named.get("to"), variables.target_registry)
        check_named("target", (decided.target,), registries, answers.target_username)
    if answers.source_username:
        registries = (named.get("from"), variables.source_registry)
        check_named("source", decided.sources, registries, answers.source_username)
