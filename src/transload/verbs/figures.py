"""Figures of a run for Prometheus, for programs."""

from __future__ import annotations

import os

from transload.app.runid import checked_run_id
from transload.clock import SYSTEM_CLOCK
from transload.errors import ImagesFailed, OutOfBytes, TransloadError
from transload.report.conclusion import Conclusion
from transload.report.metrics import EndedRun, check_metrics_path
from transload.report.metrics import write_metrics as write
from transload.report.problem import Problem
from transload.report.result import Result
from transload.report.several import Results
from transload.verbs import arguments


def write_metrics(
    path: str | os.PathLike[str],
    ended: Result | Results | TransloadError,
    *,
    command: str = "mirror",
    run_id: str | None = None,
) -> None:
    """Write how a run ended to `path`, as `--metrics-file` does: NAME.prom in a folder that node_exporter reads.

    `ended` is what `mirror`, `copy` or `push` returned or raised, or the `result` of what `pack` returned. Of an error
    that carries a result, as `ImagesFailed` does, that is taken. `command` and `run_id` are labels; without `run_id`,
    it is that of the result, and an error gets a new one. The file is replaced as a whole. The moment of the last
    success and the release that a target has stay in it until a run knows better. The figures are those of
    docs/formats/metrics.md.

    Raises `UsageError` for a name that does not end in `.prom`, or that cannot be a run's; `FileExists` if the file has
    something else than figures of transload; `LocalError` for a missing folder, a folder, a pipe; `PermissionRefused`.
    """
    file = arguments.path("path", path)
    text = arguments.string("command", command)
    if not isinstance(ended, Result | Results | TransloadError):
        raise TypeError(f"ended must be a Result, Results or a TransloadError, not {type(ended).__name__}")
    check_metrics_path(file)
    write(file, _ended_run(_result_in(ended), text, run_id))


def _result_in(ended: Result | Results | TransloadError) -> Result | Results | TransloadError:
    carried = ended.result if isinstance(ended, ImagesFailed | OutOfBytes) else None
    return carried if isinstance(carried, Result | Results) else ended


def _ended_run(ended: Result | Results | TransloadError, command: str, run_id: str | None) -> EndedRun:
    if isinstance(ended, TransloadError):
        name = checked_run_id(run_id)
        conclusion = Conclusion.of_problem(Problem.of(ended), name)
        return EndedRun(
            command=command,
            run_id=name,
            ended_wall_s=SYSTEM_CLOCK.wall_s(),
            duration_s=None,
            conclusion=conclusion,
        )
    results = ended.results if isinstance(ended, Results) else (ended,)
    began_wall_s = min(result.began_wall_s for result in results)
    ended_wall_s = max(result.began_wall_s + result.duration_s for result in results)
    return EndedRun(
        command=command,
        run_id=checked_run_id(run_id or results[0].run_id or None),
        ended_wall_s=ended_wall_s,
        duration_s=ended_wall_s - began_wall_s,
        conclusion=Conclusion.of_result(ended),
    )
