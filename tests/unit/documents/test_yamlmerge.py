"""YAML's merge key."""

import pytest

from transload.documents.value import Value
from transload.documents.yamlstream import document_in


def read(text: str) -> Value:
    document = document_in(text, "a.yaml")
    assert isinstance(document, Value)
    return document


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}", {"x": "1", "y": "3"}),
        ("a: &a {x: 1}\nb: {y: 3, <<: *a}", {"x": "1", "y": "3"}),
        ("a: [&a {x: 1}, &b {x: 2, y: 2}]\nb: {<<: [*a, *b]}", {"x": "1", "y": "2"}),
        ("a: &a {x: 1}\nc: &c {<<: *a, z: 1}\nb: {<<: *c}", {"x": "1", "z": "1"}),
        ("b: {<<: {x: 1}}", {"x": "1"}),
        ("b: {<<: text}", {"<<": "text"}),
        ("b: {<<: [text]}", {"<<": ["text"]}),
        ("b: {<<: []}", {}),
        ("b: {x: '<<'}", {"x": "<<"}),
    ],
)
def test_what_a_merge_key_brings_in(text: str, content: object) -> None:
    assert read(text).get("b").content == content


def test_a_value_that_was_brought_in_is_on_the_line_where_it_is_written() -> None:
    document = read("a: &a\n  x: 1\nb:\n  <<: *a\n  y: 2\n")
    assert [(key, value.line) for key, value in document.get("b").entries()] == [("y", 5), ("x", 2)]


def test_many_merges_of_one_mapping_take_what_the_limit_counts() -> None:
    keys = ", ".join(f"k{number}: 1" for number in range(100))
    merges = "\n".join(f"m{number}: {{<<: *a}}" for number in range(1000))
    assert len(read(f"a: &a {{{keys}}}\n{merges}").get("m999").content) == 100
