"""The kinds of values that flags take, besides click's own."""

from __future__ import annotations

import math
from typing import Any

import click

from transload.wording import bytes_in


class NamedPath(click.Path):
    """A path that is not empty: an empty text, from an unset variable of a shell, would mean the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See click."""
        if not str(value):
            self.fail("it is empty: write the name of a file or folder", param, ctx)
        return super().convert(value, param, ctx)


class PlanFile(NamedPath):
    """A file, or an artifact in a registry: `oci://HOST/REPOSITORY:TAG`, which stays a text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See click."""
        return value if isinstance(value, str) and value.startswith("oci://") else super().convert(value, param, ctx)


class Number(click.FloatRange):
    """A number in a range; never infinite, and never `nan`."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See click."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class Size(click.ParamType[int]):
    """A number of bytes with a unit, such as 1GB or 64MiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See click."""
        size = value if isinstance(value, int) else bytes_in(str(value))
        if not size:
            self.fail(f"{value!r} is not a size; write one such as 1GB or 64MiB", param, ctx)
        return size


class StoreName(click.types.StringParamType):
    """A store as text. In a variable it is one, also with blanks in its path."""

    def split_envvar_value(self, rv: str) -> list[str]:
        """See click, which would split at blanks."""
        return [rv]
