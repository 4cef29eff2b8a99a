"""How a command ended, in the form that figures for monitoring and notifications are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from transload.errors import Interrupted, OutOfBytes
from transload.report.problem import Problem
from transload.report.result import RESULT_FORMAT, ReleaseResult, Result, exit_code
from transload.report.several import Results, targets_complete
from transload.report.summary import status_counts, verdict
from transload.report.texts import one_line
from transload.values import field, frozen

Status = Literal["changed", "unchanged", "left", "failed", "interrupted"]
"""`changed`: something was copied, and all is in order. `left`: so far, and the run may move no more bytes."""


@frozen(kw_only=True)
class Figures:
    """What a run did at one target. What is not known, or does not apply, is None.

    `images` counts them by status; `releases` are those that the target has now.
    """

    target: str
    complete: bool
    images: Mapping[str, int] = field(factory=dict, hash=False)
    failures: int = 0
    copied_bytes: int | None = None
    moved_bytes: int | None = None
    retries: int | None = None
    releases: tuple[ReleaseResult, ...] = ()

    @classmethod
    def of(cls, target: str, result: Result) -> Figures:
        """Those of a result."""
        complete = exit_code(result) == 0 and result.plan_share is None
        return cls(
            target=target,
            complete=complete,
            images={str(status): number for status, number in result.counts.items()},
            failures=len(result.failures),
            copied_bytes=result.share("copied").bytes,
            moved_bytes=result.moved_bytes,
            retries=result.retries,
            releases=result.releases if complete else (),
        )


@frozen(kw_only=True)
class Conclusion:
    """The end of a command: what programs read of it (`document`), a line for people, and the figures of each target.

    `changed` says whether anything was done at a target.
    """

    exit_code: int
    summary: str = field(converter=one_line)
    document: Mapping[str, Any] = field(hash=False)
    changed: bool = False
    figures: tuple[Figures, ...] = ()

    @classmethod
    def of_result(cls, result: Result | Results) -> Conclusion:
        """That of a run."""
        if isinstance(result, Results):
            return cls(
                exit_code=result.exit_code,
                summary=targets_complete(result),
                document=result.to_json(),
                changed=not all(single.is_unchanged for single in result.results),
                figures=tuple(map(Figures.of, result.targets, result.results)),
            )
        why = f": {result.problem.message}" if result.problem else ""
        counts = f": {status_counts(result)}" if result.images else ""
        return cls(
            exit_code=exit_code(result),
            summary=f"{verdict(result)[0]}{counts}{why}",
            document=result.to_json(),
            changed=not result.is_unchanged,
            figures=(Figures.of(result.target, result),),
        )

    @classmethod
    def of_problem(cls, problem: Problem, run_id: str) -> Conclusion:
        """That of a command which an error ended before there was a result."""
        document = {
            "format": RESULT_FORMAT,
            "run_id": run_id,
            "exit_code": problem.exit_code,
            "problem": problem.to_json(),
        }
        return cls(exit_code=problem.exit_code, summary=problem.message, document=document)

    @property
    def status(self) -> Status:
        """How it ended, in a word."""
        if self.exit_code == 0:
            return "changed" if self.changed else "unchanged"
        if self.exit_code == Interrupted.exit_code:
            return "interrupted"
        return "left" if self.exit_code == OutOfBytes.exit_code else "failed"
