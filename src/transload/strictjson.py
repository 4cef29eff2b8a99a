"""JSON that came from outside, read in one way only; what two readers could take for two things is refused.

Invariants, held by `read_json`:
1. the text is UTF-8, at most `limit` bytes long, with at most `values` values in it, nested at most `JSON_DEPTH` deep,
   so that memory and time cannot grow beyond what the limits allow;
2. no object has a key twice; NaN and Infinity, also written as 1e999, are no numbers;
3. half of a surrogate pair, which no text can hold, is read as U+FFFD, as readers written in Go do.
"""

from __future__ import annotations

import json
import math
import re
from itertools import chain
from typing import Any, NoReturn

from transload.limits import JSON_DEPTH

_BEFORE_VALUES = (b",", b"[", b"{", b":")
_OPENING = (b"[", b"{")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


class NotJson(ValueError):
    """A text that is not JSON, or none that is read here. The message says why."""


def read_json(raw: bytes, *, limit: int, values: int, twins: bool = False) -> Any:
    """The value that `raw` holds; `twins` lets the last of equal keys win. Raises `NotJson`, and nothing else."""
    check_size(raw, limit, values)
    try:
        text = raw.decode("utf-8")  # decoded here: json would guess at UTF-16 too
        hook = None if twins else _without_twins
        document = json.loads(text, object_pairs_hook=hook, parse_constant=_refuse, parse_float=_finite)
        if sum(map(raw.count, _OPENING)) > JSON_DEPTH:
            _check_depth(document)
        return _mended(document) if _HALF.search(text) else document
    except RecursionError:
        raise NotJson("it is nested too deep") from None
    except ValueError as error:
        raise NotJson("a number is too long" if "int_max_str_digits" in str(error) else str(error)[:200]) from error


def check_size(raw: bytes, limit: int, values: int) -> None:
    """Raises `NotJson` for a text that `read_json` would not read with these limits, before it takes any memory."""
    if len(raw) > limit:
        raise NotJson(f"it has {len(raw)} bytes, {limit} are allowed")
    if len(raw) > values and sum(map(raw.count, _BEFORE_VALUES)) > values:
        raise NotJson(f"it has more than {values} values")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twin = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"an object has the key {twin[:80]!r} twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _check_depth(document: Any) -> None:
    """Level by level: a function that calls itself would fail of what it is to find."""
    level = [document]
    for _ in range(JSON_DEPTH):
        inner = chain.from_iterable(each.values() if isinstance(each, dict) else each for each in level)
        level = [each for each in inner if isinstance(each, (dict, list))]
        if not level:
            return
    raise ValueError(f"it is nested more than {JSON_DEPTH} deep")


def _mended(value: Any) -> Any:
    """The same without halves of pairs."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mended(each) for each in value]
    if isinstance(value, dict):
        return _without_twins([(_mended(key), _mended(each)) for key, each in value.items()])
    return value
