"""Lines whose parts have a meaning (good, bad, faint), so that logs and colour terminals share the same words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Literal

from transload.report.texts import harmless
from transload.values import field, frozen

Meaning = Literal["", "good", "bad", "warn", "faint", "strong"]
Part = str | tuple[str, Meaning]


def _harmless_parts(parts: tuple[tuple[str, Meaning], ...]) -> tuple[tuple[str, Meaning], ...]:
    return tuple((harmless(text), meaning) for text, meaning in parts)


@frozen
class Styled:
    """One line. Its text is always harmless, whatever it was made of. `str()` gives plain text without colours."""

    parts: tuple[tuple[str, Meaning], ...] = field(default=(), converter=_harmless_parts)

    @classmethod
    def of(cls, *parts: Part) -> Styled:
        """A line of texts, and of texts with a meaning.

        >>> str(Styled.of("mirror ", ("done", "good")))
        'mirror done'
        """
        return cls(tuple((part, "") if isinstance(part, str) else part for part in parts))

    def __str__(self) -> str:
        return "".join(text for text, _ in self.parts).rstrip()

    @property
    def trimmed(self) -> list[tuple[str, Meaning]]:
        """The parts without blanks at the end of the line."""
        parts = list(self.parts)
        while parts and not parts[-1][0].rstrip():
            parts.pop()
        return [*parts[:-1], (parts[-1][0].rstrip(), parts[-1][1])] if parts else []


def folded(label: str, text: str, width: int | None, meaning: Meaning = "") -> list[Styled]:
    """`label` and a text of any length, folded so that it continues below its beginning. `width` None: no folding.

    >>> [str(line) for line in folded("hint: ", "free some more space", 22)]
    ['hint: free some more', '      space']
    """
    room = None if width is None else max(width - len(label), 16)
    pieces = [text] if room is None else textwrap.wrap(text, room, break_on_hyphens=False) or [""]
    indents = [label, *[" " * len(label)] * (len(pieces) - 1)]
    return [Styled.of((indent, meaning), piece) for indent, piece in zip(indents, pieces, strict=True)]


def beside(head: Styled, text: str, room: int, width: int | None) -> list[Styled]:
    """`text` on the line of `head`, after `room` letters and two blanks; on the next line if it does not fit.

    >>> [str(line) for line in beside(Styled.of("sound app:v1"), "3 blobs", 14, 30)]
    ['sound app:v1    3 blobs']
    >>> [str(line) for line in beside(Styled.of("sound app:v1"), "3 blobs", 14, 20)]
    ['sound app:v1', '  3 blobs']
    """
    if not text:
        return [head]
    if width is None or room + 2 + len(text) <= width:
        return [Styled((*head.parts, (" " * (room + 2 - len(str(head))), ""), (text, "faint")))]
    return [head, *folded("  ", text, width)]


def texts_of(lines: Iterable[Styled]) -> str:
    """Lines as one plain text, each with a line end."""
    return "".join(f"{line}\n" for line in lines)
