"""A terminal as far as our own output uses it: what its screen shows after the bytes that it got."""

from __future__ import annotations

import re

_PIECE = re.compile(r"\x1b\[(\??)(\d*)([A-Za-z])|\x1b\[\d+(?:;\d+)+m|([\r\n])|([^\x1b\r\n]+)")


class Screen:
    """Rows without an end, `width` letters each. Letters beyond the last column go on in the next row."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.cursor_is_hidden = False
        self._rows = [""]
        self._row = self._column = 0

    @property
    def rows(self) -> list[str]:
        """What is shown, without empty rows at the end."""
        shown = [row.rstrip() for row in self._rows]
        while shown and not shown[-1]:
            shown.pop()
        return shown

    def feed(self, text: str) -> None:
        """Take in output. Raises AssertionError for what no terminal would be asked for here."""
        at = 0
        while at < len(text):
            found = _PIECE.match(text, at)
            assert found, f"not understood: {text[at : at + 20]!r}"
            at = found.end()
            private, number, letter, control, plain = found.groups()
            if plain:
                self._put(plain)
            elif control == "\n":
                self._row, self._column = self._row + 1, 0  # the system adds the carriage return
                self._rows += [""] * (self._row + 1 - len(self._rows))
            elif control == "\r":
                self._column = 0
            elif letter:
                self._do(private + letter, int(number or 1))

    def _put(self, plain: str) -> None:
        for letter in plain:
            if self._column == self.width:
                self._row, self._column = self._row + 1, 0
                self._rows += [""] * (self._row + 1 - len(self._rows))
            row = self._rows[self._row].ljust(self._column)
            self._rows[self._row] = row[: self._column] + letter + row[self._column + 1 :]
            self._column += 1

    def _do(self, what: str, number: int) -> None:
        match what:
            case "A":
                assert self._row >= number, "above the first row"
                self._row -= number
            case "B":
                self._row += number
                assert self._row < len(self._rows), "below the last row"
            case "C":
                self._column += number
                assert self._column < self.width, "beyond the last column"
            case "K":
                self._rows[self._row] = self._rows[self._row][: self._column]
            case "?l" | "?h":
                self.cursor_is_hidden = what == "?l"
            case _:
                assert what == "m", what
