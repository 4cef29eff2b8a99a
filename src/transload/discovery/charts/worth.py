"""What an expression of a template is worth: Go's values as Python's, values of the chart by reference, and unknown.

`UNKNOWN` is what only Helm or a cluster can tell. In a text it is the letter `GAP`.
"""

from __future__ import annotations

from typing import Any, Final

from transload.discovery.charts.tree import Leaf, Path, Tree
from transload.values import frozen

GAP: Final = "\ue000"
"""Stands in a text for what is not known: a letter of Unicode's private use area, which no name has."""


TEXT_LENGTH = 1 << 20
"""Letters of one text that templates make: real ones have some hundred, a whole manifest some thousand."""


class Excess(Exception):
    """Templates that make too much: texts that grow, loops in loops. The message says of what."""


def measured(text: str) -> str:
    """The text. Raises `Excess` if it is longer than `TEXT_LENGTH`."""
    if len(text) > TEXT_LENGTH:
        raise Excess(f"its templates make a text of more than {TEXT_LENGTH} letters")
    return text


@frozen(eq=False)
class Unknown:
    """The only value of its kind is `UNKNOWN`."""


UNKNOWN: Final = Unknown()


@frozen(eq=False)
class Ref:
    """A value of the chart, and its path from the root of all values."""

    path: Path
    tree: Tree


Worth = Any
"""text, int, bool, None (nil), a list or dict of these, `Ref`, or `UNKNOWN`."""


def child(value: Worth, name: str) -> Worth:
    """The field `name` of a value; nil if it has none. What nil's fields are is an error in Go; here it is unknown."""
    if isinstance(value, Ref) and isinstance(value.tree, dict):
        return Ref((*value.path, name), value.tree[name]) if name in value.tree else None
    if isinstance(value, dict):
        return value.get(name)
    return None if value is None or _is_null(value) else UNKNOWN


def _is_null(value: Worth) -> bool:
    """Whether a value of the chart may be null, which has the empty text here."""
    return isinstance(value, Ref) and isinstance(value.tree, Leaf) and not value.tree.text


def items(value: Worth) -> list[tuple[Worth, Worth]] | None:
    """The keys and values that `range` goes through, in its order; None if they are not known."""
    if isinstance(value, Ref):
        if isinstance(value.tree, dict):
            return [(key, Ref((*value.path, key), value.tree[key])) for key in sorted(value.tree)]
        if isinstance(value.tree, list):
            return [(key, Ref((*value.path, key), item)) for key, item in enumerate(value.tree)]
        return [] if not value.tree.text else None
    if isinstance(value, dict):
        return sorted(value.items())
    if isinstance(value, list):
        return list(enumerate(value))
    return [] if value is None or value == "" else None


def truth(value: Worth) -> bool | None:
    """Whether Go's `if` takes a value for true; None if that is not known."""
    if isinstance(value, Ref):
        if not isinstance(value.tree, Leaf):
            return bool(value.tree)
        if value.tree.truth is not None:
            return value.tree.truth
        return truth(value.tree.text) if value.tree.text != "0" else False
    if isinstance(value, str) and GAP in value:
        return None if not value.replace(GAP, "").strip() else True
    return None if isinstance(value, Unknown) else bool(value)


def plain(value: Worth) -> Worth:
    """A leaf of the values as its text, or as true or false; any other value as it is."""
    if isinstance(value, Ref) and isinstance(value.tree, Leaf):
        return value.tree.text if value.tree.truth is None else value.tree.truth
    return value


def as_text(value: Worth) -> str:
    """What a template writes for a value."""
    value = plain(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    return str(value) if isinstance(value, (str, int)) else GAP


def as_yaml(value: Worth, indent: str = "") -> str:
    """A value as `toYaml` writes it, without quotes: enough to see the names in it."""
    pairs = items(value) if isinstance(value, (Ref, dict, list)) else None
    if pairs is None or (isinstance(value, Ref) and isinstance(value.tree, Leaf)):
        return as_text(value)
    if not pairs:
        return "[]" if isinstance(value, list) or (isinstance(value, Ref) and isinstance(value.tree, list)) else "{}"
    lines: list[str] = []
    length = 0
    for key, item in pairs:
        text = as_yaml(item, f"{indent}  ")
        length += len(text)
        if length > TEXT_LENGTH:
            raise Excess(f"its templates make a text of more than {TEXT_LENGTH} letters")
        nested = isinstance(item, (dict, list)) or (isinstance(item, Ref) and not isinstance(item.tree, Leaf))
        lead = f"{indent}- " if isinstance(key, int) else f"{indent}{key}: "
        lines.append(f"{lead.rstrip()}\n{text}" if nested and text not in {"[]", "{}"} else lead + text)
    return "\n".join(lines)
