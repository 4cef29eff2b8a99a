"""How options are declared: as a flag and a variable, and several as one value."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    """An option that is also a variable: --target-tag is TRANSLOAD_TARGET_TAG."""
    long = next(name for name in names if name.startswith("--")).partition("/")[0]
    variable = "TRANSLOAD_" + long.removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, **settings)


def as_value(
    argument: str, make: Callable[..., object], *options: Callable[[Command], Command]
) -> Callable[[Command], Command]:
    """Options that reach the command as one argument, which `make` makes of their values."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_value(**flags: Any) -> Any:
            values = {name: flags.pop(name) for name in names}
            return command(**{argument: make(**values)}, **flags)

        others = len(_parameters(command))
        decorated = stacked(*options)(cast("Command", with_value))
        names = [str(parameter.name) for parameter in _parameters(decorated)[others:]]
        return decorated

    return decorate


def stacked(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one, in their order."""

    def decorate(command: Command) -> Command:
        for add in reversed(options):
            command = add(command)
        return command

    return decorate


def _parameters(command: Callable[..., Any]) -> list[click.Parameter]:
    """The parameters that click has collected for a command that is not made yet."""
    parameters: list[click.Parameter] = getattr(command, "__click_params__", [])
    return parameters
