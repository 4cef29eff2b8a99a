"""What a gate said of an image: a program of the site that looked at it before it was copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from transload.report.problem import Problem
from transload.report.texts import harmless
from transload.values import frozen

if TYPE_CHECKING:
    from transload.transfer.outcome import Attachments

OutputFormat = Literal["sarif", "cyclonedx", "spdx", "json", "text"]
"""What a program's output is, by looking at it."""


@frozen(kw_only=True)
class GateResult:
    """What a gate said of an image. `command` is as it was given, with `{image}` in it.

    `exit_code` is None if the program did not end by itself. `problem` says why the image was refused; None if it
    passed. `lines` are the first lines of the output, for people. `output_format`, `output_bytes` and `output_sha256`
    are about standard output; `file` is where it was written, if that was wanted. `duration_s` is in seconds.
    """

    command: str
    exit_code: int | None
    problem: str | None
    lines: tuple[str, ...] = ()
    output_format: OutputFormat = "text"
    output_bytes: int = 0
    output_sha256: str = ""
    file: str | None = None
    duration_s: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether the gate let the image pass."""
        return self.problem is None

    def to_json(self) -> dict[str, Any]:
        """One entry of `gates` in docs/formats/json-output.md."""
        return {
            "command": harmless(self.command),
            "passed": self.passed,
            "exit_code": self.exit_code,
            "problem": self.problem,
            "lines": list(self.lines),
            "output": {
                "format": self.output_format,
                "bytes": self.output_bytes,
                "sha256": self.output_sha256,
                "file": self.file,
            },
            "duration_s": round(self.duration_s, 3),
        }


@frozen(kw_only=True)
class GatesAttached:
    """How many attestations of gates were attached to images at the target, and why not all, if so."""

    new: int
    failed: int
    problem: Problem | None = None

    @classmethod
    def of(cls, attached: Attachments, target: str) -> GatesAttached | None:
        """The same for reports; None where nothing was to be attached."""
        if not (attached.new or attached.failed):
            return None
        problem = Problem.of(attached.error, target=target) if attached.error else None
        return cls(new=attached.new, failed=attached.failed, problem=problem)

    def to_json(self) -> dict[str, Any]:
        """The `attestations` object of docs/formats/json-output.md."""
        problem = self.problem.to_json() if self.problem else None
        return {"attached": self.new, "failed": self.failed, "problem": problem}
