"""Names in `index.json`, those of other tools and ours, and entries that stay as they are."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.errors import LimitExceeded, ManifestInvalid
from transload.limits import INDEX_BYTES
from transload.oci import Descriptor, Digest, Name
from transload.oci.imagelayout import LayoutIndex
from transload.oci.mediatype import OCI_MANIFEST
from transload.oci.refname import CONTAINERD_NAME, OWN_NAME, REF_NAME, name_in

DIGEST = Digest.of(b"manifest")


def described(content: bytes = b"manifest") -> Descriptor:
    return Descriptor(OCI_MANIFEST, Digest.of(content), len(content))


def index(*entries: dict[str, Any], **more: Any) -> LayoutIndex:
    return LayoutIndex.parse(json.dumps({"schemaVersion": 2, "manifests": list(entries), **more}).encode())


def entry(content: bytes = b"manifest", /, **annotations: str) -> dict[str, Any]:
    return {**described(content).to_json(), "annotations": annotations} if annotations else described(content).to_json()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("v1", Name("", "v1")),
        ("busybox", Name("", "busybox")),
        ("busybox:1.0", Name("busybox", "1.0")),
        ("acme/app:1", Name("acme/app", "1")),
        ("acme/app", Name("acme/app", "latest")),
        ("docker.io/library/busybox:latest", Name("library/busybox", "latest")),
        ("docker.io/busybox:latest", Name("library/busybox", "latest")),
        ("localhost:5000/x:1", Name("x", "1")),
        ("localhost/x:1", Name("x", "1")),
        ("registry.example/a/b:1", Name("a/b", "1")),
        (f"registry.example/a/b:1@{DIGEST}", Name("a/b", "1")),
        (f"a/b@{DIGEST}", None),
        ("", None),
        ("Not A Name", None),
        ("acme/App:1", None),
        ("../../etc/passwd", None),
        ("https://registry.example/a:1", None),
        ("-v1", None),
    ],
)
def test_names_of_other_tools(text: str, name: Name | None) -> None:
    assert name_in(text) == name


def test_the_full_name_of_docker_wins_over_the_bare_tag() -> None:
    found = index(entry(**{REF_NAME: "latest", CONTAINERD_NAME: "docker.io/library/busybox:latest"}))
    assert list(found.names) == [Name("library/busybox", "latest")]


REPOSITORIES = st.from_regex(
    r"[a-z0-9]{1,4}([._-][a-z0-9]{1,3}){0,2}(/[a-z0-9]{1,4}(-[a-z0-9]{1,3})?){0,2}", fullmatch=True
)
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}", fullmatch=True)


@given(st.one_of(st.just(""), st.just("localhost/x"), st.just("my.org/app"), REPOSITORIES), TAGS)
def test_every_name_of_ours_is_read_back(repository: str, tag: str) -> None:
    name = Name(repository, tag)
    written = LayoutIndex.empty().pointing(name, described())
    assert list(LayoutIndex.parse(written.encode()).names.items()) == [(name, described())]


def test_a_repository_that_looks_like_a_registry_says_so() -> None:
    plain = LayoutIndex.empty().pointing(Name("acme/app", "1"), described())
    assert plain.entries[0].document["annotations"] == {REF_NAME: "acme/app:1"}
    odd = LayoutIndex.empty().pointing(Name("my.org/app", "1"), described())
    assert odd.entries[0].document["annotations"] == {REF_NAME: "my.org/app:1", OWN_NAME: "my.org/app:1"}


def test_entries_of_others_stay_as_they_are() -> None:
    others = [
        entry(b"1", **{REF_NAME: "Not A Name", "com.example.more": "ünïcode"}),
        entry(b"2") | {"data": "Mg==", "platform": {"os": "linux", "architecture": "amd64", "features": ["x"]}},
        entry(b"3", **{REF_NAME: "v1"}),
    ]
    changed = index(*others, annotations={"a": "b"}, unknown=[1]).pointing(Name("acme/app", "1"), described(b"4"))
    document = json.loads(changed.encode())
    assert document["manifests"][:3] == others
    assert (document["annotations"], document["unknown"]) == ({"a": "b"}, [1])
    assert [each.digest for each in changed.names.values()] == [Digest.of(b"3"), Digest.of(b"4")]


def test_a_moved_name_keeps_its_place_and_loses_its_doubles() -> None:
    before = index(entry(b"1", **{REF_NAME: "a:1"}), entry(b"2", **{REF_NAME: "b:1"}), entry(b"3", **{REF_NAME: "a:1"}))
    assert before.names[Name("a", "1")] == described(b"1")
    after = before.pointing(Name("a", "1"), described(b"4"))
    assert [each.descriptor for each in after.entries] == [described(b"4"), described(b"2")]


def test_what_a_name_stood_for_can_stay_without_it() -> None:
    before = index(entry(b"1", **{REF_NAME: "a:1", "kept": "yes"}), entry(b"2", **{REF_NAME: "b:1"}))
    after = LayoutIndex.parse(before.pointing(Name("a", "1"), described(b"3"), keep_old=True).encode())
    assert [each.name for each in after.entries] == [Name("a", "1"), None, Name("b", "1")]
    assert after.entries[1].document["annotations"] == {"kept": "yes"}
    assert after.names[Name("a", "1")] == described(b"3")


def test_nothing_changes_when_nothing_has_to() -> None:
    found = index(entry(b"1", **{REF_NAME: "a:1"}))
    assert found.pointing(Name("a", "1"), described(b"1")) is found
    by_digest = Name("a", None, described(b"1").digest)
    listed = found.pointing(by_digest, described(b"1"))
    assert list(listed.names) == [Name("a", "1"), by_digest]
    assert listed.pointing(by_digest, described(b"1")) is listed


def test_a_digest_is_listed_under_each_repository_once_and_without_a_name_once() -> None:
    nameless = LayoutIndex.empty().pointing(Name("", None, DIGEST), described())
    assert nameless.entries[0].document == described().to_json()
    assert nameless.pointing(Name("", None, DIGEST), described()) is nameless
    found = LayoutIndex.parse(nameless.pointing(Name("a", None, DIGEST), described()).encode())
    assert list(found.names) == [Name("a", None, DIGEST)]
    assert found.pointing(Name("a", None, DIGEST), described()) is found
    assert len(found.pointing(Name("b", None, DIGEST), described()).entries) == 3


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"manifests": {}}',
        b'{"manifests": [1]}',
        b'{"manifests": [{"mediaType": "x", "size": 1}]}',
        b'{"manifests": [{"mediaType": "x", "size": 1, "digest": "sha256:../../x"}]}',
        b'{"manifests": [{"mediaType": "x", "size": -1, "digest": "%s"}]}' % DIGEST.encode(),
        b'{"manifests": [{"mediaType": "x", "size": 1, "digest": "%s", "annotations": [1]}]}' % DIGEST.encode(),
        b"[" * 100_000,
    ],
)
def test_what_is_no_index_is_refused(raw: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        LayoutIndex.parse(raw)


def test_an_index_has_limits() -> None:
    with pytest.raises(LimitExceeded):
        LayoutIndex.parse(b" " * (INDEX_BYTES + 1))
    with pytest.raises(LimitExceeded):
        LayoutIndex.parse(b'{"manifests": [%s]}' % b",".join([b"1"] * 100_001))
