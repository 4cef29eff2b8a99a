"""Every public name says what it means, in its own words, and has types; so has every method of a public class."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import cached_property
from typing import Any, get_args, get_type_hints

import attrs

import transload
from tools.publicnames import alias_docstring

NAMES = [name for name in transload.__all__ if not name.startswith("_")]


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """What a class and its bases of ours define for callers: methods and properties as functions, by full name."""
    for base in kind.__mro__:
        if base.__module__.startswith("transload."):
            for name, member in vars(base).items():
                function = _function(member)
                if function is not None and not name.startswith("_"):
                    yield f"{base.__name__}.{name}", function


def _function(member: object) -> object:
    if isinstance(member, property):
        return member.fget
    if isinstance(member, cached_property):
        return member.func
    if isinstance(member, classmethod | staticmethod):
        return member.__func__
    return member if inspect.isfunction(member) else None


def lacking(label: str, text: str | None) -> Iterator[str]:
    """What is wrong with a docstring."""
    if not text or not text.strip():
        yield f"{label} has no docstring"
    elif text.lstrip().startswith("See "):
        yield f"{label} only says where to look: {text.splitlines()[0]}"


def untyped(label: str, function: Any) -> Iterator[str]:
    """The parameters without a type."""
    signature = inspect.signature(function)
    for name, parameter in signature.parameters.items():
        if parameter.annotation is parameter.empty and name not in {"self", "cls"}:
            yield f"{label}: the parameter {name} has no type"
    if signature.return_annotation is signature.empty:
        yield f"{label}: what is returned has no type"


def faults(name: str) -> Iterator[str]:
    value = getattr(transload, name)
    if inspect.isclass(value):
        yield from lacking(name, value.__doc__)
        if "__init__" in vars(value) and value.__init__.__module__ == value.__module__:  # not typing's, of a Protocol
            yield from untyped(name, value.__init__)
        for label, function in members(value):
            yield from lacking(label, function.__doc__)
            yield from untyped(label, function)
    elif inspect.isfunction(value):
        yield from lacking(name, value.__doc__)
        yield from untyped(name, value)
    elif not inspect.isfunction(getattr(value, "__wrapped__", None)):
        yield from lacking(name, alias_docstring(name))
    else:
        yield from lacking(name, value.__doc__)
        yield from untyped(name, value.__wrapped__)


def test_every_public_name_says_what_it_means() -> None:
    assert [fault for name in NAMES for fault in faults(name)] == []
    assert len(NAMES) > 200


def held(kind: object) -> Iterator[type]:
    """The classes of ours in a type such as `tuple[Step, ...] | None`."""
    if inspect.isclass(kind) and kind.__module__.startswith("transload."):
        yield kind
    for part in get_args(kind):
        yield from held(part)


def public_classes() -> list[type]:
    return [value for value in (getattr(transload, name) for name in NAMES) if inspect.isclass(value)]


def test_the_types_of_a_public_class_can_be_looked_up() -> None:
    for kind in public_classes():
        assert get_type_hints(kind).keys() >= vars(kind).get("__annotations__", {}).keys(), kind


def test_what_a_public_value_holds_is_public() -> None:
    public = set(public_classes())
    values = [kind for kind in public if attrs.has(kind)]
    assert len(values) > 50
    for value in values:
        types = get_type_hints(value)
        fields = [field.name for field in attrs.fields(value) if not field.name.startswith("_")]
        assert {kind for field in fields for kind in held(types[field])} <= public, value


def test_a_missing_docstring_and_type_would_be_seen() -> None:
    def bare(given):  # type: ignore[no-untyped-def]
        return given

    assert list(lacking("bare", bare.__doc__)) == ["bare has no docstring"]
    assert list(lacking("x", "See `Resolves`.")) == ["x only says where to look: See `Resolves`."]
    assert list(untyped("bare", bare)) == [
        "bare: the parameter given has no type",
        "bare: what is returned has no type",
    ]
