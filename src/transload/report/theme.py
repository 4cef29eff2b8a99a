"""The only module that uses rich: how meanings look, and consoles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.text import Text

from transload.report.styled import Meaning, Styled

# The sixteen colours that users can choose in every terminal; dim is readable on dark and light backgrounds.
_LOOK: dict[Meaning, str] = {
    "": "",
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "faint": "dim",
    "strong": "bold",
}


def make_console(
    stream: TextIO, *, color: bool | None = None, terminal: bool | None = None, width: int | None = None
) -> Console:
    """A console on `stream`. With `color` None, it has colours if the stream is a terminal that has colours.

    `color` False removes bold and dim too, so that the output has no escapes. `terminal` and `width` None mean that
    rich finds them out.
    """
    if color is None:
        return Console(file=stream, force_terminal=terminal, width=width, highlight=False, markup=False, emoji=False)
    return Console(
        file=stream,
        color_system="standard" if color else None,
        no_color=not color,
        force_terminal=terminal,
        width=width,
        highlight=False,
        markup=False,
        emoji=False,
    )


def as_rich(line: Styled) -> Text:
    """A line for rich, which does not fold it again and cuts it if it is too long."""
    parts = ((text, _LOOK[meaning]) for text, meaning in line.parts)
    text = Text.assemble(*parts, no_wrap=True, overflow="ellipsis")
    text.rstrip()
    return text


def rendered(console: Console, line: Styled) -> str:
    """A line as the console would write it, without the line end."""
    with console.capture() as captured:
        console.print(as_rich(line), soft_wrap=True, end="")
    return captured.get()


def show(console: Console, lines: Iterable[Styled]) -> None:
    """Print lines as they are: they fit the width, or the terminal folds them."""
    for line in lines:
        console.print(as_rich(line), soft_wrap=True)
