"""How meanings look on a terminal that has colours. click writes the escapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

import click

from transload.report.styled import Meaning


class Style(TypedDict, total=False):
    """What click calls it: a colour by its name or number, bold, dim."""

    fg: str | int
    bold: bool
    dim: bool


Look = Mapping[Meaning, Style]
"""The style of each meaning; a meaning that is not named is written as plain text."""

PLAIN: Look = {}
_SHADES: Look = {"faint": {"dim": True}, "strong": {"bold": True}}
# No yellow, which cannot be read on white, and nothing that only its brightness tells.
SIXTEEN: Look = {**_SHADES, "good": {"fg": "green"}, "bad": {"fg": "red", "bold": True}, "warn": {"fg": "magenta"}}
# These have a contrast of about 4.5 to white and to black (WCAG 2.2): green, red, orange.
MANY: Look = {**_SHADES, "good": {"fg": 28}, "bad": {"fg": 160, "bold": True}, "warn": {"fg": 130}}


def painted(parts: Iterable[tuple[str, Meaning]], look: Look) -> str:
    """Parts of a line with their escapes.

    >>> painted([("mirror ", ""), ("done", "good")], SIXTEEN)
    'mirror \\x1b[32mdone\\x1b[0m'
    >>> painted([("mirror ", ""), ("done", "good")], PLAIN)
    'mirror done'
    """
    return "".join(click.style(text, **look[meaning]) if meaning in look and text else text for text, meaning in parts)
