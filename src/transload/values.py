"""Classes of values: `frozen` and `define` as in attrs, made here because they cost less when the program starts.

attrs writes the methods of a class as text and compiles it: 0.7 ms for each of two hundred classes, and its own modules
take as long as twenty of ours. Here comparing, hashing and showing are functions that know the fields, and `__init__`
is compiled when the first value of a class is made: a short run makes values of few classes. All else is as in attrs;
type checkers see attrs itself, and `attrs.fields`, `attrs.evolve` and `attrs.asdict` take these classes too.

Methods of a class with slots cannot use `super()`: the class is made anew, since slots need that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # so that type checkers know them
    import inspect

    from attrs import NOTHING, Attribute, Factory, define, evolve, field, frozen

__all__ = ["NOTHING", "Attribute", "Factory", "define", "evolve", "field", "frozen"]

_FIELDS = "__fields_of_values__"


class _Nothing:
    def __repr__(self) -> str:
        return "NOTHING"


class _Factory:
    """A default that is made for each value; `takes_self` gives it the value, whose earlier fields are set."""

    __slots__ = ("factory", "takes_self")

    def __init__(self, factory: Callable[..., Any], takes_self: bool = False) -> None:
        self.factory = factory
        self.takes_self = takes_self


class _Field:
    """What is known of one field: the options of `attrs.field`."""

    __slots__ = (
        "argument",
        "converter",
        "default",
        "eq",
        "hash",
        "init",
        "kw_only",
        "name",
        "order",
        "repr",
        "type",
        "validator",
    )

    def __init__(
        self,
        *,
        default: Any = None,
        factory: Callable[[], Any] | None = None,
        init: bool = True,
        repr: bool | Callable[[Any], str] = True,  # noqa: A002 - attrs' name
        eq: bool | None = None,
        order: bool | Callable[[Any], Any] | None = None,
        hash: bool | None = None,  # noqa: A002 - attrs' name
        kw_only: bool | None = None,
        converter: Callable[[Any], Any] | None = None,
        validator: Callable[[Any, Any, Any], None] | None = None,
    ) -> None:
        self.default = default if factory is None else _Factory(factory)
        self.init = init
        self.repr = repr
        self.eq = True if eq is None else eq
        self.order = self.eq if order is None else order
        self.hash = self.eq if hash is None else hash
        self.kw_only = kw_only
        self.converter = converter
        self.validator = validator
        self.name = self.type = ""
        self.argument = ""
        """Its name as an argument of `__init__`."""


class _Late:
    """An attribute of a class and those below it that few programs ask for: found when it is, once for each class."""

    def __init__(self, find: Callable[[type], Any]) -> None:
        self._find = find
        self._found: dict[type, Any] = {}

    def __get__(self, value: object, cls: type) -> Any:
        if cls not in self._found:
            self._found[cls] = self._find(cls)
        return self._found[cls]


if not TYPE_CHECKING:
    NOTHING = _Nothing()
    Factory = _Factory
    Attribute = _Field

    def field(*, default: Any = NOTHING, **options: Any) -> Any:
        """See `attrs.field`."""
        return _Field(default=default, **options)

    def frozen(cls: type | None = None, **options: Any) -> Any:
        """See `attrs.frozen`."""
        return define(cls, frozen=True, **options)

    def define(cls: type | None = None, **options: Any) -> Any:
        """See `attrs.define`."""
        return (lambda cls: _made(cls, **options)) if cls is None else _made(cls, **options)

    def evolve(value: Any, /, **changes: Any) -> Any:
        """See `attrs.evolve`."""
        for one in getattr(value, _FIELDS):
            if one.init and one.argument not in changes:
                changes[one.argument] = getattr(value, one.name)
        return value.__class__(**changes)


def _made(
    cls: type, *, frozen: bool = False, slots: bool = True, kw_only: bool = False, eq: bool = True, order: bool = False
) -> type:
    own = _fields_in(cls, kw_only)
    fields = _with_those_above(cls, own)
    if not frozen and any(one.converter or one.validator for one in fields):
        raise TypeError(f"{cls.__name__} can be changed, so its fields have neither converter nor validator")
    written = vars(cls)
    methods: dict[str, Any] = {_FIELDS: fields, "__fields_of_its_own__": own, **_SHARED}
    methods["__match_args__"] = tuple(one.name for one in fields if one.init and not one.kw_only)
    if eq and not ({"__eq__", "__ne__", "__hash__"} & written.keys()):
        methods.update(_comparing(fields, hashable=frozen))
    if order:
        methods.update(_ordering(fields))
    if frozen:
        methods.update(__setattr__=_refuse, __delattr__=_refuse)
    if slots:
        methods.update(__getstate__=_state_of, __setstate__=_set_state)
    methods = {name: method for name, method in methods.items() if name not in written}
    if slots:
        made = _with_slots(cls, own, methods)
    else:
        made = cls
        for one in own:
            if one.name in written:
                delattr(cls, one.name)
        for name, method in methods.items():
            setattr(cls, name, method)
    if "__init__" not in written:
        setattr(made, "__init__", _first_init(made, fields))  # noqa: B010 - type checkers refuse the other way
    return made


# --- fields


def _fields_in(cls: type, kw_only: bool) -> tuple[_Field, ...]:
    """The fields that the text of a class names, in its order."""
    found, given = [], vars(cls)
    for name, annotation in cls.__annotations__.items():
        if str(annotation).startswith("ClassVar"):
            continue
        default = given.get(name, NOTHING)
        if type(default).__name__ == "_CountingAttr":
            raise TypeError(f"{cls.__name__}.{name} is a field of attrs: take `field` from transload.values")
        one = default if isinstance(default, _Field) else _Field(default=default)
        one.name, one.argument, one.type = name, name.lstrip("_"), annotation
        one.kw_only = kw_only if one.kw_only is None else one.kw_only
        if callable(one.eq):
            raise TypeError(
                f"{cls.__name__} compares a field by a function: give the class order=True, or a method __eq__"
            )
        found.append(one)
    lost = {name for name, value in given.items() if isinstance(value, _Field)} - cls.__annotations__.keys()
    if lost:
        raise TypeError(f"{cls.__name__}: fields without a type: {', '.join(sorted(lost))}")
    return tuple(found)


def _with_those_above(cls: type, own: tuple[_Field, ...]) -> tuple[_Field, ...]:
    """All fields: those of the classes above come first; one that is named again has its last place."""
    fields: dict[str, _Field] = {}
    for above in (*cls.__mro__[:0:-1], None):
        for one in own if above is None else vars(above).get("__fields_of_its_own__", ()):
            fields.pop(one.name, None)
            fields[one.name] = one
    return tuple(fields.values())


def _with_slots(cls: type, own: tuple[_Field, ...], methods: dict[str, Any]) -> type:
    """The class again, with a slot for each field of its own."""
    names = {one.name for one in own}
    inherited = {name for above in cls.__mro__[1:] for name in vars(above).get("__slots__", ())}
    body = {name: value for name, value in vars(cls).items() if name not in names}
    body.pop("__dict__", None)
    body.pop("__weakref__", None)
    weakly = () if "__weakref__" in inherited or cls.__mro__[1].__weakrefoffset__ else ("__weakref__",)
    late = {name: value.func for name, value in body.items() if isinstance(value, cached_property)}
    if late:
        body = {name: value for name, value in body.items() if name not in late}
        body["__late__"] = late | getattr(cls, "__late__", {})
        body["__getattr__"] = _finding(body["__late__"])
    slots = (*(one.name for one in own if one.name not in inherited), *late, *weakly)
    made = type(cls)(cls.__name__, cls.__bases__, {**body, **methods, "__slots__": slots})
    made.__qualname__ = cls.__qualname__
    return made


def _finding(late: dict[str, Callable[[Any], Any]]) -> Callable[[Any, str], Any]:
    """A `__getattr__` for cached properties: each has a slot, which is empty until somebody asks."""

    def __getattr__(self: Any, name: str) -> Any:  # noqa: N807 - it becomes a method
        if name not in late:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
        value = late[name](self)
        object.__setattr__(self, name, value)
        return value

    return __getattr__


# --- methods


def _comparing(fields: tuple[_Field, ...], *, hashable: bool) -> dict[str, Any]:
    """Equal are values of one class whose fields are equal; only what cannot be changed has a hash."""
    compared = _getter([one.name for one in fields if one.eq])
    hashed = _getter([one.name for one in fields if one.hash])

    def __eq__(self: Any, other: object) -> bool:  # noqa: N807 - it becomes a method
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:  # noqa: N807 - it becomes a method
        return hash(hashed(self))

    return {"__eq__": __eq__, "__hash__": __hash__ if hashable else None}


def _getter(names: list[str]) -> Callable[[Any], Any]:
    return attrgetter(*names) if names else lambda value: value.__class__


def _ordering(fields: tuple[_Field, ...]) -> dict[str, Any]:
    ordered = [(one.name, one.order if callable(one.order) else None) for one in fields if one.order]

    def place(value: Any) -> tuple[Any, ...]:
        return tuple(getattr(value, name) if by is None else by(getattr(value, name)) for name, by in ordered)

    def __lt__(self: Any, other: object) -> bool:  # noqa: N807 - it becomes a method
        return place(self) < place(other) if other.__class__ is self.__class__ else NotImplemented

    def __le__(self: Any, other: object) -> bool:  # noqa: N807 - it becomes a method
        return place(self) <= place(other) if other.__class__ is self.__class__ else NotImplemented

    return {"__lt__": __lt__, "__le__": __le__}  # Python takes these for > and >= too, the other way round


@recursive_repr()
def _shown(self: Any) -> str:
    parts = [
        f"{one.name}={(repr if one.repr is True else one.repr)(getattr(self, one.name, NOTHING))}"
        for one in getattr(self, _FIELDS)
        if one.repr
    ]
    return f"{self.__class__.__qualname__.rpartition('>.')[2]}({', '.join(parts)})"


def _refuse(_self: Any, _name: str, _value: object = None) -> None:
    from attrs.exceptions import FrozenInstanceError  # only mistakes come here

    raise FrozenInstanceError


def _state_of(self: Any) -> dict[str, Any]:
    """What copies and pickles are made of."""
    return {one.name: getattr(self, one.name) for one in getattr(self, _FIELDS) if hasattr(self, one.name)}


def _set_state(self: Any, state: dict[str, Any]) -> None:
    for name, value in state.items():
        object.__setattr__(self, name, value)


# --- making one


def _first_init(cls: type, fields: tuple[_Field, ...]) -> Callable[..., None]:
    """An `__init__` that puts the compiled one in its own place."""

    def __init__(self: Any, *arguments: Any, **named: Any) -> None:  # noqa: N807 - it becomes a method
        _compiled_init(cls, fields)(self, *arguments, **named)

    first: Any = __init__
    first.of_values = (cls, fields)
    return first  # type: ignore[no-any-return]  # it is the function above


def _compiled_init(cls: type, fields: tuple[_Field, ...]) -> Callable[..., None]:
    names: dict[str, Any] = {"NOTHING": NOTHING}
    by_place: list[str] = ["self"]
    by_name: list[str] = []
    lines: list[str] = []
    for one in fields:
        text = one.argument if one.init else "NOTHING"
        names[f"default_{one.name}"] = default = one.default
        if isinstance(default, _Factory):
            made = f"default_{one.name}.factory({'self' if default.takes_self else ''})"
            text = f"({made} if {text} is NOTHING else {text})" if one.init else made
        elif not one.init:
            text = f"default_{one.name}"
        if one.init:
            given = (
                "" if default is NOTHING else "=NOTHING" if isinstance(default, _Factory) else f"=default_{one.name}"
            )
            (by_name if one.kw_only else by_place).append(one.argument + given)
        elif default is NOTHING:
            continue  # set by a method of the class
        if one.converter is not None:
            names[f"convert_{one.name}"] = one.converter
            text = f"convert_{one.name}({text})"
        place: Any = getattr(cls, one.name, None)
        if hasattr(place, "__set__"):  # a slot: it can be set although the class refuses
            names[f"set_{one.name}"] = place.__set__
            lines.append(f"set_{one.name}(self, {text})")
        else:
            lines.append(f"self.__dict__[{one.name!r}] = {text}")
    for one in fields:
        if one.validator is not None:
            names[f"check_{one.name}"], names[f"field_{one.name}"] = one.validator, one
            lines.append(f"check_{one.name}(self, field_{one.name}, self.{one.name})")
    if hasattr(cls, "__attrs_post_init__"):
        lines.append("self.__attrs_post_init__()")
    head = ", ".join([*by_place, *(["*", *by_name] if by_name else [])])
    exec(f"def __init__({head}):\n    " + "\n    ".join(lines or ["pass"]), names)  # noqa: S102 - the text is ours
    init: Callable[..., None] = names["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    init.__annotations__ = {one.argument: one.type for one in fields if one.init} | {"return": None}
    setattr(cls, "__init__", init)  # noqa: B010 - type checkers refuse the other way
    return init


# --- for others


def _as_attrs(cls: type) -> Any:
    """What `attrs.fields` gives of a class."""
    import attrs  # few programs ask

    body: dict[str, Any] = {"__annotations__": {}}
    for one in getattr(cls, _FIELDS):
        default = one.default
        if default is NOTHING:
            default = attrs.NOTHING
        elif isinstance(default, _Factory):
            make: Any = attrs.Factory  # type checkers know it as a function
            default = make(default.factory, default.takes_self)
        options = {
            name: getattr(one, name) for name in ("init", "repr", "eq", "hash", "kw_only", "converter", "validator")
        }
        body["__annotations__"][one.name] = one.type
        body[one.name] = attrs.field(default=default, **options)
    return attrs.fields(attrs.define(type(cls.__name__, (), body), slots=False))


def _signature(cls: type) -> inspect.Signature:
    import inspect  # few programs ask

    init: Any = getattr(cls, "__init__")  # noqa: B009 - type checkers refuse the other way
    whole = inspect.signature(_compiled_init(*init.of_values) if hasattr(init, "of_values") else init)
    return whole.replace(parameters=list(whole.parameters.values())[1:])


_SHARED = {
    "__repr__": _shown,
    "__replace__": evolve,  # copy.replace, from Python 3.13 on
    "__attrs_attrs__": _Late(_as_attrs),
    "__signature__": _Late(_signature),
}
