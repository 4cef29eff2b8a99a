"""The YAML reader: lines, limits, and nothing but text."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from transload.documents.value import Value
from transload.documents.yamltree import parse
from transload.errors import DocumentInvalid
from transload.limits import YAML_BYTES


@pytest.fixture(params=["c", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both parsers of PyYAML; the one in C may be absent where transload runs."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader")
    return str(request.param)


def plain(content: str | bytes) -> object:
    """The tree alone, as lists and dictionaries, which compare by what is in them."""
    tree, _ = parse(content, "f")
    return tree


@pytest.mark.usefixtures("parser")
def test_every_scalar_is_text_as_written() -> None:
    text = "a: 1.10\nb: no\nc: 2026-05-12\nd: 0x10\ne: ''\nf: ~\ng:\nh: 'null'\ni: [true, 1e3]\nj: !!str 1\n"
    assert plain(text) == {
        "a": "1.10",
        "b": "no",
        "c": "2026-05-12",
        "d": "0x10",
        "e": "",
        "f": "",
        "g": "",
        "h": "null",
        "i": ["true", "1e3"],
        "j": "1",
    }


@pytest.mark.usefixtures("parser")
def test_nodes_know_their_lines() -> None:
    root = Value.from_yaml("\n# c\na:\n  - b\n  - c: |\n      text\n    d: x\n", "f")
    items = tuple(root.get("a").items())
    assert [items[0].where, items[1].get("d").where] == ["f:4: a[0]", "f:7: a[1].d"]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f: the file is empty"),
        ("# nothing\n", "f: the file is empty"),
        ("a: 1\n---\nb: 2\n", "f:2: a second document begins"),
        ("a: 1\nb: 2\na: 3\n", "f:3: key 'a' is written twice, first on line 1"),
        ("a: !!python/object:os.system x\n", "f:1: the YAML tag 'tag:yaml.org,2002:python/object:os.system' is not"),
        ("!mine\na: 1\n", "f:1: the YAML tag '!mine' is not allowed"),
        ("a: !!int 1\n", "f:1: the YAML tag"),
        ("a: &x [*x]\n", "f:1: alias *x stands before its anchor"),
        ("a: *x\n", "f:1: alias *x stands before its anchor"),
        ("? [a]\n: 1\n", "f:1: a key is not text"),
        ("~: 1\n", "f:1: a key is not text"),
        ("[" * 30 + "]" * 30, "f:1: nested more than 24 levels deep"),
        ("a:\n\t- b\n", "f:2:1: not valid YAML: "),
        ("a: [b\nc: d\n", "f:2:2: not valid YAML: "),
        ("a: 'b\n", "not valid YAML: "),
        ("a: b\n  c: d\n", "f:2:4: not valid YAML: "),
        ("a: x\nb: \x07\n", "f:2:4: not valid YAML: "),
    ],
)
def test_what_is_refused_and_where(text: str, message: str) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        parse(text, "f")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("f:")
    assert caught.value.subject == "f"


def test_tabs_are_explained() -> None:
    with pytest.raises(DocumentInvalid) as caught:
        parse("a:\n\t- b\n", "f")
    assert caught.value.hint == "indent with spaces, not with tabs"


def test_an_alias_is_the_same_as_what_it_stands_for() -> None:
    assert plain("a: &x [b, c]\nd: *x\n") == {"a": ["b", "c"], "d": ["b", "c"]}


def test_a_bomb_of_aliases_does_not_go_off() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(DocumentInvalid, match="f:6: more than 200000 values"):
        parse("\n".join(lines), "f")


def test_sizes_and_encodings() -> None:
    with pytest.raises(DocumentInvalid, match="more than"):
        parse(b"a" * (YAML_BYTES + 1), "f")
    with pytest.raises(DocumentInvalid, match="f:2: not UTF-8"):
        parse(b"a: b\nc: \xff\n", "f")
    with pytest.raises(DocumentInvalid, match="UTF-8"):
        parse("a: \ud800", "f")
    assert plain(b"\xef\xbb\xbfa: b") == {"a": "b"}


@given(st.text(max_size=60) | st.text("ab:-[]{}&*!|>'\"\\#?%~ \n\tU0", max_size=40) | st.binary(max_size=40))
def test_any_text_parses_or_is_refused(content: str | bytes) -> None:
    in_c = outcome(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(yaml, "CSafeLoader")
        in_python = outcome(content)
    for found in (in_c, in_python):
        assert not isinstance(found, str) or found.startswith("f:")


def outcome(content: str | bytes) -> object:
    """The document wrapped in a list, or the message of its refusal."""
    try:
        return [plain(content)]
    except DocumentInvalid as error:
        return str(error)


def test_a_caller_may_let_the_last_of_two_keys_win() -> None:
    assert parse("a: 1\nb: 2\na: {c: 3, c: 4}\n", "f", twins=True)[0] == {"a": {"c": "4"}, "b": "2"}
