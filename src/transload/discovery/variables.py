"""Fills variables into a text as Compose and Dockerfiles do: `$NAME`, `${NAME:-default}` and the like.

The forms are those of the Compose specification ("Interpolation") and of the Dockerfile reference ("Environment
replacement"). A variable that has no value is an error here: with the empty text in its place, both programs would go
on with a wrong name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress

from transload.limits import FILLED_TEXT_DEPTH, FILLED_TEXT_LENGTH, FILLED_TEXTS_LENGTH
from transload.values import define, field

_NAME = "[A-Za-z_][A-Za-z0-9_]*"
_BEGINS = re.compile(rf"\$(?:(\$)|({_NAME})|(\{{))")
_BRACES = re.compile(r"\$\{|\}")
_INSIDE = re.compile(rf"({_NAME})(?:(:?)([-?+])(.*))?", re.DOTALL)


class Unresolved(ValueError):
    """A variable cannot be filled in. The message says why; `name` is empty if the form is unknown."""

    def __init__(self, reason: str, name: str = "") -> None:
        super().__init__(reason)
        self.name = name


@define
class Variables:
    """Variables that are declared one after the other, each with what those before it give."""

    values: dict[str, str] = field(factory=dict)
    _room: int = FILLED_TEXTS_LENGTH

    def declare(self, name: str, text: str, *, literally: bool = False) -> None:
        """Give a variable its value. If that cannot be filled in, it has none."""
        self.values.pop(name, None)
        with suppress(Unresolved):
            value = text if literally else expand(text, self.values)
            self._room -= len(value)
            if self._room >= 0:
                self.values[name] = value


def expand(text: str, variables: Mapping[str, str], depth: int = 0) -> str:
    """`text` with its variables filled in; `$$` becomes `$`. Raises `Unresolved`.

    >>> expand("${REGISTRY:-docker.io}/app:${TAG}", {"TAG": "1.2"})
    'docker.io/app:1.2'
    """
    if depth > FILLED_TEXT_DEPTH:
        raise Unresolved(f"variables are nested more than {FILLED_TEXT_DEPTH} deep")
    pieces: list[str] = []
    at = size = 0
    while match := _BEGINS.search(text, at):
        pieces.append(text[at : match.start()])
        at = match.end()
        if match[3]:
            at = _closing(text, at)
            pieces.append(_braced(text[match.end() : at - 1], variables, depth))
        else:
            pieces.append("$" if match[1] else _value(match[2], variables))
        size += len(pieces[-1])
        if size > FILLED_TEXT_LENGTH:
            raise Unresolved("it is too long with its variables filled in")
    return "".join((*pieces, text[at:]))


def _closing(text: str, at: int) -> int:
    """The position after the brace that closes the one before `at`."""
    still_open = 1
    for match in _BRACES.finditer(text, at):
        still_open += -1 if match[0] == "}" else 1
        if not still_open:
            return match.end()
    raise Unresolved("a variable has no closing brace")


def _braced(inside: str, variables: Mapping[str, str], depth: int) -> str:
    match = _INSIDE.fullmatch(inside)
    if match is None:
        raise Unresolved(f"${{{inside[:40]}}} is a form that is not read here")
    name, colon, operator, word = match.groups()
    value = variables.get(name)
    counts = bool(value) if colon else value is not None
    if operator == "+":
        return expand(word, variables, depth + 1) if counts else ""
    if counts and value is not None:
        return value
    if operator == "-":
        return expand(word, variables, depth + 1)
    return _value(name, variables) if not operator else _value(name, {})


def _value(name: str, variables: Mapping[str, str]) -> str:
    if name not in variables:
        raise Unresolved(f"{name[:80]} has no value here, and no default", name)
    return variables[name]
