"""Scalars of YAML that we write: every version of YAML, and JSON where they are quoted, reads the same text."""

from __future__ import annotations

import json
import re

# Plain, these are text for every reader: a reference, a path, a tag that begins like a word; never a number.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*[A-Za-z0-9](?::[A-Za-z0-9_.-]*[A-Za-z0-9_.-]+)?(?:@sha[0-9]+:[a-f0-9]+)?")
_HALF = re.compile("[\ud800-\udfff]")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}  # YAML 1.1 has values of other kinds for them


def scalar(text: str) -> str:
    """A text as it is if that cannot be misread, else between double quotes.

    >>> scalar("quay.io/a/b:1.10"), scalar("1.10"), scalar("no")
    ('quay.io/a/b:1.10', '"1.10"', '"no"')
    """
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else quoted(text)


def quoted(text: str) -> str:
    """A text between double quotes, as YAML and JSON both read it; nothing in it is invisible.

    Bytes of a file's name that are no text, which Python keeps as halves of surrogate pairs, become U+FFFD.
    """
    written = json.dumps(_HALF.sub("\N{REPLACEMENT CHARACTER}", text), ensure_ascii=False)
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in written)


def comment(text: str) -> str:
    """A text for the rest of a line after `#`."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _escaped(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) < 1 << 16 else f"\\U{ord(letter):08x}"
