"""Manifests: both families, what is ambiguous, what is over a limit, and that bytes are never anything but an error."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transload.errors import (
    DigestMismatch,
    LimitExceeded,
    ManifestInvalid,
    SchemaUnsupported,
    TransloadError,
)
from transload.limits import MANIFEST_BYTES, MANIFEST_ENTRIES
from transload.oci import Descriptor, Digest, Manifest, mediatype

CONFIG = Descriptor(mediatype.OCI_CONFIG, Digest.of(b"config"), 6)
LAYERS = tuple(Descriptor(mediatype.OCI_LAYER_GZIP, Digest.of(part), len(part)) for part in (b"one", b"three"))
CHILD = Descriptor(mediatype.OCI_MANIFEST, Digest.of(b"child"), 5)
FAMILIES = [(mediatype.OCI_MANIFEST, mediatype.OCI_INDEX), (mediatype.DOCKER_MANIFEST, mediatype.DOCKER_LIST)]


def image(**change: Any) -> dict[str, Any]:
    document = {"schemaVersion": 2, "config": CONFIG.to_json(), "layers": [layer.to_json() for layer in LAYERS]}
    return {key: value for key, value in (document | change).items() if value is not ...}


def index(**change: Any) -> dict[str, Any]:
    document = {"schemaVersion": 2, "manifests": [CHILD.to_json()]}
    return {key: value for key, value in (document | change).items() if value is not ...}


def raw(document: Any) -> bytes:
    return json.dumps(document).encode()


# --- what is read


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("said", [True, False])
def test_an_image(family: tuple[str, str], stated: bool, said: bool) -> None:
    media_type = family[0] if stated or said else mediatype.OCI_MANIFEST
    content = raw(image(mediaType=media_type if stated else ...))
    manifest = Manifest.parse(content, media_type if said else None)
    assert manifest.descriptor == Descriptor(media_type, Digest.of(content), len(content))
    assert (manifest.media_type, manifest.digest, manifest.raw) == (media_type, Digest.of(content), content)
    assert (manifest.config, manifest.layers) == (CONFIG, LAYERS)
    assert manifest.blobs == (CONFIG, *LAYERS)
    assert (manifest.manifests, manifest.is_index, manifest.subject) == ((), False, None)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("said", [True, False])
def test_an_index(family: tuple[str, str], stated: bool, said: bool) -> None:
    media_type = family[1] if stated or said else mediatype.OCI_INDEX
    manifest = Manifest.parse(raw(index(mediaType=media_type if stated else ...)), media_type if said else None)
    assert (manifest.media_type, manifest.is_index) == (media_type, True)
    assert (manifest.manifests, manifest.blobs, manifest.config) == ((CHILD,), (), None)


def test_an_artifact_manifest() -> None:
    document = {"mediaType": mediatype.OCI_ARTIFACT, "artifactType": "application/x", "subject": CHILD.to_json()}
    manifest = Manifest.parse(raw(document | {"blobs": [LAYERS[0].to_json()]}))
    assert (manifest.config, manifest.layers, manifest.blobs) == (None, LAYERS[:1], LAYERS[:1])
    assert (manifest.subject, manifest.artifact_type) == (CHILD, "application/x")
    assert Manifest.parse(raw(document)).blobs == ()


def test_type_of_an_artifact() -> None:
    assert Manifest.parse(raw(image())).artifact_type == mediatype.OCI_CONFIG
    assert Manifest.parse(raw(image(artifactType="application/x"))).artifact_type == "application/x"
    assert Manifest.parse(raw(image(artifactType=5))).artifact_type == mediatype.OCI_CONFIG
    assert Manifest.parse(raw(index())).artifact_type == ""


def test_subject_and_annotations() -> None:
    manifest = Manifest.parse(raw(image(subject=CHILD.to_json(), annotations={"a": "b"})))
    assert manifest.subject == CHILD
    assert manifest.annotations == {"a": "b"}
    assert CHILD not in manifest.blobs


@pytest.mark.parametrize(
    "said", ["application/json", "application/octet-stream", "text/plain; charset=utf-8", "", None]
)
def test_servers_that_do_not_say_what_they_send(said: str | None) -> None:
    assert Manifest.parse(raw(image()), said).media_type == mediatype.OCI_MANIFEST
    assert Manifest.parse(raw(index()), said).media_type == mediatype.OCI_INDEX
    stated = image(mediaType=mediatype.DOCKER_MANIFEST)
    assert Manifest.parse(raw(stated), said).media_type == mediatype.DOCKER_MANIFEST


def test_a_media_type_with_parameters() -> None:
    said = f"{mediatype.DOCKER_MANIFEST}; charset=utf-8"
    assert Manifest.parse(raw(image()), said).media_type == mediatype.DOCKER_MANIFEST


@pytest.mark.parametrize("empty", [None, [], ...])
def test_lists_may_be_empty(empty: Any) -> None:
    assert Manifest.parse(raw(image(layers=empty)), mediatype.OCI_MANIFEST).blobs == (CONFIG,)
    assert Manifest.parse(raw(index(manifests=empty)), mediatype.OCI_INDEX).manifests == ()


def test_spaces_and_order_are_identity() -> None:
    spaced = json.dumps(image(), indent=3, sort_keys=True).encode() + b"\n"
    manifest = Manifest.parse(spaced)
    assert manifest.raw == spaced
    assert manifest.digest == Digest.of(spaced) != Manifest.parse(raw(image())).digest
    assert manifest.layers == LAYERS


def test_a_manifest_does_not_print_its_content() -> None:
    assert "layers" not in repr(Manifest.parse(raw(image())))


# --- digests


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_the_digest_is_proved_with_its_own_algorithm(algorithm: str) -> None:
    content = raw(image())
    assert Manifest.parse(content, digest=Digest.of(content, algorithm)).digest == Digest.of(content, algorithm)
    with pytest.raises(DigestMismatch) as caught:
        Manifest.parse(content + b" ", digest=Digest.of(content, algorithm))
    assert caught.value.subject == Digest.of(content, algorithm)


# --- what is refused


@pytest.mark.parametrize(
    ("document", "said", "message"),
    [
        (image(manifests=[]), None, "ambiguous"),
        (index(layers=[]), None, "ambiguous"),
        (index(config=CONFIG.to_json()), None, "ambiguous"),
        (image(manifests=[], mediaType=mediatype.OCI_MANIFEST), None, "also has manifests is ambiguous"),
        (index(layers=[], config={}, mediaType=mediatype.DOCKER_LIST), None, "config and layers is ambiguous"),
        (image(), mediatype.OCI_INDEX, "ambiguous"),
        (index(), mediatype.OCI_MANIFEST, "ambiguous"),
        (index(mediaType=mediatype.OCI_ARTIFACT), None, "ambiguous"),
        (image(Layers=[]), None, "'Layers' of a manifest is ambiguous: some tools read it as layers"),
        (image(Manifests=[]), None, "read it as manifests"),
        (index() | {"layer\u017f": []}, None, "read it as layers"),
        (image(mediatype=mediatype.OCI_INDEX), None, "read it as mediaType"),
        (image(mediaType=mediatype.OCI_MANIFEST), mediatype.DOCKER_MANIFEST, "but was delivered as"),
        (index(mediaType=mediatype.OCI_INDEX), mediatype.OCI_MANIFEST, "but was delivered as"),
        (image(mediaType=5), None, "mediaType is not a string"),
        (image(mediaType="application/vnd.example"), None, "not a manifest or index that transload knows"),
        ({"mediaType": mediatype.OCI_CONFIG, "os": "linux"}, None, "not a manifest or index that transload knows"),
        ({}, None, "looks like neither"),
        ({"schemaVersion": 2, "config": CONFIG.to_json()}, None, "looks like neither"),
        (image(config=...), None, "config is not a descriptor"),
        (image(config=None), None, "config is not a descriptor"),
        (image(layers={}), None, "layers is not a list"),
        (image(layers=[LAYERS[0].to_json(), 5]), None, r"layers\[1\] is not a descriptor"),
        (index(manifests="x"), None, "manifests is not a list"),
        (index(manifests=[{}]), None, r"manifests\[0\] lacks"),
        (image(subject=[]), None, "subject is not a descriptor"),
        (image(annotations=[]), None, "annotations is not a map"),
        ({"mediaType": mediatype.OCI_ARTIFACT, "blobs": [1]}, None, r"blobs\[0\] is not"),
        ([], None, "not a JSON object"),
        ("manifest", None, "not a JSON object"),
        (None, None, "not a JSON object"),
    ],
)
def test_what_is_no_manifest(document: Any, said: str | None, message: str) -> None:
    with pytest.raises(ManifestInvalid, match=message):
        Manifest.parse(raw(document), said)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        raw(image())[:-1],
        raw(image()) + b"x",
        b"\xef\xbb\xbf" + raw(image()),
        raw(image()).decode().encode("utf-16"),
        raw(image(annotations={"a": "?"})).replace(b"?", b"\xff"),
        raw(image(annotations={"a": float("nan")})),
        b"9" * 5000,
        b"[" * 100_000,
        b'{"layers":' * 100_000,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_what_is_no_json(content: bytes) -> None:
    with pytest.raises(ManifestInvalid, match="cannot be read as JSON"):
        Manifest.parse(content)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"schemaVersion": 1, "fsLayers": [], "history": []}, None),
        ({"schemaVersion": 1, "fsLayers": []}, mediatype.DOCKER_SCHEMA1_SIGNED),
        ({"schemaVersion": 1, "mediaType": mediatype.DOCKER_SCHEMA1}, "application/json"),
        (image(), mediatype.DOCKER_SCHEMA1),
        (image(schemaVersion=1), mediatype.OCI_MANIFEST),
    ],
)
def test_schema_1_is_refused(document: Any, said: str | None) -> None:
    with pytest.raises(SchemaUnsupported, match="schema 1") as caught:
        Manifest.parse(raw(document), said, Digest.of(b"a digest that is not of the raw bytes"))
    assert caught.value.hint


# --- limits


def test_the_limit_of_bytes() -> None:
    content = raw(image())
    padded = content + b" " * (MANIFEST_BYTES - len(content))
    assert Manifest.parse(padded).layers == LAYERS
    with pytest.raises(LimitExceeded, match="over the limit"):
        Manifest.parse(padded + b" ")


@pytest.mark.parametrize("key", ["layers", "manifests"])
def test_the_limit_of_entries(key: str) -> None:
    entry = CHILD.to_json()
    make = image if key == "layers" else index
    assert len(getattr(Manifest.parse(raw(make(**{key: [entry] * 100}))), key)) == 100
    with pytest.raises(LimitExceeded, match=f"{MANIFEST_ENTRIES + 1} {key}"):
        Manifest.parse(raw(make(**{key: [entry] * (MANIFEST_ENTRIES + 1)})))


# --- whatever comes

KEYS = st.sampled_from(["schemaVersion", "mediaType", "config", "layers", "manifests", "blobs", "subject", "digest"])
TYPES = st.sampled_from(sorted(mediatype.MANIFESTS | mediatype.SCHEMA1 | {"application/json", "x"}))
DESCRIPTORS = st.sampled_from([CONFIG.to_json(), LAYERS[0].to_json(), CHILD.to_json()])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | TYPES | DESCRIPTORS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=5),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=6)


@given(st.binary(max_size=80) | VALUES.map(raw) | OBJECTS.map(raw), st.none() | TYPES | st.text(max_size=8))
@example(b"\xff\xfe{\x00}\x00", None)
def test_any_bytes_are_a_manifest_or_refused(content: bytes, said: str | None) -> None:
    with contextlib.suppress(TransloadError):
        manifest = Manifest.parse(content, said)
        assert manifest.digest == Digest.of(content)
        assert manifest.media_type in mediatype.MANIFESTS
        assert not (manifest.blobs and manifest.manifests)


@given(st.sampled_from([image(), index(), image(subject=CHILD.to_json())]), KEYS, VALUES)
def test_a_changed_manifest_is_read_or_refused(document: dict[str, Any], key: str, value: Any) -> None:
    with contextlib.suppress(TransloadError):
        Manifest.parse(raw(document | {key: value}), digest=Digest.of(raw(document | {key: value})))
