"""`WWW-Authenticate` as values (RFC 9110, section 11.6.1). No input or output."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import field, frozen

from transload.errors import LimitExceeded
from transload.limits import HEADER_LENGTH

# Every repetition keeps what it took (the +s), so that a header made to hurt is read once, and not for every letter.
_BETWEEN = re.compile(r"[\s,]*+")
_PIECE = re.compile(
    r"""([!#$%&'*+.^_`|~0-9A-Za-z-]++)(?:\s*+=\s*+(?:"((?:[^"\\]++|\\.)*+)(?:"|\\?$)|([^\s,"=]++)))?""", re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@frozen
class Challenge:
    """One way in that a server offers: `bearer` or `basic`, and its parameters, names in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(factory=dict)

    def get(self, name: str) -> str:
        """A parameter, or an empty text."""
        return self.parameters.get(name, "")


def challenges(header: str) -> tuple[Challenge, ...]:
    """Every challenge of a header, or of several headers joined by commas. What cannot be read is skipped.

    Raises `LimitExceeded` for a header that no registry needs.

    >>> [c.scheme for c in challenges('Bearer realm="https://a/t",scope="repository:x:pull,push", Basic realm="r"')]
    ['bearer', 'basic']
    """
    if len(header) > HEADER_LENGTH:
        raise LimitExceeded(f"a WWW-Authenticate of {len(header)} characters is over the limit of {HEADER_LENGTH}")
    found: list[tuple[str, dict[str, str]]] = []
    place = 0
    while (place := _end_of_blanks(header, place)) < len(header):
        piece = _PIECE.match(header, place)
        if piece is None:
            place += 1
            continue
        place = piece.end()
        word, quoted, plain = piece.groups()
        if quoted is None and plain is None:
            found.append((word.lower(), {}))
        elif found:
            found[-1][1].setdefault(word.lower(), plain if quoted is None else _ESCAPED.sub(r"\1", quoted))
    return tuple(Challenge(scheme, parameters) for scheme, parameters in found)


def _end_of_blanks(header: str, place: int) -> int:
    blanks = _BETWEEN.match(header, place)
    return blanks.end() if blanks else place
