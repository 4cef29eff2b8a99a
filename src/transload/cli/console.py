"""Writes results and errors for people: consoles, colours, widths."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from transload.app.settings import read_environment
from transload.report.hostnews import HostNews
from transload.report.moving import size_of_terminal
from transload.report.problem import Problem, problem_lines
from transload.report.sentences import host_sentence
from transload.report.styled import Styled, folded

if TYPE_CHECKING:
    from transload.errors import TransloadError
    from transload.events import HostListener, HostTroubled
    from transload.report.moving import Cell, Paint
    from transload.report.theme import Look


def look_of(stream: Any) -> Look:
    """The colours of what is written to a stream."""
    from transload.report.theme import MANY, PLAIN, SIXTEEN  # only terminals have colours

    environment = read_environment()
    if environment.colour == "never" or (environment.colour == "auto" and not stream.isatty()):
        return PLAIN
    return MANY if environment.many_colours else SIXTEEN


def paint_on(stream: Any) -> Paint:
    """What gives parts of lines their colours on a stream."""

    def paint(parts: Iterable[Cell]) -> str:
        from transload.report.theme import painted  # only terminals have colours

        return painted(parts, look_of(stream))

    return paint


def moves() -> bool:
    """Whether standard error is a terminal that can overwrite lines."""
    return sys.stderr.isatty() and not read_environment().dumb_terminal


def tell_error(error: TransloadError) -> None:
    """Write the error that ended the command to standard error."""
    say(problem_lines(Problem.of(error), width_of(sys.stderr)))


def tell_misuse(error: click.ClickException) -> None:
    """Write click's message about a wrong command line, with harmless text for what the user wrote."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        say(
            [
                *context.get_usage().splitlines(),
                f"Try '{context.command_path} {context.help_option_names[0]}' for help.",
                "",
            ]
        )
    for line in f"Error: {error.format_message()}".splitlines():
        say_folded(line)


def width_of(stream: Any) -> int | None:
    """The columns of a stream's terminal; None if it is no terminal, so that lines may have any length."""
    return size_of_terminal(stream)[0] if stream.isatty() else None


def say(lines: Iterable[Styled | str]) -> None:
    """Write lines for people to standard error."""
    _write(lines, sys.stderr)


def say_folded(text: str, indent: str = "") -> None:
    """Write a sentence for people to standard error, no wider than the terminal."""
    say(folded(indent, text, width_of(sys.stderr)))


def say_notes(notes: Iterable[str]) -> None:
    """Write notes for people to standard error, no wider than the terminal."""
    for note in notes:
        say(folded("note: ", note, width_of(sys.stderr)))


def telling_hosts() -> HostListener:
    """A listener that writes when a host does not answer, while nothing else is shown; not each of its attempts."""
    news = HostNews()

    def tell(event: HostTroubled) -> None:
        if news.is_for_people(event):
            say_folded(host_sentence(event))

    return tell


def warn(text: str) -> None:
    """Write a sentence for people, while nothing else is shown yet."""
    say_folded(text)


def show_result(lines: Iterable[Styled | str]) -> None:
    """Write the lines of the result to standard output."""
    _write(lines, sys.stdout)


def _write(lines: Iterable[Styled | str], stream: Any) -> None:
    colour = read_environment().colour
    plain = colour == "never" or (colour == "auto" and not stream.isatty())
    paint = paint_on(stream)
    for line in (line if isinstance(line, Styled) else Styled.of(line) for line in lines):
        click.echo(str(line) if plain else paint(line.trimmed), file=stream, color=not plain)
