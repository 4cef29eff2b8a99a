"""Classes of values: `frozen` and `define` of attrs, with methods that cost less when the program starts.

attrs writes a class's methods as text and compiles it: 0.7 ms for each of two hundred classes, half of the start of a
short run. Comparing, hashing and showing need no text of their own: here they are functions that know the fields.
`__init__` and all else is still attrs' work, and these methods do what those of attrs do.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:  # so that type checkers know them
    from attrs import define, frozen
else:

    def frozen(cls: type | None = None, **options: Any) -> Any:
        """See `attrs.frozen`."""
        made = _maker(attrs.frozen, options, hashable=True)
        return made if cls is None else made(cls)

    def define(cls: type | None = None, **options: Any) -> Any:
        """See `attrs.define`."""
        made = _maker(attrs.define, options, hashable=options.get("frozen", False))
        return made if cls is None else made(cls)


__all__ = ["define", "frozen"]

_COMPARING = ("eq", "order", "unsafe_hash", "cache_hash")  # options that leave comparing and hashing to attrs
_OWN = ("__eq__", "__ne__", "__hash__")


def _maker(make: Callable[..., Any], options: dict[str, Any], hashable: bool) -> Callable[[type], type]:
    def made(cls: type) -> type:
        own = vars(cls)
        compares = not any(name in options for name in _COMPARING) and not any(name in own for name in _OWN)
        shows = "repr" not in options and "__repr__" not in own
        value: type = make(cls, **options, **({"eq": False} if compares else {}), **({"repr": False} if shows else {}))
        if compares:
            _add_comparing(value, hashable)
        if shows:
            _add_repr(value)
        return value

    return made


def _add_comparing(cls: Any, hashable: bool) -> None:
    """Equal are values of one class whose fields are equal; only what cannot be changed has a hash."""
    fields = cls.__attrs_attrs__
    if any(field.eq_key for field in fields):
        raise TypeError(f"{cls.__name__} compares a field by a function: give the class order=True, or a method __eq__")
    compared = _getter([field.name for field in fields if field.eq])
    hashed = _getter([field.name for field in fields if (field.eq if field.hash is None else field.hash)])

    def __eq__(self: Any, other: object) -> bool:  # noqa: N807 - it becomes a method
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:  # noqa: N807 - it becomes a method
        return hash(hashed(self))

    cls.__eq__ = __eq__
    cls.__hash__ = __hash__ if hashable else None


def _getter(names: list[str]) -> Callable[[Any], Any]:
    return attrgetter(*names) if names else lambda value: value.__class__


def _add_repr(cls: Any) -> None:
    shown = [(field.name, repr if field.repr is True else field.repr) for field in cls.__attrs_attrs__ if field.repr]

    @recursive_repr()
    def __repr__(self: Any) -> str:  # noqa: N807 - it becomes a method
        parts = (f"{name}={show(getattr(self, name, attrs.NOTHING))}" for name, show in shown)
        return f"{self.__class__.__qualname__.rpartition('>.')[2]}({', '.join(parts)})"

    cls.__repr__ = __repr__
