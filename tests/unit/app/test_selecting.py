"""What a word on the command line is: a catalog, a file, a reference; also as Windows writes files."""

from __future__ import annotations

import pytest

from transload.app.place import Place
from transload.app.selecting import kind_of
from transload.errors import ReferenceInvalid, UsageError


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("arcdata", "catalog"),
        ("something", "catalog"),
        ("set.yaml", "file"),
        ("SET.YML", "file"),
        ("list.txt", "file"),
        ("./set", "file"),
        ("../a/b", "file"),
        ("/abs/path", "file"),
        ("~/set", "file"),
        ("C:\\images\\set.yaml", "file"),
        ("C:/images/set.yaml", "file"),
        ("images\\set", "file"),
        ("nginx:1.27", "reference"),
        ("quay.io/a/b", "reference"),
        ("registry.local:5000/a:v1", "reference"),
        ("a@sha256:" + "0" * 64, "reference"),
    ],
)
def test_kinds(text: str, kind: str) -> None:
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("registry.local/a/b", Place("registry", "registry.local", "a/b")),
        ("registry.local", Place("registry", "registry.local")),
        ("registry.local:5000/", Place("registry", "registry.local:5000")),
        (" localhost/a ", Place("registry", "localhost", "a")),
        ("[::1]:5000/a", Place("registry", "[::1]:5000", "a")),
        ("oci:folder", Place("oci", "folder")),
        ("oci:C:\\images\\store", Place("oci", "C:\\images\\store")),
        ("oci:/abs/with space", Place("oci", "/abs/with space")),
    ],
)
def test_stores_as_people_write_them(text: str, place: Place) -> None:
    assert Place.parse(text) == place
    assert Place.parse(str(place)) == place


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "write host/prefix"),
        ("registry", "write host/prefix"),
        ("https://registry.local/a", "leave https:// out"),
        ("oci:", "write oci:"),
        ("registry.local/UP", "lower case"),
        ("docker:", ""),
    ],
)
def test_what_is_no_store(text: str, hint: str) -> None:
    with pytest.raises((ReferenceInvalid, UsageError)) as refused:
        Place.parse(text)
    assert hint in (refused.value.hint or "")
