"""What the state folder says of a run that ended before it was complete, for `transload status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from transload.errors import AlreadyRunning, Interrupted, TransloadError, UsageError
from transload.report.problem import Problem
from transload.report.result import Result, exit_code
from transload.report.several import Results, targets_complete
from transload.report.texts import count, one_line

if TYPE_CHECKING:
    from transload.app.runid import RunNote
    from transload.cli.output import Output

# Commands that go on where they were stopped. A check begins again at any time, so a stopped one need not be kept.
_GO_ON = frozenset({"mirror", "apply", "pack", "push", "load", "prune", "repair"})
_BUG = 70  # the exit code of the process
_INTERRUPTED = "it was asked to stop (Ctrl-C, or a signal)"


def note_end(note: RunNote, output: Output, error: BaseException | None, code: int | None) -> None:
    """Note how the run ended: with an `error`, or with an exit `code` other than 0."""
    # a wrong command line has to be written anew, and what runs already goes on without this run
    if output.command not in _GO_ON or isinstance(error, UsageError | AlreadyRunning):
        note.complete()
    elif error is not None:
        problem = _problem(error)
        if problem.exit_code == Interrupted.exit_code:
            note.stopped(problem.exit_code, _INTERRUPTED)
            return
        note.stopped(problem.exit_code, one_line(problem.message), one_line(problem.hint or ""))
    elif code == Interrupted.exit_code:
        note.stopped(code, _INTERRUPTED)
    else:
        _note_result(note, output, code or 0)


def _note_result(note: RunNote, output: Output, code: int) -> None:
    ended, result = output.conclusion, output.ended
    if isinstance(result, Result) and result.retry is None:
        note.complete()  # such as images that a rule refuses: the same command would not bring them
        return
    why = ended.summary if ended else f"it ended with exit code {code}"
    if isinstance(result, Results):
        why = _targets(result)
    elif isinstance(result, Result) and result.failures:
        why = _failures(result)
    note.stopped(code, why, again=result.retry or "" if isinstance(result, Result) else "")


def _targets(results: Results) -> str:
    """How many targets are complete, and why the first that is not is not."""
    pairs = zip(results.targets, results.results, strict=True)
    name, result = next(pair for pair in pairs if exit_code(pair[1]))
    told = targets_complete(results)
    if result.problem is not None:
        return one_line(f"{told}; {name}: {result.problem.message}")
    return one_line(f"{told}; {name}: {_failures(result)}" if result.failures else told)


def _failures(result: Result) -> str:
    failed = result.failures
    first = next((image.problem.message for image in failed if image.problem), "")
    how_many = f"{len(failed)} of {count(len(result.images), 'image')} failed"
    return one_line(f"{how_many}; the first: {first}" if first else how_many)


def _problem(error: BaseException) -> Problem:
    if isinstance(error, TransloadError):
        return Problem.of(error)
    if isinstance(error, click.Abort | KeyboardInterrupt | click.exceptions.Exit):
        return Problem.of(Interrupted(_INTERRUPTED))
    if isinstance(error, OSError | MemoryError):
        return Problem(code="local", exit_code=8, message=str(error) or "there was no memory left")
    return Problem(code="bug", exit_code=_BUG, message="a bug ended it; standard error had more")
