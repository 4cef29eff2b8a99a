"""A command that knows which flags are written on its line, and which are defaults from a variable or the file.

A written flag wins over a default that contradicts it. An error that a default causes names where it is set.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from transload.app.answers import QUESTIONS
from transload.app.settings import read_environment
from transload.cli.forprograms import running_stream
from transload.cli.referrers import with_values
from transload.errors import LocalError, NotFound, TransloadError, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# A default for the first is dropped if the second is written.
_GIVES_WAY = (
    ("source_registry", "origin"),
    ("source_repository", "origin"),
    ("origin", "source_registry"),
    ("source_username", "origin"),
    ("source_username", "source_registry"),
    ("target_username", "to"),
    ("volume_size", "volume_count"),
    ("volume_count", "volume_size"),
    ("sign_key", "sign_command"),
    ("sign_command", "sign_key"),
)
# The first has no meaning without the second.
_NEEDS = (
    ("against_key", "against"),
    ("tls_key", "tls_cert"),
    ("client_key", "client_certificate"),
    ("public_key", "sign_command"),
)
# An empty repository: the catalog's images without a folder before them, and tags without a repository in a folder.
_MAY_BE_EMPTY = {"source_repository", "repositories", "repository"}
_BY_DEFAULT = (ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)


_WORDS = "transload.words"
# Options whose values may hold a secret, as a header with a token; a run is repeated without them.
_UNTOLD = ("--notify-command",)


def typed_words() -> list[str]:
    """The words after `transload` of the running command, as they can be typed again and shown to others."""
    context = click.get_current_context()
    words, told = iter(context.meta.get(_WORDS, ())), [str(context.info_name)]
    for word in words:
        if word in _UNTOLD:
            next(words, None)
        elif not word.startswith(tuple(f"{option}=" for option in _UNTOLD)):
            told.append(word)
    return told


def is_written(name: str) -> bool:
    """Whether this flag of the running command is on the command line itself."""
    context = click.get_current_context(silent=True)
    return context is not None and context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def blame_defaults(error: TransloadError) -> None:
    """Add to the hint of `error` where the defaults that it mentions are set; only once."""
    context = click.get_current_context(silent=True)
    if context is None or not isinstance(error, UsageError | LocalError | NotFound):
        return
    sentences = [f"this comes from {origin}" for origin in dict.fromkeys(_origins(context, error))]
    if sentences and not (error.hint or "").startswith(sentences[0]):
        error.hint = "; ".join(filter(None, [*sentences, error.hint]))


class Command(click.Command):
    """A click command with the rules of this module."""

    def make_parser(self, ctx: click.Context) -> Any:
        """See click, whose parser lets the last of two values win: a target that is silently not written to."""
        parser: Any = super().make_parser(ctx)
        if ctx.resilient_parsing:  # the shell completes a line: no errors here
            return parser
        parser.parse_args = _without_empty(ctx, parser.parse_args)
        for option in {id(option): option for option in (parser._long_opt | parser._short_opt).values()}.values():
            if option.action == "store":
                option.process = _once(option)
        return parser

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See click."""
        ctx.meta[_WORDS] = tuple(args)
        with _blamed(ctx):
            return super().parse_args(ctx, with_values(self.params, args))

    def invoke(self, ctx: click.Context) -> Any:
        """See click."""
        _drop_what_gives_way(ctx)
        with _blamed(ctx):
            try:
                code = super().invoke(ctx)
            except BaseException as error:
                _end_note(error, None)
                raise
            _end_note(None, code)
            return code

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """See click. Files where it knows nothing: for bash a new word begins after the colon of `oci:DIR`."""
        from click.shell_completion import CompletionItem

        file = [] if incomplete.startswith("-") else [CompletionItem(incomplete, type="file")]
        return super().shell_complete(ctx, incomplete) or file


def _end_note(error: BaseException | None, code: int | None) -> None:
    """Say in the state folder how the run ended, if it was noted there."""
    current = running_stream()
    if current.note is None:
        return
    (note, output), current.note = current.note, None
    if error is None and not code:
        note.complete()
        return
    from transload.cli.noting import note_end  # few runs end so

    note_end(note, output, error, code)


