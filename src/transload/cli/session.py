"""What every command on stores needs: environment, network settings, output, and cancellation.

The order is the same for all: the output is opened first, so that programs hear of every error; then what the flags
say is checked; stores are opened last.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from transload.app.network import Network
from transload.app.runid import checked_run_id, note_run
from transload.app.settings import Environment, read_environment
from transload.app.stores import NOTHING_SAID, Carried, Listeners, Logins, Stores
from transload.cli.command import is_written, typed_words
from transload.cli.flags import RunFlags
from transload.cli.forprograms import running_stream
from transload.cli.interruption import stoppable
from transload.cli.output import Output, OutputFormat
from transload.clock import SYSTEM_CLOCK
from transload.errors import LocalError, ReferenceInvalid, UsageError
from transload.events import Event, RunPaused, RunResumed, ignore
from transload.oci.reference import check_registry
from transload.report.sentences import pause_sentence
from transload.threads import Cancellation
from transload.values import field, frozen

if TYPE_CHECKING:
    from transload.app.location import Location
    from transload.app.outcome import StartTime
    from transload.cli.logging import LogFile
    from transload.events import Listener
    from transload.report.tally import Tally
    from transload.transfer.limits import Limits


@frozen
class Session:
    """The environment, settings and output of one command."""

    output: Output
    environment: Environment
    network: Network
    cancellation: Cancellation = field(factory=Cancellation)

    def begins(self, line: str | None = None, began: StartTime | None = None, *targets: Location) -> None:
        """Note in the state folder that the run which `line` repeats begins now, until the command ends.

        Without `line`, the words that were typed repeat it. With `began`, its reports are written even if it has no
        plan for `targets`.
        """
        if began is not None and self.output.reports:
            self.output.reports.begins(began, targets)
        if line is None:
            from transload.cli.commandline import command_line  # commands that need no words of their own

            line = command_line(typed_words())
        note = note_run(self.environment.state, self.output.command, line, self.output.run_id)
        if note is not None:
            running_stream().note = (note, self.output)

    def following(self, tally: Tally) -> Listener:
        """A listener that notes there how far the run is."""
        noted = running_stream().note
        return noted[0].following(tally) if noted else ignore

    def stoppable(self) -> AbstractContextManager[None]:
        """During the block, the first Ctrl-C ends the work at a safe point."""
        return stoppable(self.cancellation, self.output.notice)

    def wait(self, limits: Limits) -> None:
        """Wait for the hours of `limits`, if it is outside them."""

        def tell(event: Event) -> None:
            if isinstance(event, (RunPaused, RunResumed)):
                self.output.notice(pause_sentence(event))
                if noted := running_stream().note:
                    noted[0].waits(event.until if isinstance(event, RunPaused) else None)

        limits.wait(SYSTEM_CLOCK, self.cancellation, tell)

    def stores(
        self, logins: Logins | None = None, carried: Carried = NOTHING_SAID, listeners: Listeners | None = None
    ) -> Stores:
        """The stores of the command, for a block. Their events go to the output, or to `listeners`."""
        stores = Stores(
            self.environment,
            self.network,
            logins or Logins(),
            self.cancellation,
            carried=carried,
            listeners=listeners or self.output.listeners,
        )
        if self.output.reports:
            self.output.reports.watch(stores)
        return stores


@contextlib.contextmanager
def open_session(
    command: str, output: OutputFormat, quiet: bool, network: Network | None = None, run: RunFlags | None = None
) -> Iterator[Session]:
    """The session of `command` for a block. Checks the flags before it opens anything.

    Raises `LocalError` for a file of `network` or a report that cannot be used, `ReferenceInvalid` for an invalid host,
    `UsageError` for a report without a known format or a run id that cannot be one, and what `Afterwards` raises.
    """
    run = run or RunFlags()
    run_id = checked_run_id(run.run_id)
    with Output(command, output, quiet, run.report, run_id=run_id, log=_log(command, run_id, run)) as opened:
        if network is not None:
            _check_network(network)
        environment = read_environment()
        with _afterwards(command, opened, run, environment):
            yield Session(opened, environment, network or Network())


def _log(command: str, run_id: str, run: RunFlags) -> LogFile | None:
    if run.log_file is None:
        if is_written("log_format"):
            raise UsageError(
                "--log-format without --log-file has no effect", hint="add --log-file FILE, or - for standard error"
            )
        return None
    from transload.cli.logging import open_log  # few runs have one

    return open_log(command, run_id, run)


def _afterwards(command: str, output: Output, run: RunFlags, environment: Environment) -> AbstractContextManager[None]:
    """What is done when the run is over, around it."""
    if run.notify_command is None and is_written("notify_on"):
        raise UsageError(
            "--notify-on without --notify-command has no effect", hint="add --notify-command COMMAND, or leave it out"
        )
    if not run.has_afterwards:
        return contextlib.nullcontext()
    from transload.cli.afterwards import Afterwards  # few runs: it starts programs

    return Afterwards(command, run, environment, output)


def _check_network(network: Network) -> None:
    """Raises `LocalError` for a missing file, `ReferenceInvalid` for a text that is no host."""
    _check_hosts("--insecure-tls", network.insecure_tls)
    _check_hosts("--plain-http", network.plain_http)
    _check_hosts("--allow-realm", network.realms)
    for path in (*network.ca_files, network.client_certificate, network.client_key):
        if path is not None and not path.is_file():
            raise LocalError(
                f"there is no file {path}", subject=str(path), hint="check --ca-file, --client-cert and --client-key"
            )


def _check_hosts(flag: str, hosts: Iterable[str]) -> None:
    """Raises `ReferenceInvalid` for a text that is no host: it would silently have no effect."""
    for host in hosts:
        try:
            check_registry(host)
        except ReferenceInvalid as error:
            raise ReferenceInvalid(f"{flag}: {error.message}", hint=error.hint) from error
