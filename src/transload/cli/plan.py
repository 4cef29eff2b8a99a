"""`transload plan`: decide now; `apply` copies later."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from transload.app.halfway import unknown_half_notes
from transload.app.job import Through
from transload.app.mirror import prepare
from transload.app.network import Network
from transload.app.ownplans import remember
from transload.app.planplaces import PlanPlace, check_plan_place, plan_place, write_plan
from transload.cli import ages as age_flags
from transload.cli import options
from transload.cli.command import Command
from transload.cli.commandline import command_line, command_words, connection_words, operand
from transload.cli.flags import LoginFlags, WantedFlags
from transload.cli.gather import check_via_is_used, gather, tell_the_same
from transload.cli.output import OutputFormat
from transload.cli.session import Session, open_session
from transload.cli.trusting import TrustFlags, policies, with_policy
from transload.errors import UsageError
from transload.planning import Plan
from transload.planning.ages import Ages
from transload.report.exitcodes import of_plan
from transload.values import evolve

if TYPE_CHECKING:
    pass


@click.command(cls=Command)
@options.mirrored
@options.through
@click.option(
    "-o",
    "--out",
    type=options.PLAN,
    metavar="FILE",
    help="Write the plan to this file, for transload apply; FILE.gz is compressed, oci://HOST/REPOSITORY:TAG is an "
    "artifact in a registry.",
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
    out: Path | str | None,
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
            check_plan_place(plan_place(out))
        gathered = gather(session, wanted, logins)
        gathered = evolve(gathered, job=evolve(gathered.job, through=through, ages=ages))
        gathered = with_policy(gathered, trust, session.output.notice)
        if out is not None and gathered.job.target.is_engine:
            raise UsageError("a plan for an engine has no steps to save", hint="leave --out out")
        if wanted.also_to and through is not None:
            raise UsageError("--through copies to one target, and --to names several", hint="plan it for each of them")
        if wanted.also_to:
            from transload.cli.several import plan_for_all  # most plans have one target

            return plan_for_all(session, gathered, wanted, explained=explain_tags)
        check_via_is_used(wanted)
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
            _write(prepared.plan, plan_place(out), session)
        words = command_words(gathered.job, [*connection_words(network, gathered.logins), *trust.words])
        tell_the_same(gathered, ["plan", *words])
        return of_plan(prepared.plan)


def _write(decided: Plan, place: PlanPlace, session: Session) -> None:
    with session.stoppable(), session.stores() as stores:
        at, digest = write_plan(decided, place, stores)
    remember(digest, session.environment.state)
    session.output.notice(f"plan written; to do it: {command_line(['apply', operand(at)])}")
