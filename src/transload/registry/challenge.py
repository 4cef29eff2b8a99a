"""`WWW-Authenticate` as values (RFC 9110, section 11.6.1). No input or output."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import field, frozen

_PIECE = re.compile(r"""[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"=]+))?""")
_ESCAPED = re.compile(r"\\(.)")


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

    >>> [c.scheme for c in challenges('Bearer realm="https://a/t",scope="repository:x:pull,push", Basic realm="r"')]
    ['bearer', 'basic']
    """
    found: list[tuple[str, dict[str, str]]] = []
    place = 0
    while place < len(header):
        piece = _PIECE.match(header, place)
        if piece is None:
            place += 1
            continue
        place = piece.end()
        word, value = piece.groups()
        if value is None:
            found.append((word.lower(), {}))
        elif found:
            found[-1][1].setdefault(word.lower(), _unquoted(value))
    return tuple(Challenge(scheme, parameters) for scheme, parameters in found)


def _unquoted(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value
