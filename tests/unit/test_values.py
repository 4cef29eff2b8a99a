"""Classes of values behave as those of attrs, whose own methods are beside them here."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import attrs
import pytest

from transload import values

MAKERS = pytest.mark.parametrize("make", [attrs, values], ids=["attrs", "ours"])


def redacted(text: str) -> str:
    return "x" * len(text)


def plain(make: Any) -> Any:
    class Plain:
        number: int
        text: str = make.field(default="a", repr=redacted)
        _hidden: int = make.field(default=0, repr=False)
        note: str = make.field(default="", eq=False)
        facts: Any = make.field(factory=dict, hash=False)

    return make.frozen(Plain)


def empty(make: Any) -> Any:
    class Empty:
        pass

    return make.frozen(Empty)


def single(make: Any) -> Any:
    class Single:
        number: Any

    return make.frozen(kw_only=True)(Single)


@values.frozen
class Kept:
    number: int
    text: str = "a"


@MAKERS
def test_values_with_equal_fields_are_equal_and_have_one_hash(make: Any) -> None:
    kind = plain(make)
    assert kind(1) == kind(1, note="other")
    assert (kind(1) != kind(1)) is False
    assert hash(kind(1, facts={"a": 1})) == hash(kind(1, facts={"b": 1}))
    assert len({kind(1), kind(1), kind(2)}) == 2
    assert kind(1) != kind(2)
    assert kind(1, hidden=1) != kind(1)
    assert kind(1, facts={"a": 1}) != kind(1)


@MAKERS
@pytest.mark.parametrize("other", [1, (1, "a"), None])
def test_a_value_is_not_equal_to_another_kind(make: Any, other: object) -> None:
    assert plain(make)(1) != other
    assert plain(make)(1).__eq__(other) is NotImplemented


@MAKERS
def test_a_value_is_not_equal_to_one_of_a_class_below(make: Any) -> None:
    kind: Any = plain(make)

    class Below(kind):  # type: ignore[misc]  # its base is known only when it runs
        pass

    made: Any = make.frozen(Below)

    assert made(1) != kind(1)
    assert made(1) == made(1)
    assert repr(made(1)) == "Below(number=1, text=x, note='', facts={})"


@MAKERS
@pytest.mark.parametrize(
    ("of", "arguments", "shown"),
    [
        (plain, {"number": 1}, "Plain(number=1, text=x, note='', facts={})"),
        (empty, {}, "Empty()"),
        (single, {"number": 'it"s'}, "Single(number='it\"s')"),
    ],
)
def test_a_value_shows_its_fields(make: Any, of: Callable[[Any], Any], arguments: dict[str, Any], shown: str) -> None:
    assert repr(of(make)(**arguments)) == shown


@MAKERS
def test_a_value_that_holds_itself_is_shown(make: Any) -> None:
    within: list[Any] = []
    value = single(make)(number=within)
    within.append(value)
    assert repr(value) == "Single(number=[...])"


@MAKERS
@pytest.mark.parametrize("of", [empty, single])
def test_few_fields_are_compared_and_hashed_too(make: Any, of: Callable[[Any], Any]) -> None:
    made = of(make)
    arguments = {"number": 1} if of is single else {}
    assert made(**arguments) == made(**arguments)
    assert hash(made(**arguments)) == hash(made(**arguments))


@MAKERS
def test_what_can_be_changed_has_no_hash(make: Any) -> None:
    class Changing:
        number: int

    made: Any = make.define(Changing)

    assert made(1) == made(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(made(1))


@MAKERS
def test_what_is_defined_as_frozen_has_a_hash(make: Any) -> None:
    class Frozen:
        number: int

    made: Any = make.define(frozen=True, slots=False)(Frozen)

    assert hash(made(1)) == hash(made(1))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made(1).number = 2


@MAKERS
def test_without_eq_each_is_itself(make: Any) -> None:
    class Each:
        number: int

    made: Any = make.frozen(eq=False)(Each)

    value = made(1)
    assert value == value
    assert value != made(1)
    assert len({value, made(1)}) == 2
    assert repr(value).endswith("Each(number=1)")


@MAKERS
def test_in_order_by_their_fields(make: Any) -> None:
    class Ordered:
        text: str = make.field(order=len)

    made: Any = make.frozen(order=True)(Ordered)

    assert made("z") < made("aa")
    assert hash(made("z")) == hash(made("z"))


@MAKERS
def test_methods_of_a_class_stay(make: Any) -> None:
    class Own:
        number: int

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "own"

    made: Any = make.frozen(Own)

    assert made(1) == made(2)
    assert (hash(made(1)), repr(made(1))) == (7, "own")


@MAKERS
def test_a_class_keeps_its_slots_and_can_be_matched(make: Any) -> None:
    value = plain(make)(1)
    assert not hasattr(value, "__dict__")
    assert type(value).__match_args__ == ("number", "text", "_hidden", "note", "facts")
    assert attrs.evolve(value, number=2).number == 2


def test_a_field_that_is_compared_by_a_function_is_refused() -> None:
    with pytest.raises(TypeError, match="Folded compares a field by a function"):

        @values.frozen
        class Folded:
            text: str = values.field(eq=str.casefold)


@MAKERS
def test_arguments_become_fields_in_the_way_of_attrs(make: Any) -> None:
    class Given:
        number: int = make.field(converter=int)
        made: list[int] = make.field(factory=list)
        _own: int = make.field(default=2, kw_only=True)
        total: int = make.field(init=False, default=make.Factory(lambda self: self.number + self._own, takes_self=True))
        later: int = make.field(init=False)

    made: Any = make.define(frozen=True, slots=False)(Given)

    assert made("1", own=3).total == 4
    assert made("1").made is not made("1").made
    assert not hasattr(made("1"), "later")
    with pytest.raises(TypeError, match=r"Given.__init__\(\) missing 1 required positional argument: 'number'"):
        made()
    with pytest.raises(TypeError, match="unexpected keyword argument 'total'"):
        made("1", total=3)


@MAKERS
def test_a_value_is_checked_when_it_is_made(make: Any) -> None:
    seen: list[Any] = []

    class Checked:
        number: int = make.field(validator=lambda value, field, given: seen.append((value.text, field.name, given)))
        text: str = "a"

        def __attrs_post_init__(self) -> None:
            seen.append("after")

    make.frozen(Checked)(1)
    assert seen == [("a", "number", 1), "after"]


@MAKERS
def test_what_is_cached_is_found_once(make: Any) -> None:
    asked = []

    class Caching:
        number: int

        @cached_property
        def double(self) -> int:
            asked.append(self.number)
            return 2 * self.number

    class More(make.frozen(Caching)):  # type: ignore[misc]  # its base is known only when it runs
        @cached_property
        def triple(self) -> int:
            return 3 * int(self.number)

    value: Any = make.frozen(More)(2)
    assert (value.double, value.double, value.triple, asked) == (4, 4, 6, [2])
    assert value == make.evolve(value)
    assert copy.copy(value).triple == 6
    with pytest.raises(AttributeError, match="'More' object has no attribute 'other'"):
        _ = value.other


@MAKERS
def test_a_class_below_has_the_fields_above_first_unless_it_names_them(make: Any) -> None:
    class Above:
        number: int
        text: str

    class Below(make.frozen(Above)):  # type: ignore[misc]  # its base is known only when it runs
        number: str
        more: str = "c"

    made: Any = make.frozen(Below)

    assert repr(made("a", "b")).endswith("Below(text='a', number='b', more='c')")
    assert not hasattr(made("a", "b"), "__dict__")


@MAKERS
def test_others_find_the_fields_and_the_signature(make: Any) -> None:
    kind = plain(make)
    fields = attrs.fields(kind)
    assert [(one.name, one.alias, one.type, one.eq) for one in fields] == [
        ("number", "number", "int", True),
        ("text", "text", "str", True),
        ("_hidden", "hidden", "int", True),
        ("note", "note", "str", False),
        ("facts", "facts", "Any", True),
    ]
    assert attrs.fields(kind) is fields, "made once, as attrs makes them"
    assert attrs.asdict(kind(1))["_hidden"] == 0
    assert [*inspect.signature(kind).parameters] == ["number", "text", "hidden", "note", "facts"]
    assert make.evolve(kind(1), hidden=2) == kind(1, hidden=2)
    assert make.evolve(make.frozen(type("Held", (), {"__annotations__": {"value": "int"}}))(1), value=2).value == 2


def test_what_would_be_taken_for_a_default_is_refused() -> None:
    with pytest.raises(TypeError, match="number is a field of attrs"):

        @values.frozen
        class Foreign:
            number: int = attrs.field(default=1)

    with pytest.raises(TypeError, match="fields without a type: number"):

        @values.frozen
        class Untyped:
            number = values.field(default=1)  # type: ignore[var-annotated]  # that is what is refused


def test_fields_that_can_be_changed_are_not_checked() -> None:
    with pytest.raises(TypeError, match="neither converter nor validator"):

        @values.define
        class Changing:
            number: int = values.field(converter=int)


def test_values_can_be_made_by_several_threads_at_once() -> None:
    kinds = [values.frozen(type(f"Kind{number}", (), {"__annotations__": {"number": "int"}})) for number in range(50)]
    with ThreadPoolExecutor(8) as threads:
        made = [*threads.map(lambda number: kinds[number % 50](number), range(400))]
    assert [one.number for one in made] == [*range(400)]


def test_copies_and_pickles_are_equal() -> None:
    value = Kept(1)
    assert copy.deepcopy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value
