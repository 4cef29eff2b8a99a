"""Paths to fields that are images: `spec.image`, `spec.workers[].image`, `spec.images.*`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from transload.discovery.finding import Finding, Place, Question, Sureness
from transload.discovery.judging import judged
from transload.discovery.values import is_absent
from transload.documents.value import Value
from transload.errors import UsageError
from transload.values import frozen

_STEP = re.compile(r'"([^"]+)"|([^.\[\]"]+)')
_LENGTH = 300


@frozen
class FieldPath:
    """The keys on the way to a field; `*` is every value of a mapping, `[]` every item of a list."""

    text: str
    steps: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> FieldPath:
        """Read a path: keys between dots, `[]` or `[*]` after a list, `*` for any key. Raises `UsageError`.

        A key with dots in it stands in double quotes. A dot or `$.` at the beginning, as jq and kubectl write it, is
        left out.

        >>> FieldPath.parse("spec.workers[].image").steps
        ('spec', 'workers', '[]', 'image')
        """
        rest = text.strip().removeprefix("$").removeprefix(".")
        steps: list[str] = []
        while rest and len(text) <= _LENGTH:
            listed = next((mark for mark in ("[]", "[*]") if rest.startswith(mark)), None)
            if listed and steps:
                steps.append("[]")
                rest = rest[len(listed) :]
            elif step := _STEP.match(rest.removeprefix(".") if steps else rest):
                rest = (rest.removeprefix(".") if steps else rest)[step.end() :]
                steps.append(step[1] or step[2])
            else:
                break
        if rest or not steps:
            raise UsageError(
                f"{text[:_LENGTH]!r} is not a path to a field",
                hint="write keys with dots between them, and [] after a list: spec.workers[].image",
            )
        return cls(text, tuple(steps))

    def read(
        self, document: Value, within: str = "", rule: str = "field", sureness: Sureness = "certain"
    ) -> Iterator[Finding | Question]:
        """The fields of a document that are there, each as a finding or a question."""
        for value in self.values(document):
            if isinstance(value.content, str):
                yield judged(value.content, Place.of(value, within), rule, sureness)
            else:
                yield Question(text="", place=Place.of(value, within), reason="the field is not text")

    def leads_to(self, place: Place) -> bool:
        """Whether a value at this place is one at the end of the path."""
        steps = {"[]": r"\[[0-9]+\]", "*": r"\..+"}  # of a key, paths show 80 characters
        pattern = "".join(steps.get(step, rf"\.{re.escape(step[:80])}") for step in self.steps)
        return bool(re.fullmatch(pattern, f".{place.path.rpartition(': ')[2]}"))

    def values(self, document: Value) -> Iterator[Value]:
        """The values at the ends of this path that are neither missing nor null."""
        return (value for value in _along(document, self.steps) if not is_absent(value))


def _along(value: Value, steps: tuple[str, ...]) -> Iterator[Value]:
    if not steps:
        yield value
        return
    for inner in _step(value, steps[0]):
        yield from _along(inner, steps[1:])


def _step(value: Value, step: str) -> Iterator[Value]:
    content = value.content
    if step == "[]" and isinstance(content, list):
        yield from value.items()
    elif step == "*" and isinstance(content, dict):
        yield from (inner for _, inner in value.entries())
    elif isinstance(content, dict) and step in content:
        yield value.get(step)
