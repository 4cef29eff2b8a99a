"""Parses the text of a ledger piece by piece: a document of a million values takes ten times the memory of its text.

Whatever the text is, what is parsed here is written again and compared with it (`Ledger.decode`). So only a text in the
form of a ledger is believed, and of such a text the pieces are what a parser of the whole would find.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from transload.limits import LEDGER_BYTES, LEDGER_PIECE_VALUES
from transload.strictjson import read_json
from transload.values import frozen

LISTS = ("blobs", "extras", "images", "prerequisites")
_PIECE_BYTES = 64 << 10  # some 300 entries


@frozen
class Apart:
    """A ledger whose lists are not parsed yet: the `document` has empty ones, `spans` says where their entries are."""

    raw: bytes
    document: Any
    spans: Mapping[str, tuple[int, int]]

    def count(self, key: str) -> int:
        """How many entries a list has, if the text has the form of a ledger."""
        return self.raw.count(b"\n  }", *self.spans[key])

    def entries(self, key: str) -> Iterator[Any]:
        """The entries of a list, parsed when they are asked for. Raises `NotJson`."""
        begin, end = self.spans[key]
        while begin < end:
            border = self.raw.find(b"\n  },\n", begin + _PIECE_BYTES, end)
            stop = end if border < 0 else border + len(b"\n  }")
            yield from _parsed(b"[" + self.raw[begin:stop] + b"]")
            begin = stop + len(b",")


def taken_apart(raw: bytes) -> Apart:
    """The parts of a text. Raises `NotJson`; `OverLimit` if what is parsed at once has too many values."""
    spans: dict[str, tuple[int, int]] = {}
    rest, before = [], 0
    for key in LISTS:  # in the order of the text
        opening = f'\n "{key}": ['.encode()
        begin = raw.find(opening + b"\n  ", before)
        end = raw.find(b"\n ]", begin + len(opening)) if begin >= 0 else -1
        if end >= 0:
            spans[key] = begin + len(opening), end
            rest.append(raw[before : begin + len(opening)])
            before = end
    return Apart(raw, _parsed(b"".join((*rest, raw[before:]))), spans)


def _parsed(piece: bytes) -> Any:
    return read_json(piece, limit=LEDGER_BYTES, values=LEDGER_PIECE_VALUES)
