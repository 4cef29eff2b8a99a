"""The last line for programs of a command that fails before its output is open, or that the machine fails.

A wrong command line is found out before there is an `Output`. So this says whether JSON was asked for.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING

import click

from transload.errors import UsageError

if TYPE_CHECKING:
    from transload.app.runid import RunNote
    from transload.cli.output import Output
    from transload.report.problem import Problem


class Stream:
    """The output of the running command: the form that the file of settings asks for, and how far it has come.

    `told` says that people have read the error that ended it. `note` is what the state folder says of the run, with the
    output that knows how it ends.
    """

    def __init__(self) -> None:  # attrs would cost --help its time to load
        self.default: str | None = None
        self.begun = False
        self.ended = False
        self.told = False
        self.note: tuple[RunNote, Output] | None = None


_stream: ContextVar[Stream] = ContextVar("stream")


def new_stream() -> Stream:
    """That of a command line which begins now."""
    stream = Stream()
    _stream.set(stream)
    return stream


def running_stream() -> Stream:
    """That of the running command."""
    return _stream.get(None) or new_stream()


def asked_for_json(words: Sequence[str], default: str | None) -> bool:
    """Whether the words of a command line ask for JSON; if they say nothing of it, whether `default` does.

    >>> asked_for_json(["mirror", "--output", "json"], None), asked_for_json(["list", "--", "--output=json"], None)
    (True, False)
    """
    options = words[: words.index("--")] if "--" in words else words
    given = [word.removeprefix("--output=") for word in options if word.startswith("--output=")]
    given += [value for word, value in itertools.pairwise(options) if word == "--output"]
    return "json" in given if given else default == "json"


def tell_program(problem: Problem, words: Sequence[str]) -> None:
    """Write `problem` as the last line, if JSON was asked for and the last line is not written yet."""
    from transload.app.settings import read_environment

    current = running_stream()
    if current.ended or not asked_for_json(words, read_environment().output or current.default):
        return
    from transload.report.jsonl import JsonLines
    from transload.version import __version__

    lines = JsonLines(sys.stdout)
    if not current.begun:
        lines.hello(next((word for word in words if not word.startswith("-")), ""), __version__)
    lines.error(problem)
    current.ended = True


def misuse(error: click.ClickException) -> Problem:
    """A wrong command line, as a problem like any other."""
    from transload.report.problem import Problem

    context = error.ctx if isinstance(error, click.UsageError) else None
    return Problem(
        code=UsageError.code,
        exit_code=error.exit_code,
        message=error.format_message().rstrip("."),
        hint=f"see {context.command_path} {context.help_option_names[0]}" if context else None,
    )
