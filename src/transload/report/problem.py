"""An error as a value for reports: always the same words for people, and an object for programs."""

from __future__ import annotations

from typing import Any

from transload.errors import (
    AccessError,
    DiskFull,
    Interrupted,
    PolicyRefused,
    ReadOnly,
    RefusedByRule,
    Side,
    TransloadError,
    Unreachable,
)
from transload.report.styled import Styled, folded
from transload.report.texts import cut, one_line, with_short_digests
from transload.values import evolve, frozen

# Errors that stop many images for one reason, with different words each: which blob was on its way.
_SHARED_EXIT_CODES = {AccessError.exit_code, Unreachable.exit_code}
_SHARED_CODES = {DiskFull.code, ReadOnly.code}


@frozen(kw_only=True)
class Problem:
    """What an error says, without the traceback. `store` is the locator of the store on its side, where known.

    The other fields are those of `TransloadError`: `code` for programs, `message` and `hint` for people, `subject`,
    `side`, `retryable`, and the `exit_code` that the command line ends with. `by_rule`: it is a `RefusedByRule`.
    """

    code: str
    exit_code: int
    message: str
    side: Side | None = None
    store: str | None = None
    subject: str | None = None
    hint: str | None = None
    retryable: bool = False
    by_rule: bool = False

    @classmethod
    def of(cls, error: TransloadError, *, source: str | None = None, target: str | None = None) -> Problem:
        """From an error; `source` and `target` are the locators of the stores in question."""
        store = {"source": source, "target": target, None: None}[error.side]
        return cls(
            code=error.code,
            exit_code=error.exit_code,
            message=cut(error.message),
            side=error.side,
            store=store,
            subject=None if error.subject is None else cut(str(error.subject)),
            hint=None if error.hint is None else cut(error.hint),
            retryable=error.retryable,
            by_rule=isinstance(error, RefusedByRule),
        )

    @property
    def where(self) -> str:
        """Side, store and subject in one text, without what the message already says; empty if unknown."""
        repeated = self.subject is None or self.subject in self.message or self.subject == self.store
        store = " ".join(filter(None, (self.side, self.store)))
        return one_line(", ".join(filter(None, (store, None if repeated else self.subject))))

    def not_published(self) -> Problem:
        """The problem in words that are the same for every image that the source lacks, so that it is shown once."""
        return evolve(self, message=f"not published at {self.store or 'the source'}", subject=None)

    def to_json(self) -> dict[str, Any]:
        """The `problem` object of docs/formats/json-output.md: every key always there, null where unknown."""
        return {
            "code": self.code,
            "exit_code": self.exit_code,
            "side": self.side,
            "store": self.store,
            "subject": self.subject,
            "message": self.message,
            "hint": self.hint,
            "retryable": self.retryable,
        }


def without_subject(problem: Problem) -> Problem:
    """A value that is equal for all problems with one cause (no access, unreachable, disk full), to explain it once.

    Problems with content never share a cause.
    """
    if problem.exit_code in _SHARED_EXIT_CODES or problem.code in _SHARED_CODES:
        return evolve(problem, message="", subject=None)
    return of_several(problem)


def of_several(problem: Problem) -> Problem:
    """The problem of several images, with the name of none: a policy refuses many for one reason."""
    if problem.code != PolicyRefused.code or problem.subject is None:
        return problem
    return evolve(problem, message=problem.message.removeprefix(f"{problem.subject} is "), subject=None)


def problem_lines(problem: Problem, width: int | None = None, indent: str = "", title: str = "error") -> list[Styled]:
    """For people: what happened, where, and what to do next. Digests are shortened if there is a `width`.

    >>> problem = Problem(code="busy", exit_code=8, message="another run is at work", hint="wait for it")
    >>> print(*problem_lines(problem), sep="\\n")
    error: another run is at work
      hint: wait for it
    """
    if problem.code == Interrupted.code:  # the reader did it, so there is nothing to explain
        return [Styled.of(f"{indent}interrupted")]
    message = one_line(problem.message)
    lines = folded(f"{indent}{title}: ", message if width is None else with_short_digests(message), width, "bad")
    if problem.where:
        where = problem.where if width is None else with_short_digests(problem.where)
        lines += folded(f"{indent}  where: ", where, width, "faint")
    if problem.hint:
        lines += folded(f"{indent}  hint: ", one_line(problem.hint), width, "strong")
    return lines
