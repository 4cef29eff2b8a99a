"""Sizes in words, and what other programs said in one line that does no harm to a terminal or a table."""

from __future__ import annotations

import re

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|[@-_])")


def told_size(size: int) -> str:
    """As 10 GiB."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{size} bytes"


def printable(text: str) -> str:
    """In one line, without what a terminal or a table would take for a command."""
    line = " ".join(_SEQUENCE.sub("", text).split())
    return "".join(letter for letter in line if letter.isprintable()).replace("|", "/")


def ending(text: str, at_most: int = 100) -> str:
    """The end of a text in one line: what went wrong stands at the end of what programs print."""
    line = printable(text)
    return line if len(line) <= at_most else "… " + line[-at_most + 2 :].partition(" ")[2]
