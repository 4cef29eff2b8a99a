from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.catalog.imageset import ImageSet
from transload.catalog.references import parse_references, select_references, wanted
from transload.catalog.setfile import load_set
from transload.errors import DocumentInvalid, LocalError, ReferenceInvalid, TargetConflict, UsageError

D = "sha256:" + "1" * 64


@pytest.mark.parametrize(
    ("text", "source", "place"),
    [
        ("nginx", "docker.io/library/nginx:latest", "library/nginx:latest"),
        ("docker.io/library/nginx:1.27", "docker.io/library/nginx:1.27", "library/nginx:1.27"),
        ("quay.io/a/b:1", "quay.io/a/b:1", "a/b:1"),
        (f"quay.io/a/b@{D}", f"quay.io/a/b@{D}", f"a/b@{D}"),
        (f"quay.io/a/b:1@{D}", f"quay.io/a/b:1@{D}", "a/b:1"),
        ("quay.io/a/b:1 -> c/d", "quay.io/a/b:1", "c/d:1"),
        ("quay.io/a/b:1  c/d:2", "quay.io/a/b:1", "c/d:2"),
        (f"quay.io/a/b@{D} -> c:2", f"quay.io/a/b@{D}", "c:2"),
        (f"quay.io/a/b@{D} -> c", f"quay.io/a/b@{D}", f"c@{D}"),
    ],
)
def test_where_a_reference_goes(text: str, source: str, place: str) -> None:
    found = wanted(text)
    assert (str(found.source), found.place, found.optional) == (source, place, False)


@pytest.mark.parametrize(
    "text",
    ["", "a b c", "a -> ", "-> a", "a -> b -> c", "a -> B", f"a -> b@{D}", "http://a/b", "a -> :1", "->", "a ->"],
)
def test_what_is_not_a_reference(text: str) -> None:
    with pytest.raises(ReferenceInvalid):
        wanted(text)


def test_a_list_with_comments_and_blank_lines() -> None:
    found = parse_references(b"# all\r\n\r\nnginx:1 # the proxy\r\n  redis:7\t#\nnginx:1\n#x\n", "list.txt")
    assert [one.place for one in found] == ["library/nginx:1", "library/redis:7"]


def test_an_error_says_file_and_line() -> None:
    with pytest.raises(DocumentInvalid) as caught:
        parse_references("nginx\n\nBAD\n", "list.txt")
    assert str(caught.value).startswith("list.txt:3: ")
    assert caught.value.subject


def test_a_conflict_says_the_file_and_stays_a_conflict() -> None:
    with pytest.raises(TargetConflict, match=r"^list\.txt: .*a\.example/x:1 and as b\.example/x:1"):
        parse_references("a.example/x:1\nb.example/x:1", "list.txt")
    with pytest.raises(TargetConflict):
        select_references(["a.example/x:1", "b.example/x:1"])


def test_what_is_not_text() -> None:
    with pytest.raises(DocumentInvalid, match=r"^list\.txt:2: not UTF-8"):
        parse_references(b"nginx\n\xff", "list.txt")
    with pytest.raises(DocumentInvalid, match="more than"):
        parse_references(b"a" * ((4 << 20) + 1), "list.txt")


def test_a_file_that_is_not_yaml_is_a_list(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(b"\xef\xbb\xbfnginx:1\n")
    found = load_set(path)
    assert isinstance(found, ImageSet)
    assert (found.name, [one.place for one in found.select()]) == ("mine", ["library/nginx:1"])
    with pytest.raises(LocalError):
        load_set(tmp_path / "absent.txt")


@given(st.text(max_size=80) | st.binary(max_size=80))
def test_any_text_is_a_list_or_an_error_of_ours(content: str | bytes) -> None:
    try:
        found = parse_references(content, "f")
    except UsageError:
        return
    assert all(wanted(f"{one.source} -> {one.repository}").source == one.source for one in found)
