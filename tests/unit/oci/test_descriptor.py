"""Descriptors: read, written, equal when they point at the same bytes."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.errors import ManifestInvalid
from transload.oci import Descriptor, Digest, Platform, mediatype

DIGEST = Digest.of(b"content")
GOOD = {"mediaType": mediatype.OCI_LAYER_GZIP, "digest": DIGEST, "size": 7}

TEXTS = st.text(max_size=8)
DESCRIPTORS = st.builds(
    Descriptor,
    st.sampled_from(sorted(mediatype.MANIFESTS)) | st.text("abc/+.-0", max_size=12),
    st.builds(Digest.of, st.binary(max_size=8), st.sampled_from(["sha256", "sha512"])),
    st.integers(0, (1 << 63) - 1),
    platform=st.none() | st.builds(Platform, st.just("linux"), TEXTS, TEXTS, TEXTS),
    artifact_type=TEXTS,
    annotations=st.dictionaries(TEXTS, TEXTS, max_size=3),
    urls=st.lists(TEXTS, max_size=2).map(tuple),
)


@given(DESCRIPTORS)
def test_round_trip(descriptor: Descriptor) -> None:
    document = descriptor.to_json()
    again = Descriptor.from_json(document, "here")
    assert again == descriptor
    assert again.to_json() == document
    assert (again.platform, again.urls) == (descriptor.platform, descriptor.urls)


def test_only_fields_that_say_something_are_written() -> None:
    assert Descriptor.from_json(GOOD, "here").to_json() == GOOD
    empty: dict[str, object] = {"platform": None, "artifactType": "", "annotations": {}, "urls": []}
    assert Descriptor.from_json(GOOD | empty, "here").to_json() == GOOD


def test_equal_when_they_point_at_the_same_bytes() -> None:
    plain = Descriptor.from_json(GOOD, "here")
    adorned = Descriptor.from_json(GOOD | {"annotations": {"a": "b"}, "platform": {"os": "linux"}}, "here")
    assert plain == adorned
    assert len({plain, adorned}) == 1
    for change in ({"size": 8}, {"digest": Digest.of(b"other")}, {"mediaType": mediatype.OCI_CONFIG}):
        assert Descriptor.from_json(GOOD | change, "here") != plain


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mediaType": None}, "lacks mediaType or digest"),
        ({"mediaType": 5}, "lacks mediaType or digest"),
        ({"mediaType": "text/plain\r\nX-Evil: 1"}, "not printable"),
        ({"mediaType": "text/\ud800"}, "not printable"),
        ({"digest": None}, "lacks mediaType or digest"),
        ({"digest": "sha256:12"}, "64 lower-case"),
        ({"digest": "../../x"}, "is not a digest"),
        ({"size": None}, "no valid size"),
        ({"size": "7"}, "no valid size"),
        ({"size": 7.0}, "no valid size"),
        ({"size": True}, "no valid size"),
        ({"size": -1}, "no valid size"),
        ({"size": 1 << 63}, "no valid size"),
        ({"annotations": ["a"]}, "not a map of strings"),
        ({"annotations": {"a": 1}}, "not a map of strings"),
    ],
)
def test_what_is_no_descriptor(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ManifestInvalid, match=rf"^layers\[3\].*{said}"):
        Descriptor.from_json(GOOD | change, "layers[3]")


@pytest.mark.parametrize("document", [None, [], "x", 5])
def test_what_is_no_object(document: object) -> None:
    with pytest.raises(ManifestInvalid, match="config is not a descriptor"):
        Descriptor.from_json(document, "config")


@pytest.mark.parametrize(
    "change", [{"urls": 5}, {"urls": "http://x"}, {"platform": "linux"}, {"artifactType": {"a": 1}}]
)
def test_odd_extras_are_passed_over(change: dict[str, Any]) -> None:
    assert Descriptor.from_json(GOOD | change, "here").to_json() == GOOD


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


KEYS = (*GOOD, "urls", "platform", "annotations", "artifactType")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON)), st.sets(st.sampled_from(sorted(GOOD))))
def test_any_object_is_a_descriptor_or_refused(document: dict[str, Any], kept: set[str]) -> None:
    with contextlib.suppress(ManifestInvalid):
        Descriptor.from_json(document | {key: GOOD[key] for key in kept}, "here").to_json()


@pytest.mark.parametrize(
    ("media_type", "manifest", "foreign"),
    [
        (mediatype.OCI_INDEX, True, False),
        (mediatype.OCI_MANIFEST, True, False),
        (mediatype.DOCKER_LIST, True, False),
        (mediatype.DOCKER_MANIFEST, True, False),
        (mediatype.OCI_ARTIFACT, True, False),
        (mediatype.DOCKER_SCHEMA1_SIGNED, True, False),
        (mediatype.OCI_LAYER_GZIP, False, False),
        (mediatype.OCI_CONFIG, False, False),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", False, True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", False, True),
        ("application/vnd.example.unknown", False, False),
    ],
)
def test_kinds_of_content(media_type: str, manifest: bool, foreign: bool) -> None:
    descriptor = Descriptor(media_type, DIGEST, 7)
    assert (descriptor.is_manifest, descriptor.is_foreign) == (manifest, foreign)
