"""`transload apply`: do what a plan says that was made earlier."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transload.app.answers import Answers
from transload.app.job import BODIES
from transload.app.location import Location
from transload.app.mirror import Prepared
from transload.app.network import Network
from transload.app.outcome import StartTime
from transload.app.ownplans import check_named, is_own
from transload.app.planplaces import opened_plan, plan_place
from transload.app.saved import prepare_saved
from transload.app.settings import Environment
from transload.cli import options
from transload.cli.command import Command, is_written
from transload.cli.commandline import all_words, command_line, connection_words, limit_words, operand
from transload.cli.flags import GateFlags, LoginFlags, RunFlags
from transload.cli.gather import gather_logins
from transload.cli.gating import gates, gates_of
from transload.cli.output import OutputFormat
from transload.cli.recording import RecordFlags, record_signer, recorded_at_target, recording
from transload.cli.running import carry
from transload.cli.session import Session, open_session
from transload.cli.sharing import ShareFlags, prepared_finish, prepared_share, share_wanted, shares
from transload.cli.signing import SigningFlags, record_signing
from transload.cli.trusting import TrustFlags, named_policies, policy_named
from transload.errors import UsageError
from transload.oci import Digest
from transload.planning import Plan
from transload.planning.planfile import read_plan
from transload.report.result import exit_code
from transload.transfer.limits import Limits

if TYPE_CHECKING:
    from transload.app.stores import Stores
    from transload.trust.policy import Policy


@click.command(cls=Command)
@click.argument("file", type=options.PLAN)
@shares
@options.named
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Let the workers of this Dask scheduler copy: tcp://HOST:8786 or tls://HOST:8786. Waits for a worker.",
)
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
    file: Path | str,
    sharing: ShareFlags,
    to: str | None,
    origin: str | None,
    dask: str | None,
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

    Several machines can do one plan together, each a share of its blobs. The last command points the tags:

    \b
      transload apply plan.json --share 1/8             and so on, to 8/8
      transload apply plan.json --finish --of 8
    """
    with open_session("apply", output, quiet, network, run) as session:
        decided, digest = _read(file, session)
        which = share_wanted(sharing, session, dask)
        if which is not None:  # what images must pass, and what is recorded of them, belongs to the finish
            trust, record, signing, gating = TrustFlags(), RecordFlags(), SigningFlags(), GateFlags()
        if dask is not None:
            from transload.cli.clustered import check_clustered  # few plans are carried out by a cluster

            check_clustered(dask, decided, logins, network, limits)
        policy = policy_named(trust)
        named = _named(decided, to, origin)
        own = is_own(digest, session.environment.state)
        check = (lambda _: None) if own else partial(_check_logins, decided, named, session.environment)
        gathered = gather_logins(session, logins, decided.sources, decided.target, check)
        words = [word for flag, store in named.items() for word in (f"--{flag}", store)]
        words += ["--dask", dask] if dask is not None else []
        words += connection_words(network, gathered)
        again = command_line(["apply", operand(file), *words])
        words += limit_words(limits) + (["--jobs", str(jobs)] if jobs != BODIES else []) + run.words
        checks = all_words(trust, record, signing, gating)
        asked = command_line(["apply", operand(file), *sharing.words(which), *words, *checks])
        began = StartTime.now(asked, session.output.run_id)
        session.begins(began.asked, began, Location.parse(decided.target))
        signer = record_signer(record, signing, session, gating)
        looks = gates_of(gating, session, limits, signer)
        records = recording(record, signer)
        with session.stoppable(), session.stores(gathered) as stores, _workers(dask, session, network, jobs) as given:
            session.wait(limits)
            prepared = prepared_share(decided, which, stores, again) if which else prepare_saved(decided, stores)
            if policy is not None:
                prepared = _judged(prepared, policy, trust, own, session)
            if looks is not None:
                from transload.app.gatedplan import gated_plan  # few plans are shown to gates

                prepared = gated_plan(prepared, looks, stores, session.cancellation, jobs)
            if sharing.finish:
                prepared = prepared_finish(prepared, decided, sharing, stores, session, again)
            prepared = given(prepared, stores)
            result = carry(session, stores, prepared, began, lambda _: began.asked, jobs, limits, recording=records)
            return exit_code(result)


def _workers(
    dask: str | None, session: Session, network: Network, jobs: int
) -> AbstractContextManager[Callable[[Prepared, Stores], Prepared]]:
    """What gives the steps of a plan to the workers of a cluster; without one, they stay here."""
    if dask is None:
        return contextlib.nullcontext(lambda prepared, _: prepared)
    from transload.cli.clustered import on_cluster

    return on_cluster(dask, session, network, jobs)


def _read(file: Path | str, session: Session) -> tuple[Plan, Digest]:
    """The plan and its digest. An artifact is read with the logins of docker and podman."""
    with session.stoppable(), session.stores() as stores, opened_plan(plan_place(file), stores) as opened:
        return read_plan(opened)


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
