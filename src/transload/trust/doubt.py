"""Why a piece of evidence proves nothing. Its readers raise `Doubt`; the authorities turn it into a finding."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from transload.limits import ENVELOPE_BYTES, STATEMENT_VALUES
from transload.strictjson import NotJson, read_json

_SHOWN = 200


class Doubt(Exception):
    """The evidence does not hold. The message is the end of the sentence `it does not hold: …`, safe to print."""


def shown(text: object) -> str:
    """A text from outside as a sentence may hold it: in quotes, one line, not long."""
    return repr(_cut(text))


def plain(text: object) -> str:
    """The same without quotes, for names: what a terminal would obey is escaped, everything else is as it came."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in _cut(text))


def _cut(text: object) -> str:
    word = str(text)
    return word if len(word) <= _SHOWN else f"{word[:_SHOWN]}…"


def read_signed(raw: bytes, what: str) -> dict[str, Any]:
    """The JSON object in `raw`, read strictly. `what` names it. Raises `Doubt`."""
    try:
        document = read_json(raw, limit=ENVELOPE_BYTES, values=STATEMENT_VALUES)
    except NotJson as error:
        raise Doubt(f"{what} {error.verdict}") from None
    return mapping(document, what)


def mapping(value: object, what: str) -> dict[str, Any]:
    """`value` if it is an object of JSON. Raises `Doubt`."""
    if not isinstance(value, dict):
        raise Doubt(f"{what} is not an object")
    return value


def text(value: object, what: str) -> str:
    """`value` if it is a text that is not empty. Raises `Doubt`."""
    if not isinstance(value, str) or not value:
        raise Doubt(f"{what} is missing, or not a text")
    return value


def from_base64(value: object, what: str) -> bytes:
    """The bytes in a text of base64, as RFC 4648 writes it, with nothing between. Raises `Doubt`."""
    try:
        return base64.b64decode(text(value, what).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise Doubt(f"{what} is not base64") from None
