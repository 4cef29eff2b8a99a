"""JSON as transload writes it to files that are compared, signed or named by their digest: one text for one value.

Each value has a line, and all is pure ASCII, so that no editor, mail gateway or locale changes the bytes: what
`json.dumps(value, indent=1)` gives and a line feed. Python's writer takes three times as long for that, since its fast
part does not know lines, and a ledger or plan can have half a million values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

_quoted = json.encoder.encode_basestring_ascii

Order = Callable[[Iterable[str]], Iterable[str]]


def lined(document: Mapping[str, Any], order: Order = sorted) -> bytes:
    """The whole text of an object; see `pieces`."""
    return "".join(pieces(document, order)).encode("ascii")


def pieces(document: Mapping[str, Any], order: Order = sorted) -> Iterator[str]:
    """The text of an object bit by bit, its keys in `order`: `sorted`, or `iter` for the order that they have.

    A value that is an iterator is written as a list, and its items are not kept.
    """
    before = "{"
    for key in order(document):
        value = document[key]
        yield f"{before}\n {_quoted(key)}: "
        if isinstance(value, Iterator):
            yield from _items(value, order)
        else:
            yield _written(value, "\n ", order)
        before = ","
    yield "{}\n" if before == "{" else "\n}\n"


def _items(items: Iterator[Any], order: Order) -> Iterator[str]:
    before = "["
    for item in items:
        yield before + "\n  " + _written(item, "\n  ", order)
        before = ","
    yield "[]" if before == "[" else "\n ]"


def _written(value: Any, line: str, order: Order) -> str:
    """`line` is how the line begins on which the value ends."""
    if isinstance(value, str):
        return _quoted(value)
    if type(value) is int:
        return str(value)
    if not value or not isinstance(value, (dict, list)):
        return json.dumps(value)
    inner = f"{line} "
    between = f",{inner}"
    if isinstance(value, dict):
        content = [f"{_quoted(key)}: {_written(value[key], inner, order)}" for key in order(value)]
        return f"{{{inner}{between.join(content)}{line}}}"
    return f"[{inner}{between.join([_written(item, inner, order) for item in value])}{line}]"
