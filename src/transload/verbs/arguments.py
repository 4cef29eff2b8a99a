"""What a program gives to a verb, checked before anything is done. Pure.

A value of a wrong type is a `TypeError` that names the parameter, in Python's own words. It does not repeat the value,
which may be a password. One text where several are wanted stands for itself, never for its letters.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from transload.app.location import Location
from transload.errors import SelectionEmpty, UsageError
from transload.oci import Platform
from transload.planning import Narrowing, Referrers
from transload.planning.ages import Ages

Value = TypeVar("Value")


_PLACES = "name an image, or a store: registry.local/prefix, oci:DIR"


def string(name: str, value: str) -> str:
    """A text, which may be empty. Raises `TypeError`."""
    if not isinstance(value, str):
        folder = " (a folder is written 'oci:DIR', a bundle 'bundle:NAME')" if isinstance(value, os.PathLike) else ""
        raise TypeError(f"{name} must be str, not {type(value).__name__}{folder}")
    return value


def text(name: str, value: str, *, hint: str = _PLACES) -> str:
    """A text with something in it. Raises `TypeError`, `UsageError`."""
    if not string(name, value).strip():
        raise UsageError(f"{name} is empty", hint=hint)
    return _without_nul(name, value)


def store(name: str, value: str) -> Location:
    """A store as people write it. Raises `TypeError`, `UsageError`, `ReferenceInvalid`."""
    return Location.parse(text(name, value))


def stores(name: str, values: str | list[str] | tuple[str, ...]) -> tuple[Location, ...]:
    """One store or several. Raises `TypeError`, `UsageError` for none at all, `ReferenceInvalid`."""
    if not isinstance(values, list | tuple):
        return (store(name, values),)
    if not values:
        raise UsageError(f"{name} names no store", hint=_PLACES)
    return tuple(store(f"a store in {name}", value) for value in values)


def store_if_any(name: str, value: str | None) -> Location | None:
    """Raises `TypeError`, `UsageError`, `ReferenceInvalid`."""
    return None if value is None else store(name, value)


def text_if_any(name: str, value: str | None) -> str | None:
    """Raises `TypeError`, `UsageError`."""
    return None if value is None else text(name, value, hint="leave it out, or write a tag")


def texts(name: str, values: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> tuple[str, ...]:
    """Several texts or paths, or one. Raises `TypeError`, `UsageError`."""
    return tuple(text(f"a text in {name}", os.fspath(value)) for value in _several(name, values, (str, os.PathLike)))


def images(values: str | Iterable[str] | None) -> tuple[str, ...]:
    """The images that a call is restricted to; none if it is not, which an empty list does not mean.

    Raises `TypeError`, `UsageError`, `SelectionEmpty`.
    """
    if values is None:
        return ()
    named = texts("images", values)
    if not named:
        raise SelectionEmpty("images has no image in it", hint="leave images out to take everything")
    return named


def path(name: str, value: str | os.PathLike[str]) -> Path:
    """Raises `TypeError`, `UsageError`."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name} must be str or Path, not {type(value).__name__}")
    if not os.fspath(value):
        raise UsageError(f"{name} is empty", hint="write a path")
    return Path(_without_nul(name, os.fspath(value)))


def path_if_any(name: str, value: str | os.PathLike[str] | None) -> Path | None:
    """Raises `TypeError`, `UsageError`."""
    return None if value is None else path(name, value)


def paths(name: str, values: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> tuple[Path, ...]:
    """Several paths, or one. Raises `TypeError`, `UsageError`."""
    return tuple(path(f"a path in {name}", value) for value in _several(name, values, (str, os.PathLike)))


def platforms(values: str | Platform | Iterable[str | Platform]) -> tuple[Platform, ...]:
    """Several platforms, or one, read where they are texts. Raises `TypeError`, `PlatformInvalid`."""
    several = _several("platforms", values, (str, Platform))
    return tuple(value if isinstance(value, Platform) else Platform.parse(value) for value in several)


def narrowing(value: Narrowing | str) -> Narrowing:
    """A `Narrowing`, also by its value. Raises `UsageError`."""
    try:
        return Narrowing(value)
    except ValueError:
        raise UsageError(
            "narrowing is neither Narrowing.REWRITTEN nor Narrowing.SPARSE", hint="leave it out, or import Narrowing"
        ) from None


ReferrersArgument = Referrers | Literal["new", "refresh", "leave"] | bool | None
"""What happens to signatures, SBOMs and attestations.

None: those of new and changed images come along, and what cannot be looked for is a note. True, "new": the same, but an
error with them fails their image. "refresh": also those of unchanged images. False, "leave": they stay, and notes say
how many.
"""


def referrers(value: ReferrersArgument, usual: Referrers = Referrers.USUAL) -> Referrers:
    """Raises `UsageError`."""
    if value is None:
        return usual
    if isinstance(value, bool):
        return Referrers.NEW if value else Referrers.LEFT
    try:
        return Referrers(value)
    except ValueError:
        raise UsageError(
            'referrers is neither True or False nor "new", "refresh" or "leave"', hint="leave it out, or write one"
        ) from None


def of_kind(name: str, value: Value, kind: type) -> Value:
    """Raises `TypeError`."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {kind.__name__}, not {type(value).__name__}")
    return value


def of_kind_if_any(name: str, value: Value, kind: type) -> Value:
    """A value of this kind, or None. Raises `TypeError`."""
    return value if value is None else of_kind(name, value, kind)


def texts_by_key(name: str, value: Mapping[str, str] | None) -> dict[str, str]:
    """Texts by their keys, which UTF-8 can write. Raises `TypeError`, `UsageError`."""
    wanted = f"{name} must be a mapping of str to str"
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"{wanted}, not {type(value).__name__}")
    for part in (part for pair in value.items() for part in pair):
        if not isinstance(part, str):
            raise TypeError(f"{wanted}, and one has {type(part).__name__}")
        if not part.isascii() and part.encode(errors="replace").decode() != part:
            raise UsageError(f"{name}: {part!r} cannot be written as UTF-8", hint="leave the broken characters out")
    return dict(value)


def jobs(value: int) -> int:
    """How many blobs move at a time, at most. Raises `TypeError`, `UsageError`."""
    if not isinstance(value, int):
        raise TypeError(f"jobs must be int, not {type(value).__name__}")
    if value < 1:
        raise UsageError(f"jobs must be at least 1, not {value}", hint="leave it out, and transload finds out")
    return value


def _several(name: str, values: Any, kinds: tuple[type, ...]) -> tuple[Any, ...]:
    wanted = " or ".join("Path" if kind is os.PathLike else kind.__name__ for kind in kinds)
    if isinstance(values, kinds):
        return (values,)
    if isinstance(values, (bytes, bytearray)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list of {wanted}, not {type(values).__name__}")
    several = tuple(values)
    for value in several:
        if not isinstance(value, kinds):
            raise TypeError(f"each of {name} must be {wanted}, not {type(value).__name__}")
    return several


def _without_nul(name: str, value: str) -> str:
    if "\0" in value:
        raise UsageError(f"{name} has a NUL character in it", hint="leave it out: no name and no path may have one")
    return value


def ages(least: str | None, greatest: str | None) -> Ages:
    """The limits `min_age` and `max_age`. Raises `TypeError`, `UsageError`."""
    return Ages.of(text_if_any("min_age", least), text_if_any("max_age", greatest))