def _without_empty(ctx: click.Context, parse: Callable[..., Any]) -> Callable[..., Any]:
    """The function that reads a line's words, which refuses an empty one.

    It comes from a variable of a shell that is not set; as a path it would mean the current folder. The types of paths
    say so in words of their own. Raises `click.BadParameter`.
    """

    def parse_args(args: list[str]) -> Any:
        values, rest, order = parse(args)
        for parameter in ctx.command.params:
            value = values.get(parameter.name)
            written = value if isinstance(value, list | tuple) else (value,)
            if "" in written and parameter.name not in _MAY_BE_EMPTY and not isinstance(parameter.type, click.Path):
                raise click.BadParameter("it is empty; a variable of the shell may not be set", ctx, parameter)
        return values, rest, order

    return parse_args


def _once(option: Any) -> Callable[[Any, Any], None]:
    """A function that takes the value of `option`, and refuses a second, different one. Raises `UsageError`."""
    process: Callable[[Any, Any], None] = option.process
    seen: list[Any] = []

    def take(value: Any, state: Any) -> None:
        if seen and seen[0] != value:
            flag = " or ".join(name for name in option.obj.opts if name.startswith("--"))
            raise UsageError(f"{flag} is given twice, with two values", hint=f"leave one {flag} out; a run takes one")
        seen.append(value)
        process(value, state)

    return take


@contextlib.contextmanager
def _blamed(ctx: click.Context) -> Iterator[None]:
    """Errors in the block name the default that caused them."""
    try:
        yield
    except TransloadError as error:
        blame_defaults(error)
        raise
    except click.BadParameter as error:
        named = next((option for option in ctx.command.params if error.param_hint in option.opts), error.param)
        if named is not None and (origin := _origin(ctx, named)):
            message = f"{error.message.rstrip('.')} (this comes from {origin})"
            raise click.BadParameter(message, error.ctx, error.param, error.param_hint) from None
        raise


def _drop_what_gives_way(ctx: click.Context) -> None:
    for name, rival in _GIVES_WAY:
        written = ctx.get_parameter_source(rival) is ParameterSource.COMMANDLINE
        if written and ctx.get_parameter_source(name) in _BY_DEFAULT and _differs(ctx, name, rival):
            ctx.params[name] = None
    for name, needed in _NEEDS:
        if ctx.get_parameter_source(name) in _BY_DEFAULT and not ctx.params.get(needed):
            ctx.params[name] = None


def _differs(ctx: click.Context, name: str, rival: str) -> bool:
    """Whether a default contradicts a written flag. A user name does only if the written registry is another one."""
    if not name.endswith("_username"):
        return True
    option = next((option for option in ctx.command.params if option.name == rival), None)
    usual = (option.value_from_envvar(ctx) or ctx.lookup_default(rival)) if option else None
    return usual is not None and _hosts(usual) != _hosts(ctx.params[rival])


def _hosts(stores: object) -> set[str]:
    several = stores if isinstance(stores, list | tuple) else (stores,)
    return {str(store).partition("/")[0].lower() for store in several}


def _origins(ctx: click.Context, error: TransloadError) -> Iterator[str]:
    """Where the defaults are set that an error mentions, by their flag or value."""
    sentences = f"{error} {error.subject or ''} {error.hint or ''}"
    for option in ctx.command.params:
        origin = _origin(ctx, option)
        if origin and any(_speaks_of(sentences, word) for word in (option.opts[-1], *_texts(ctx, option))):
            yield origin
    answers = read_environment().incumbent
    for question in QUESTIONS:
        if not question.secret and _speaks_of(sentences, answers.get(question.variable, "")):
            yield f"the variable {question.variable}"


def _texts(ctx: click.Context, option: click.Parameter) -> tuple[str, ...]:
    value = ctx.params.get(option.name or "")
    values = value if isinstance(value, tuple) else (value,)
    return tuple(str(text) for text in values if isinstance(text, str | Path))


def _speaks_of(sentences: str, word: str) -> bool:
    return bool(word) and re.search(rf"(?<![\w/.-]){re.escape(word)}(?![\w/-])", sentences) is not None


def _origin(ctx: click.Context, option: click.Parameter) -> str | None:
    source = ctx.get_parameter_source(option.name or "")
    if source is ParameterSource.ENVIRONMENT:
        return f"the variable {option.envvar}"
    return f"the file {read_environment().config}" if source is ParameterSource.DEFAULT_MAP else None
