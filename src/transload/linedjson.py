"""JSON for files that are compared, signed or named by their digest: the same value always gives the same text.

Each value has a line, and all is pure ASCII, so that no editor, mail gateway or locale changes the bytes. The text is
that of `json.dumps(value, indent=1)` and a line feed. Python's writer takes three times as long, because its fast part
cannot write lines, and a ledger or plan can have half a million values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

_CHUNK = 64 << 10
quoted = json.encoder.encode_basestring_ascii

ITEM_ENDS, LIST_ENDS = b"\n  },\n", b"\n  }\n ]"
"""How an object ends in a list that is a value of the whole, before another one and as the last."""


Order = Callable[[Iterable[str]], Iterable[str]]
_TOGETHER = 32  # items in one piece: whoever takes the pieces has some work with each


class Written(str):
    """The text of an item of a list, which is not written once more."""

    __slots__ = ()


def lined(document: Mapping[str, Any], order: Order = sorted) -> bytes:
    """The whole text of an object, as `pieces` writes it."""
    return "".join(pieces(document, order)).encode("ascii")


def chunks(document: Mapping[str, Any]) -> Iterator[bytes]:
    """The text of an object, which is never in memory as a whole."""
    waiting: list[str] = []
    length = 0
    for piece in pieces(document):
        waiting.append(piece)
        length += len(piece)
        if length >= _CHUNK:
            yield "".join(waiting).encode("ascii")
            waiting, length = [], 0
    yield "".join(waiting).encode("ascii")


def pieces(document: Mapping[str, Any], order: Order = sorted) -> Iterator[str]:
    """The text of an object in pieces. `order` of the keys is `sorted`, or `iter` for the order that they have.

    A value that is an iterator is written as a list, whose items may be `Written`; they are not kept in memory.
    """
    before = "{"
    for key in order(document):
        value = document[key]
        yield f"{before}\n {quoted(key)}: "
        if isinstance(value, Iterator):
            yield from _items(value, order)
        else:
            yield _written(value, "\n ", order)
        before = ","
    yield "{}\n" if before == "{" else "\n}\n"


def written(item: Any, order: Order = sorted) -> Written:
    """The text of an item of a list in the object."""
    return item if isinstance(item, Written) else Written(_written(item, "\n  ", order))


def _items(items: Iterator[Any], order: Order) -> Iterator[str]:
    before = "["
    while texts := [written(item, order) for item in islice(items, _TOGETHER)]:
        yield before + "\n  " + ",\n  ".join(texts)
        before = ","
    yield "[]" if before == "[" else "\n ]"


def _written(value: Any, line: str, order: Order) -> str:
    """The text of a value. `line` is a line feed and the indentation of the value's last line."""
    if isinstance(value, str):
        return quoted(value)
    if type(value) is int:
        return str(value)
    if not value or not isinstance(value, (dict, list)):
        return json.dumps(value)
    inner = f"{line} "
    between = f",{inner}"
    if isinstance(value, dict):
        content = [
            f"{quoted(key)}: {quoted(item) if isinstance(item := value[key], str) else _written(item, inner, order)}"
            for key in order(value)
        ]
        return f"{{{inner}{between.join(content)}{line}}}"
    return f"[{inner}{between.join([_written(item, inner, order) for item in value])}{line}]"
