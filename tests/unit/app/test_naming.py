"""What a word on the command line is: a catalog, a file, a reference; also as Windows writes files."""

from __future__ import annotations

import pytest

from transload.app.location import Location
from transload.app.naming import kind_of
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
        ("registry.local/a/b", Location("registry", "registry.local", "a/b")),
        ("registry.local", Location("registry", "registry.local")),
        ("registry.local:5000/", Location("registry", "registry.local:5000")),
        (" localhost/a ", Location("registry", "localhost", "a")),
        ("[::1]:5000/a", Location("registry", "[::1]:5000", "a")),
        ("oci:folder", Location("oci", "folder")),
        ("oci:C:\\images\\store", Location("oci", "C:\\images\\store")),
        ("oci:/abs/with space", Location("oci", "/abs/with space")),
    ],
)
def test_stores_as_people_write_them(text: str, place: Location) -> None:
    assert Location.parse(text) == place
    assert Location.parse(str(place)) == place


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "write host/prefix"),
        ("registry", "write host/prefix"),
        ("https://registry.local/a", "leave https:// out"),
        ("oci:", "write oci:"),
        ("registry.local/UP", "lower case"),
        ("docker:app", "--from docker: app"),
        ("dir:", "skopeo copy"),
    ],
)
def test_what_is_no_store(text: str, hint: str) -> None:
    with pytest.raises((ReferenceInvalid, UsageError)) as refused:
        Location.parse(text)
    assert hint in (refused.value.hint or "")
