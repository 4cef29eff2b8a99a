"""`transload plan` and `transload apply`: deciding now, doing later."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from transload.app.answers import Answers
from transload.app.location import Location
from transload.app.mirror import prepare, prepare_saved
from transload.app.outcome import StartTime
from transload.app.ownplans import check_named, is_own, remember
from transload.app.settings import Environment, read_environment
from transload.app.stores import Stores
from transload.cli import options
from transload.cli.command import Command, is_written
from transload.cli.commandline import command_line, command_words, connection_words
from transload.cli.gather import gather, gather_logins, tell_the_same
from transload.cli.interruption import stoppable
from transload.cli.output import Output, OutputFormat
from transload.cli.running import carry
from transload.errors import UsageError
from transload.files import check_replaceable, local_errors, read_file, replace_file
from transload.limits import PLAN_BYTES
from transload.planning import Plan
from transload.planning.planfile import dump_plan, load_plan
from transload.report.exitcodes import of_plan
from transload.report.result import exit_code
from transload.threads import Cancellation


@click.command(cls=Command)
@options.wanted
@click.option(
    "-o", "--out", type=options.FILE, metavar="FILE", help="Write the plan to this file, for transload apply."
)
@options.logins
@options.network
@options.reporter
def plan(out: Path | None, output: OutputFormat, quiet: bool, **flags: Any) -> int:
    """Say what mirror would do: per image and in total what is to copy, to mount, already there; bytes and requests.

    \b
      transload plan arcdata --to registry.local/arcdata
      transload plan arcdata --to registry.local/arcdata -o plan.json
    """
    network = options.network_of(flags)
    environment = read_environment()
    with Output("plan", output, quiet) as reporter:
        if out is not None:
            check_replaceable(out)
        given = gather(flags, environment, network)
        cancellation = Cancellation()
        with (
            stoppable(cancellation, reporter.notice),
            Stores(environment, network, given.logins, cancellation, ears=reporter.ears) as stores,
        ):
            prepared = prepare(given.job, stores, cancellation)
        reporter.whole_plan(prepared.plan, prepared.notes)
        if out is not None:
            with local_errors("writing", out):
                written = dump_plan(prepared.plan)
                replace_file(out, written)
            remember(written, environment.state)
            reporter.notice(f"plan written; to do it: {command_line(['apply', str(out)])}")
        tell_the_same(given, ["plan", *command_words(given.job, connection_words(network, given.logins))])
        return of_plan(prepared.plan)


@click.command(cls=Command)
@click.argument("file", type=options.FILE)
@options.named
@options.logins
@options.network
@options.reports
@options.reporter
def apply(file: Path, output: OutputFormat, quiet: bool, report: tuple[Path, ...], jobs: int, **flags: Any) -> int:
    """Do what the plan in FILE says. What has arrived in the meantime is not sent again.

    A plan that was not made here does not say by itself who gets a password: --to and --from repeat the registry.
    """
    network = options.network_of(flags)
    environment = read_environment()
    with Output("apply", output, quiet, report) as reporter:
        with local_errors("reading", file):
            raw = read_file(file, PLAN_BYTES + 1)
            made = load_plan(raw)
        named = _named(flags, made)
        own = is_own(raw, environment.state)
        cancellation = Cancellation()
        check = (lambda _: None) if own else partial(_check_logins, made, named, environment)
        logins = gather_logins(flags, environment, network, made.sources, made.target, check)
        words = [word for flag, store in named.items() for word in (f"--{flag}", store)]
        began = StartTime.now(command_line(["apply", str(file), *words, *connection_words(network, logins)]))
        with (
            stoppable(cancellation, reporter.notice),
            Stores(environment, network, logins, cancellation, ears=reporter.ears) as stores,
        ):
            prepared = prepare_saved(made, stores)
            return exit_code(carry(prepared, stores, reporter, cancellation, began, lambda _: began.asked, jobs))


def _named(flags: dict[str, Any], made: Plan) -> dict[str, str]:
    """The stores of the plan that the command line names too, by flag; a default for other commands may not fit.

    Raises `UsageError` where they are not the plan's.
    """
    found: dict[str, str] = {}
    for flag, stores in (("to", (made.target,)), ("from", made.sources)):
        text = flags.pop(flag)
        if not text or (not is_written(flag) and text.partition("/")[0] not in stores):
            continue
        named = Location.parse(text).locator
        if named not in stores:
            theirs = " and ".join(stores)
            raise UsageError(f"--{flag} is {named}, but in the plan it is {theirs}", hint="make the plan again")
        found[flag] = named
    return found


def _check_logins(made: Plan, named: dict[str, str], environment: Environment, given: Answers) -> None:
    """A plan from elsewhere may name any registry; a password goes to those that the user has named too."""
    variables = Answers.from_variables(environment.incumbent)
    if given.target_username:
        check_named("target", (made.target,), (named.get("to"), variables.target_registry), given.target_username)
    if given.source_username:
        check_named("source", made.sources, (named.get("from"), variables.source_registry), given.source_username)
