"""Which reader a file gets, and what becomes of a bad one."""

import pytest

from transload.discovery import kinds
from transload.discovery.finding import Finding, Irrelevant, Question, Unread
from transload.discovery.kinds import read_file


def test_a_list_is_read_line_by_line_and_nothing_is_dropped() -> None:
    content = b"\xef\xbb\xbf# base images\r\nnginx:1.27\r\n\r\nQuay.io/A\r\n  redis  # cache\r\n"
    found = list(read_file(content, "images.txt"))
    lines = [
        (type(item).__name__, item.text, item.place.line) for item in found if isinstance(item, Finding | Question)
    ]
    assert lines == [("Finding", "nginx:1.27", 2), ("Question", "Quay.io/A", 4), ("Question", "redis", 5)]


def test_a_bad_document_costs_only_itself() -> None:
    content = b"kind: Service\n---\na: [\n---\nkind: Service\n"
    found = list(read_file(content, "all.yaml"))
    assert [type(one) for one in found] == [Irrelevant, Unread, Irrelevant]
    assert "all.yaml:4:" in found[1].reason or "all.yaml:3:" in found[1].reason  # type: ignore[union-attr]  # by type above


def test_a_file_that_is_not_text_is_unread() -> None:
    assert [type(one) for one in read_file(b"a: \xff\n", "x.yaml")] == [Unread]


@pytest.mark.parametrize(
    ("file", "content", "images"),
    [
        ("-", "\ufeff# images\r\nnginx:1.27\r\nquay.io/a/b:1\r\n", ["nginx:1.27", "quay.io/a/b:1"]),
        ("-", "quay.io/a/b:1\n", ["quay.io/a/b:1"]),
        ("images", "nginx:1.27\nredis:7\n", ["nginx:1.27", "redis:7"]),
        ("-", "services:\n  a:\n    image: b:1\n", ["b:1"]),
        ("manifests", "apiVersion: v1\nkind: Pod\nspec:\n  containers: [{image: 'a:1'}]\n", ["a:1"]),
        ("-", 'services:\n  "a:1":\n    image: b:1\n', ["b:1"]),
        ("helmfile.yaml.gotmpl", "releases: [{name: a, chart: b, values: [{image: 'c:1'}]}]\n", ["c:1"]),
        ("web.yaml.tmpl", "services:\n  a:\n    image: b:1\n", ["b:1"]),
        ("_helpers.tpl", "image: b:1\n", []),
        ("LICENSE", "Permission is granted\n", []),
        ("main", "#!/bin/sh\nmake\n", []),
        ("-", "", []),
        ("-", '{"services":{"a":{"image":"b:1"}}}', ["b:1"]),
        ("-", "{services: {a: {image: 'b:1'}}}", ["b:1"]),
    ],
)
def test_a_name_that_says_nothing_leaves_it_to_the_content(file: str, content: str, images: list[str]) -> None:
    assert [item.text for item in read_file(content.encode(), file) if isinstance(item, Finding)] == images


def test_a_file_saved_by_powershell_is_told_how_to_save_it() -> None:
    (found,) = read_file('{"kind": "Pod"}'.encode("utf-16"), "all.json")
    assert isinstance(found, Unread)
    assert found.reason == "all.json: saved as UTF-16; save it as UTF-8; in PowerShell: Out-File -Encoding utf8"


def test_a_hint_is_told_with_what_is_wrong() -> None:
    (found,) = read_file(b"a:\n\tb: 1\n", "a.yaml")
    assert isinstance(found, Unread)
    assert found.reason.endswith("; indent with spaces, not with tabs")


def test_a_file_of_very_many_documents_is_read_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "STREAM_DOCUMENTS", 10)
    found = list(read_file(b"{}" * 11, "many.json"))
    assert [type(item) for item in found] == [*[Irrelevant] * 10, Unread]
    assert isinstance(found[-1], Unread)
    assert found[-1].reason == "many.json: it has more than 10 documents; split the file"
