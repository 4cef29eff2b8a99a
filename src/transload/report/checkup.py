"""What `transload check` found: points with a verdict each, as lines for people and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from transload.errors import TransloadError
from transload.report.exitcodes import MIXED
from transload.report.problem import Problem
from transload.report.styled import Meaning, Styled, folded
from transload.report.texts import count, duration, one_line, size
from transload.values import field, frozen

Verdict = Literal["ok", "warning", "problem", "unknown"]
"""Works; works, with something to know; a run would fail; could not be found out."""

_WORDS: dict[Verdict, tuple[str, Meaning]] = {
    "ok": ("ok", "good"),
    "warning": ("warning", "warn"),
    "problem": ("problem", "bad"),
    "unknown": ("not known", "faint"),
}
_VERDICT, _ASPECT = 13, 16  # letters
_ESSENTIAL = frozenset({"connection", "push", "images"})
_NARROW = 60  # columns; below this, sentences begin on a line of their own


@frozen(kw_only=True)
class CheckPoint:
    """One thing that was looked at.

    `aspect` is its name, such as `certificate` or `push`; `store` the locator of the store that was asked. `found` is
    a sentence for people, `advice` what to do about it. `facts` are the same for programs: numbers in bytes and
    seconds, texts, lists of texts, true and false. `exit_code` is that of a run that fails for this reason.
    """

    aspect: str
    verdict: Verdict
    store: str
    found: str
    advice: str | None = None
    facts: Mapping[str, Any] = field(factory=dict)
    code: str | None = None
    exit_code: int = 0

    @classmethod
    def failed(cls, aspect: str, store: str, error: TransloadError, found: str | None = None) -> CheckPoint:
        """A problem, from the error that a run would end with."""
        problem = Problem.of(error)
        return cls(
            aspect=aspect,
            verdict="problem",
            store=store,
            found=found or problem.message,
            advice=problem.hint,
            code=problem.code,
            exit_code=problem.exit_code,
        )

    def to_json(self) -> dict[str, Any]:
        """The `points[]` object of docs/formats/json-output.md."""
        return {
            "aspect": self.aspect,
            "verdict": self.verdict,
            "store": self.store,
            "found": self.found,
            "advice": self.advice,
            "facts": dict(self.facts),
            "code": self.code,
        }


@frozen(kw_only=True)
class Checkup:
    """The result of a check of `target`.

    `images` and `bytes` say what the set would copy (None without a set, or where it could not be planned);
    `estimate_s` how long that takes at the measured speed, in seconds (None if it is not known).
    """

    target: str
    points: tuple[CheckPoint, ...]
    images: int | None = None
    bytes: int | None = None
    estimate_s: float | None = None

    def of(self, verdict: Verdict) -> tuple[CheckPoint, ...]:
        """The points with this verdict."""
        return tuple(point for point in self.points if point.verdict == verdict)

    @property
    def works(self) -> bool:
        """Whether a run would work, as far as this can be known before it. False if the right to push is not known."""
        return not (self.of("problem") or self.is_open)

    @property
    def is_open(self) -> bool:
        """Whether something that a run cannot do without could not be found out."""
        return any(point.aspect in _ESSENTIAL for point in self.of("unknown"))

    @property
    def exit_code(self) -> int:
        """0 if a run would work; the exit code that all problems share; else 1."""
        codes = {point.exit_code or MIXED for point in self.of("problem")} or ({MIXED} if self.is_open else {0})
        return codes.pop() if len(codes) == 1 else MIXED

    def to_json(self) -> dict[str, Any]:
        """The object of docs/formats/json-output.md."""
        return {
            "target": self.target,
            "works": self.works,
            "points": [point.to_json() for point in self.points],
            "images": self.images,
            "bytes": self.bytes,
            "estimate_s": self.estimate_s,
        }


def checkup_lines(checkup: Checkup, width: int | None = None, *, quiet: bool = False) -> Iterator[Styled]:
    """For people: a line for each point, and what follows from all. `quiet` leaves out what is in order."""
    stores = {point.store for point in checkup.points}
    for store in dict.fromkeys(point.store for point in checkup.points):
        points = [point for point in checkup.points if point.store == store]
        if quiet:
            points = [point for point in points if point.verdict in {"warning", "problem"}]
        if points and (len(stores) > 1 or not quiet):
            yield Styled.of((store, "strong"))
        for point in _merged(points):
            yield from _lines(point, width)
        if points:
            yield Styled()
    yield from folded("", _conclusion(checkup), width)


def _merged(points: Iterable[CheckPoint]) -> list[CheckPoint]:
    """The points; those that are not known for one reason become one, which names them all."""
    merged: dict[tuple[str, ...], CheckPoint] = {}
    names: dict[tuple[str, ...], list[str]] = {}
    for point in points:
        key = ("", point.found) if point.verdict == "unknown" else (point.aspect, point.found)
        merged.setdefault(key, point)
        names.setdefault(key, []).append(point.aspect)
    return [_named(point, names[key]) for key, point in merged.items()]


def _named(point: CheckPoint, aspects: list[str]) -> CheckPoint:
    if len(aspects) == 1:
        return point
    found = f"{', '.join(aspects)}: {point.found}"
    return CheckPoint(aspect="", verdict=point.verdict, store=point.store, found=found, advice=point.advice)


def _lines(point: CheckPoint, width: int | None) -> Iterator[Styled]:
    word, meaning = _WORDS[point.verdict]
    found = one_line(point.found)
    label = f"  {word:<{_VERDICT - 2}}"
    if width is not None and width < _NARROW:
        yield Styled.of((label.rstrip(), meaning), f"  {point.aspect}" if point.aspect else "")
        yield from folded("    ", found, width)
        indent = "    "
    else:
        aspect = f"{point.aspect:<{_ASPECT}}" if point.aspect else ""
        first, *rest = folded(label + aspect, found, width)
        yield Styled.of((label, meaning), str(first)[len(label) :])
        yield from rest
        indent = " " * len(label + aspect)
    if point.advice:
        yield from folded(f"{indent}hint: ", one_line(point.advice), width, "strong")


def _conclusion(checkup: Checkup) -> str:
    problems, warnings = len(checkup.of("problem")), len(checkup.of("warning"))
    if problems:
        return f"a run would fail: {count(problems, 'problem')}" + (
            f", {count(warnings, 'warning')}" if warnings else ""
        )
    if checkup.is_open:
        return "it is not known whether a run would work"
    text = "a run would work" + (f", with {count(warnings, 'warning')}" if warnings else "")
    if checkup.bytes is not None:
        text += f"; {size(checkup.bytes)} to copy"
    if checkup.estimate_s is not None:
        text += f" in about {duration(checkup.estimate_s)}"
    return text
