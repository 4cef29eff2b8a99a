"""How meanings look on a terminal that has colours: the escapes of ECMA-48 around the parts of a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from transload.report.styled import Meaning

Look = Mapping[Meaning, str]
"""The parameters of SGR for each meaning; a meaning that is not named is written as plain text."""

_END = "\x1b[m"

PLAIN: Look = {}
# No yellow, which cannot be read on white, and nothing that only its brightness tells.
SIXTEEN: Look = {"good": "32", "bad": "1;31", "warn": "35", "faint": "2", "strong": "1"}
# These have a contrast of about 4.5 to white and to black (WCAG 2.2): green, red, orange.
MANY: Look = {"good": "38;5;28", "bad": "1;38;5;160", "warn": "38;5;130", "faint": "2", "strong": "1"}


def painted(parts: Iterable[tuple[str, Meaning]], look: Look) -> str:
    """Parts of a line with their escapes.

    >>> painted([("mirror ", ""), ("done", "good")], SIXTEEN)
    'mirror \\x1b[32mdone\\x1b[m'
    >>> painted([("mirror ", ""), ("done", "good")], PLAIN)
    'mirror done'
    """
    return "".join(
        f"\x1b[{look[meaning]}m{text}{_END}" if meaning in look and text else text for text, meaning in parts
    )
