"""The flags --referrers and --no-referrers: what happens to signatures, SBOMs and attestations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from transload.cli.declaring import option, stacked
from transload.cli.flags import WantedFlags
from transload.errors import UsageError
from transload.planning import Referrers

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Flag = Callable[[Callable[..., Any]], Callable[..., Any]]

_MODES = {mode.value: mode for mode in (Referrers.NEW, Referrers.REFRESH, Referrers.LEFT)}
# What the flag meant when it had no value, in variables and in the file.
_SWITCHED = dict.fromkeys(("1", "true", "t", "yes", "y", "on"), Referrers.NEW)
_SWITCHED |= dict.fromkeys(("0", "false", "f", "no", "n", "off"), Referrers.LEFT)
_NEAREST = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)


class _Mode(click.ParamType[Referrers]):
    """One of the modes by its word; as a switch, on is `new` and off is `leave`."""

    name = "mode"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Referrers:
        """See click."""
        if isinstance(value, Referrers):
            return value
        mode = (_MODES | _SWITCHED).get(str(value).strip().lower())
        if mode is None:
            self.fail(f"{value!r} is none of {', '.join(_MODES)}", param, ctx)
        return mode

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:  # noqa: ARG002 - click's signature
        """See click."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(word) for word in _MODES if word.startswith(incomplete)]


class _Bare(click.Option):
    """An option that may also stand alone. Only one of its own words after it is its value, never a set's name."""


def with_values(parameters: Iterable[click.Parameter], words: list[str]) -> list[str]:
    """A command line on which --referrers always has its value, as click wants it.

    click itself would take any word after it, as in `mirror --referrers arcdata`.
    """
    bare = {name for parameter in parameters if isinstance(parameter, _Bare) for name in parameter.opts}
    return list(_with_values(bare, words)) if bare.intersection(words) else words


def _with_values(bare: set[str], words: list[str]) -> Iterator[str]:
    ended, taken = False, False
    for word, following in zip(words, [*words[1:], ""], strict=True):
        ended = ended or word == "--"
        if taken:
            taken = False
        elif word in bare and not ended:
            taken = following in _MODES
            yield f"{word}={following if taken else Referrers.NEW.value}"
        else:
            yield word


def wanted_flags(*, referrers: Referrers | None, no_referrers: bool = False, **flags: Any) -> WantedFlags:
    """The flags with one mode. What is nearer wins: the command line, then a variable, then the file.

    Raises `UsageError` if both flags are on the command line, or both in the file.
    """
    if not no_referrers:
        return WantedFlags(referrers=referrers, **flags)
    context = click.get_current_context()
    one, other = context.get_parameter_source("referrers"), context.get_parameter_source("no_referrers")
    if referrers not in {None, Referrers.LEFT} and one is other:
        raise UsageError("--referrers and --no-referrers exclude each other", hint="leave one of them out")
    nearer = referrers is not None and one in _NEAREST and _NEAREST.index(one) < _NEAREST.index(other)
    return WantedFlags(referrers=referrers if nearer else Referrers.LEFT, **flags)


def _flag(told: str) -> Flag:
    return option("--referrers", cls=_Bare, type=_Mode(), metavar="[new|refresh]", help=told)


_LEFT = click.option("--no-referrers", is_flag=True, help="Leave these where they are, and say how many stay behind.")

copied = stacked(
    _flag(
        "Signatures, SBOMs, attestations: an error with them fails their image. Those of new and changed images come "
        "anyway; refresh: of unchanged ones too."
    ),
    _LEFT,
)

carried = stacked(
    _flag("Signatures, SBOMs, attestations: all that is carried comes; new: only that of new and changed images."),
    _LEFT,
)

checked = _flag("Check signatures, SBOMs and attestations, too.")
