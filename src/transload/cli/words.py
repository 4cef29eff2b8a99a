"""Small pieces of text that several commands write."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def close_match(text: str, known: Iterable[str]) -> str:
    """`; did you mean 'mirror'?`, or nothing."""
    found = difflib.get_close_matches(text, list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""
