"""The one place that knows rich: how meanings look, and consoles made from decisions that others took."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.text import Text

from transload.report.styled import Meaning, Styled

# The sixteen colours that every terminal lets its user choose; faint is readable on dark and light grounds.
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
    """A console on `stream`. `color` None means: if the stream is a terminal that has colours.

    `color` False takes bold and dim away as well, so that what is printed has no escapes in it. `terminal` and
    `width` are found out when None.
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


def dressed(line: Styled) -> Text:
    """A line as rich shows it; it is never folded again, a line that is too long is cut."""
    parts = ((text, _LOOK[meaning]) for text, meaning in line.parts)
    text = Text.assemble(*parts, no_wrap=True, overflow="ellipsis")
    text.rstrip()
    return text


def rendered(console: Console, line: Styled) -> str:
    """A line as the console would write it, without its end."""
    with console.capture() as captured:
        console.print(dressed(line), soft_wrap=True, end="")
    return captured.get()


def show(console: Console, lines: Iterable[Styled]) -> None:
    """Print lines as they are: made for this width, or left to the terminal to fold."""
    for line in lines:
        console.print(dressed(line), soft_wrap=True)
