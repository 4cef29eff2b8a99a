"""What is done when a run is over, however it ended: its figures go to a file, and a program is told."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import click

from transload.app.notifying import Notifier
from transload.app.settings import Environment
from transload.cli.flags import RunFlags
from transload.cli.output import Output
from transload.clock import SYSTEM_CLOCK
from transload.errors import AlreadyRunning, Interrupted, LocalError, TransloadError
from transload.report.conclusion import Conclusion
from transload.report.metrics import EndedRun, check_metrics_path, write_metrics
from transload.report.problem import Problem

_BUG = 70  # the exit code of the process


class Afterwards:
    """A context manager around a run. Checks first that the file can be written and that the program exists.

    What goes wrong afterwards is a warning: the run has ended as it has.

    Raises what `check_metrics_path` and `Notifier.parse` raise.
    """

    def __init__(self, command: str, run: RunFlags, environment: Environment, output: Output) -> None:
        self._command = command
        self._environment = environment
        self._output = output
        self._metrics = run.metrics_file
        self._began_s = SYSTEM_CLOCK.monotonic_s()
        if self._metrics is not None:
            check_metrics_path(self._metrics)
        text = run.notify_command
        self._notifier = None if text is None else Notifier.parse(text, run.notify_on, environment)

    def __enter__(self) -> None:
        """The run begins."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, AlreadyRunning):  # the run that works will tell how it ended
            return
        ended = self._output.conclusion
        if error is not None or ended is None:
            ended = Conclusion.of_problem(_problem(error), self._output.run_id)
        if self._metrics is not None:
            self._write(self._metrics, ended)
        if self._notifier is not None and self._notifier.is_due(ended):
            trouble = self._notifier.notify(ended, self._output.run_id, self._environment)
            if trouble:
                self._output.warn(f"--notify-command: {trouble}")

    def _write(self, path: Path, ended: Conclusion) -> None:
        run = EndedRun(
            command=self._command,
            run_id=self._output.run_id,
            ended_wall_s=SYSTEM_CLOCK.wall_s(),
            duration_s=SYSTEM_CLOCK.monotonic_s() - self._began_s,
            conclusion=ended,
        )
        try:
            write_metrics(path, run)
        except TransloadError as trouble:
            self._output.warn(f"--metrics-file: {trouble}")


def _problem(error: BaseException | None) -> Problem:
    if isinstance(error, TransloadError):
        return Problem.of(error)
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return Problem.of(Interrupted("interrupted"))
    if isinstance(error, OSError | MemoryError):
        return Problem.of(LocalError(str(error) or "out of memory"))
    return Problem(code="bug", exit_code=_BUG, message="the program ended with a bug; standard error has more")
