"""Patterns for tags as other tools write them, which are Go's, as patterns for whole tags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from transload.catalog.tagpattern import check_pattern

_ENDS = re.compile(r"(?<!\\)(?:\\\\)*\$\Z")
# The tokens of a regular expression: an escape, a class, any other letter.
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)


def one_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """A pattern that a whole tag matches if it matches one of these. Raises `DocumentInvalid`."""
    return check_pattern("|".join(f"(?:{pattern})" if "|" in pattern else pattern for pattern in patterns))


def found_anywhere(text: str) -> re.Pattern[str]:
    """A pattern that a whole tag matches if Go's `MatchString` finds `text` in it. Raises `DocumentInvalid`."""
    alike: dict[tuple[str, str], list[str]] = {}  # alternatives with the same anchors share what is around them
    for alternative in _alternatives(text):
        before = "" if alternative.startswith("^") else ".*"
        after = "" if _ENDS.search(alternative) else ".*"
        alike.setdefault((before, after), []).append(alternative)
    return check_pattern("|".join(f"{before}{_joined(parts)}{after}" for (before, after), parts in alike.items()))


def _joined(alternatives: Sequence[str]) -> str:
    return alternatives[0] if len(alternatives) == 1 else f"(?:{'|'.join(alternatives)})"


def _alternatives(text: str) -> list[str]:
    """The parts of a pattern between those `|` that are in no group and no class."""
    parts, begin, depth = [], 0, 0
    for token in _TOKEN.finditer(text):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if token[0] == "|" and depth == 0:
            parts.append(text[begin : token.start()])
            begin = token.end()
    return [*parts, text[begin:]]
