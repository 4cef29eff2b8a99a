"""Values of JSON and YAML: the right answers, and errors that say where and what was found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from transload.documents.value import Value, readable
from transload.errors import CatalogUnknown, DigestInvalid, DocumentInvalid, LimitExceeded, ManifestInvalid
from transload.oci import Digest

HINT = "make it again"


def of_json(text: str) -> Value:
    return Value.from_json(text.encode(), "plan", limit=10_000, values=100, hint=HINT)


def of_yaml(text: str) -> Value:
    return Value.from_yaml(text, "f.yaml")


BOTH = pytest.mark.parametrize("read", [of_json, of_yaml])


@BOTH
def test_answers_of_the_right_kind(read: Callable[[str], Value]) -> None:
    root = read('{"a": ["x", "y"], "b": {"c": "d"}, "e": true}').only("a", "b", "e", "f")
    assert root.get("a").texts() == ("x", "y")
    assert [(key, value.text(), value.path) for key, value in root.get("b").entries()] == [("c", "d", "b.c")]
    assert root.get("e").truth() is True
    assert root.get("b").get("c").one_of(("c", "d")) == "d"
    assert root.get("f").maybe(Value.text) is None
    assert root.get("f").maybe(Value.items, ()) == ()
    assert root.get("a").maybe(Value.texts, ()) == ("x", "y")
    assert [root.has(key) for key in "af"] == [True, False]


def test_numbers_are_whole_and_below_a_limit() -> None:
    root = of_json('{"a": [0, 1, 2], "b": 7, "c": []}')
    assert root.get("a").numbers(3) == (0, 1, 2)
    assert root.get("b").number(8) == 7
    assert root.get("c").numbers(0) == ()


def failure(ask: Callable[[], object]) -> DocumentInvalid:
    with pytest.raises(DocumentInvalid) as caught:
        ask()
    return caught.value


@pytest.mark.parametrize(
    ("ask", "of_both", "of_one"),
    [
        (lambda root: root.get("a").text(), "a: expected text, found a list", None),
        (lambda root: root.get("b").items(), "b: expected a list, found a mapping", None),
        (lambda root: root.get("e").entries(), "e: expected a mapping, found 'f'", None),
        (lambda root: root.get("e").get("x"), "e: expected a mapping, found 'f'", None),
        (lambda root: root.get("e").truth(), "e: expected true or false, found 'f'", None),
        (lambda root: root.get("e").one_of(("x", "y", "z")), "e: expected x or y or z, found 'f'", None),
        (lambda root: root.get("e").one_of(("x",)), "e: expected x, found 'f'", None),
        (lambda root: root.get("a").texts(), "a[1]: 'x' is listed twice", ", first on line 1"),
        (lambda root: root.get("e").read(Digest), "e: 'f' is not a digest", None),
        (lambda root: root.get("long").one_of(("x",)), f"long: expected x, found '{'l' * 40}'", None),
        (lambda root: root.get("b").only("cc"), "b.c: unknown key", None),
        (lambda root: tuple(root.get("g").items())[0].text(), "g[0]: has no value; expected text", None),
    ],
)
def test_both_say_the_same_of_a_wrong_value(ask: Callable[[Value], object], of_both: str, of_one: str | None) -> None:
    text = '{"a": ["x", "x"], "b": {"c": "d"}, "e": "f", "g": [null], "long": "' + "l" * 99 + '"}'
    in_json, in_yaml = failure(lambda: ask(of_json(text))), failure(lambda: ask(of_yaml(text)))
    assert str(in_json) == f"plan.{of_both}"
    assert str(in_yaml) == f"f.yaml:1: {of_both}{of_one or ''}"
    assert in_json.hint == HINT
    assert in_json.subject == str(in_json).partition(": ")[0]
    assert in_yaml.subject == "f.yaml"


@BOTH
def test_a_key_that_is_missing_is_told_of_the_mapping(read: Callable[[str], Value]) -> None:
    root = read('{"b": {}}')
    for ask in (lambda: root.get("b").get("c").text(), lambda: root.get("b").needs("c")):
        assert str(failure(ask)).endswith("b: key 'c' is missing")
    assert str(failure(lambda: root.get("c").number())) in ("plan: key 'c' is missing", "f.yaml:1: key 'c' is missing")


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ("-1", "-1"),
        ("3", "3"),
        ("1.5", "1.5"),
        ("true", "true"),
        ('"0"', "'0'"),
        ("[]", "a list"),
        ("9" * 99, "9" * 40),
    ],
)
def test_what_is_no_number(found: str, shown: str) -> None:
    root = of_json(f'{{"a": {found}, "b": [0, {found}]}}')
    assert (
        str(failure(lambda: root.get("a").number(3))) == f"plan.a: expected a whole number from 0 to 2, found {shown}"
    )
    assert str(failure(lambda: root.get("b").numbers(3))).startswith("plan.b[1]: expected a whole number from 0 to 2")


@pytest.mark.parametrize("text", ["g:\n", "g: ~\n", "g: '  '\n", "g: ''\n"])
def test_yaml_has_no_text_where_nothing_is_written(text: str) -> None:
    value = of_yaml(text).get("g")
    assert str(failure(value.text)) == "f.yaml:1: g: has no value; expected text"
    assert str(failure(value.items)) == "f.yaml:1: g: has no value; expected a list"
    assert of_json('{"g": ""}').get("g").text() == ""


def test_an_unknown_key_is_told_with_its_own_line_and_with_what_was_meant() -> None:
    root = of_yaml("name: x\nimagse:\n  - a\n")
    error = failure(lambda: root.only("name", "images"))
    assert (str(error), error.hint) == ("f.yaml:2: imagse: unknown key", "did you mean images?")


def test_keys_of_others_are_shown_short_and_printable() -> None:
    root = of_json('{"\\u001b[2J' + "k" * 200 + '": 1}')
    message = str(failure(lambda: root.only()))
    assert message.isprintable()
    assert len(message) < 120


@BOTH
def test_what_goes_wrong_inside_is_told_of_the_value(read: Callable[[str], Value]) -> None:
    value = read('{"a": "x"}').get("a")
    for kind in (DigestInvalid, ManifestInvalid, LimitExceeded):
        with pytest.raises(DocumentInvalid, match=r"a: no good$"), value.explained():
            raise kind("no good")
    with pytest.raises(CatalogUnknown, match=r"a: not there$"), value.explained():
        raise CatalogUnknown("not there")
    with pytest.raises(DocumentInvalid) as caught, value.explained():
        raise value.fail("no good")
    assert str(caught.value) == f"{value.where}: no good"


def test_too_much_for_a_file_is_refused_before_it_is_written() -> None:
    assert readable(b"{}", "plan", limit=2, values=9, hint=HINT) == b"{}"
    with pytest.raises(LimitExceeded, match="the plan is too large for a file") as caught:
        readable(b"{  }", "plan", limit=2, values=9, hint=HINT)
    assert caught.value.hint == HINT
