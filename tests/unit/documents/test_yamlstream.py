"""Streams of YAML documents are split where YAML says, and each document knows its lines."""

import pytest

from transload.documents.value import Value
from transload.documents.yamlstream import documents_in, split_documents
from transload.errors import DocumentInvalid


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("a: 1\n", [(1, "a: 1\n")]),
        ("a: 1\n---\nb: 2\n", [(1, "a: 1\n"), (2, "---\nb: 2\n")]),
        ("# c\n\n---\na: 1\n", [(1, "# c\n\n---\na: 1\n")]),
        ("%YAML 1.1\n---\na: 1\n", [(1, "%YAML 1.1\n---\na: 1\n")]),
        ("a: |\n  x\n  ---\n  y\n", [(1, "a: |\n  x\n  ---\n  y\n")]),
        ("a: ---b\n----\n", [(1, "a: ---b\n----\n")]),
        ("a: 1\r\n---\r\nb: 2\r\n", [(1, "a: 1\r\n"), (2, "---\r\nb: 2\r\n")]),
        ("a: 1\n...\n# end\n...\n---\nb: 2\n", [(1, "a: 1\n"), (2, "   \n# end\n"), (5, "---\nb: 2\n")]),
        ("--- a\n--- b", [(1, "--- a\n"), (2, "--- b")]),
    ],
)
def test_documents_begin_at_markers_in_the_first_column(text: str, parts: list[tuple[int, str]]) -> None:
    assert list(split_documents(text)) == parts


def test_values_know_their_line_in_the_whole_file() -> None:
    first, second = documents_in("a: 1\n---\nb:\n  c: 2\n", "f.yaml")
    assert isinstance(first, Value)
    assert isinstance(second, Value)
    assert (first.get("a").line, second.get("b").get("c").line) == (1, 4)
    assert second.get("b").get("c").where == "f.yaml:4: b.c"


def test_a_bad_document_is_an_error_between_the_good_ones() -> None:
    kinds = [type(one) for one in documents_in("a: 1\n---\nb: [\n---\n# nothing\n---\nc: 3\n...\n", "f.yaml")]
    assert kinds == [Value, DocumentInvalid, Value]


def test_an_error_names_the_line_in_the_whole_file() -> None:
    _, error = documents_in("a: 1\n---\nb: 2\nb: 3\n", "f.yaml")
    assert str(error).startswith("f.yaml:4: key 'b' is written twice, first on line 3")


def test_tags_of_other_programs_are_left_out() -> None:
    text = "a: !override [x]\nb: !!int 3\nc: !reset null\nd: !!str null\ne: !reset 'null'\nf: !mine {g: !x ~}\n"
    [document] = documents_in(text, "f.yaml")
    assert isinstance(document, Value)
    assert document.content == {"a": ["x"], "b": "3", "c": "", "d": "null", "e": "null", "f": {"g": ""}}
