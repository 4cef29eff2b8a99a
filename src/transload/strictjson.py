"""Reads JSON that came from outside. Text that two readers could understand differently is refused.

Invariants, held by `read_json`:
1. the text is UTF-8, at most `limit` bytes long (a quarter of that if it has letters of four bytes), with at most
   `values` values, nested at most `JSON_DEPTH` deep, so that memory and time stay within the limits;
2. no object has a key twice; NaN and Infinity, also written as 1e999, are not numbers;
3. half of a surrogate pair, which no text can hold, is read as U+FFFD, as readers written in Go do.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from itertools import chain
from typing import Any, NoReturn

from transload.expressions import late
from transload.limits import JSON_DEPTH

_BEFORE_VALUES = (b",", b"[", b"{", b":")
_OPENING = (b"[", b"{")
_HALF = late(r"\\u[dD][89a-fA-F]")
_WIDE = re.compile(rb"[\xf0-\xff]")
_LONE = late(r"[\ud800-\udfff]")


class NotJson(ValueError):
    """A text that is not JSON, or JSON that is refused here. The message says why."""

    @property
    def verdict(self) -> str:
        """The end of a sentence that begins with the name of the text."""
        return f"cannot be read as JSON: {self}"


class OverLimit(NotJson):
    """The text is over a limit; it may still be JSON."""

    @property
    def verdict(self) -> str:
        """The end of a sentence, as in `NotJson`."""
        return f"is too large: {self}"


class OtherEncoding(NotJson):
    """The text is in another encoding; it may be JSON. The message says what to do about it."""


def read_json(raw: bytes, *, limit: int, values: int, twins: bool = False) -> Any:
    """The value in `raw`. With `twins`, an object may have a key twice: the last one wins. Raises only `NotJson`."""
    check_size(raw, limit, values)
    if not raw:
        raise NotJson("it is empty")
    try:
        text = decoded(raw)  # the json module would also accept UTF-16
        hook = None if twins else _without_twins
        document = json.loads(text, object_pairs_hook=hook, parse_constant=_refuse, parse_float=_finite)
        if sum(map(raw.count, _OPENING)) > JSON_DEPTH:
            _check_depth(document)
        return _mended(document) if _HALF.search(text) else document
    except NotJson:
        raise
    except RecursionError:
        raise NotJson("it is nested too deep") from None
    except ValueError as error:
        raise NotJson("a number is too long" if "int_max_str_digits" in str(error) else str(error)[:200]) from error


def decoded(raw: bytes) -> str:
    """`raw` as UTF-8. Raises `OtherEncoding` if another encoding is recognized, else `ValueError`."""
    if raw.startswith(codecs.BOM_UTF8):
        raise OtherEncoding("it begins with a byte order mark (BOM): save it as UTF-8 without one")
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in raw[:4]:
        raise OtherEncoding("it is saved as UTF-16: save it as UTF-8")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 from byte {error.start} on") from None


def check_size(raw: bytes, limit: int, values: int) -> None:
    """Raise `OverLimit` for a text that is over these limits of `read_json`, without using more memory."""
    if len(raw) > limit // 4 and not raw.isascii() and _WIDE.search(raw):
        limit //= 4  # Python stores all letters of a text as wide as the widest
    check_counts(len(raw), values_in(raw) if values < len(raw) <= limit else 0, limit, values)


def values_in(piece: bytes) -> int:
    """How many values begin in a piece of a text at most."""
    return sum(map(piece.count, _BEFORE_VALUES))


def check_counts(size: int, found: int, limit: int, values: int) -> None:
    """The same as `check_size` for a text of `size` bytes that is pure ASCII, in which `found` values begin."""
    if size > limit:
        raise OverLimit(f"it has {size} bytes, {limit} are allowed")
    if found > values:
        raise OverLimit(f"it has more than {values} values")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        seen: set[str] = set()
        twin = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"an object has the key {twin[:80]!r} twice")
    return document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _check_depth(document: Any) -> None:
    """Raise `ValueError` for deep nesting. It goes level by level, because recursion would fail on deep nesting."""
    level = [document]
    for _ in range(JSON_DEPTH):
        inner = chain.from_iterable(value.values() if isinstance(value, dict) else value for value in level)
        level = [value for value in inner if isinstance(value, (dict, list))]
        if not level:
            return
    raise ValueError(f"it is nested more than {JSON_DEPTH} deep")


def _mended(value: Any) -> Any:
    """The value without half surrogate pairs. It is changed in place, to save the memory for a second document."""
    if isinstance(value, str):
        return _LONE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        for index, item in enumerate(value):
            value[index] = _mended(item)
    if isinstance(value, dict):
        for key, item in value.items():
            value[key] = _mended(item)
        if any(map(_LONE.search, value)):
            return _without_twins([(_mended(key), item) for key, item in value.items()])
    return value
