"""Manifests and indexes of both families. The raw bytes are the identity; the parsed view is read, never written back.

Invariants, held by `Manifest.parse`:
1. the bytes are at most `MANIFEST_BYTES` long and hash to the descriptor's digest;
2. the media type is the one that the content states, if it states one;
3. no content can be read both as an image and as an index (CVE-2021-41190), nor differently by tools that take
   `Layers` for `layers`, as those written in Go do;
4. the media type is one whose children are known, so that nothing is copied in part;
5. every child has a valid descriptor, and there are at most `ENTRIES` of them;
6. schema 1 is refused.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from attrs import define, field

from transload.errors import DigestMismatch, LimitExceeded, ManifestInvalid, SchemaUnsupported
from transload.oci import mediatype
from transload.oci.descriptor import Descriptor, string_map
from transload.oci.digest import Digest

MANIFEST_BYTES = 4 << 20  # what registries accept at most (distribution specification, "Pushing Manifests")
ENTRIES = 10_000

_READ = (
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "blobs",
    "subject",
    "annotations",
)
_SPELLING = {key.casefold(): key for key in _READ}
# What a document of each type must not have beside its own lists.
_STRANGE = (
    dict.fromkeys(mediatype.INDEXES, frozenset({"config", "layers"}))
    | dict.fromkeys(mediatype.IMAGES, frozenset({"manifests"}))
    | {mediatype.OCI_ARTIFACT: frozenset({"config", "layers", "manifests"})}
)


@define(frozen=True, slots=False)
class Manifest:
    """Raw bytes, their descriptor, and read-only views of what they say. Made by `Manifest.parse`."""

    descriptor: Descriptor
    raw: bytes = field(repr=False)
    document: dict[str, Any] = field(repr=False, eq=False)

    @classmethod
    def parse(cls, raw: bytes, media_type: str | None = None, digest: Digest | None = None) -> Manifest:
        """Check `raw` against the invariants of this module.

        `media_type` is what the server or the descriptor said, `digest` what the caller asked for (computed when
        None). Raises `ManifestInvalid`, `DigestMismatch`, `LimitExceeded`, `SchemaUnsupported`.
        """
        if len(raw) > MANIFEST_BYTES:
            raise LimitExceeded(f"a manifest of {len(raw)} bytes is over the limit of {MANIFEST_BYTES}")
        found = Digest.of(raw, digest.algorithm if digest else "sha256")
        document = _load(raw)
        stated = _media_type(document, media_type)  # before the digest: schema 1 digests are not of the raw bytes
        if digest is not None and found != digest:
            raise DigestMismatch(f"manifest {digest} has content with digest {found}", subject=digest)
        artifact_type = document.get("artifactType")
        manifest = cls(
            Descriptor(
                stated,
                found,
                len(raw),
                artifact_type=artifact_type if isinstance(artifact_type, str) else "",
            ),
            raw,
            document,
        )
        _check_children(manifest)
        return manifest

    @property
    def media_type(self) -> str:
        """What the bytes are stored as."""
        return self.descriptor.media_type

    @property
    def digest(self) -> Digest:
        """The digest of the bytes."""
        return self.descriptor.digest

    @property
    def is_index(self) -> bool:
        """Whether the children are manifests."""
        return self.media_type in mediatype.INDEXES

    @cached_property
    def config(self) -> Descriptor | None:
        """The image configuration, or what an artifact has in its place."""
        if self.media_type not in mediatype.IMAGES:
            return None
        return Descriptor.from_json(self.document.get("config"), "config")

    @cached_property
    def layers(self) -> tuple[Descriptor, ...]:
        """Layers of an image, blobs of an artifact, in order."""
        if self.media_type in mediatype.IMAGES:
            return self._descriptors("layers")
        return self._descriptors("blobs") if self.media_type == mediatype.OCI_ARTIFACT else ()

    @cached_property
    def manifests(self) -> tuple[Descriptor, ...]:
        """The children of an index, in order."""
        return self._descriptors("manifests") if self.is_index else ()

    @cached_property
    def subject(self) -> Descriptor | None:
        """The manifest that this one refers to (a signature's image)."""
        stated = self.document.get("subject")
        return None if stated is None else Descriptor.from_json(stated, "subject")

    @cached_property
    def annotations(self) -> dict[str, str]:
        """Annotations of the manifest itself."""
        return string_map(self.document.get("annotations"), "annotations")

    @property
    def artifact_type(self) -> str:
        """`artifactType`, else the config's media type: the rule for referrers lists (distribution specification)."""
        return self.descriptor.artifact_type or (self.config.media_type if self.config else "")

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """What must be in the same repository before this manifest: config and layers."""
        return (self.config, *self.layers) if self.config else self.layers

    def _descriptors(self, key: str) -> tuple[Descriptor, ...]:
        entries = self.document.get(key)
        if entries is None:  # an index or artifact of nothing is allowed to leave the list out or null
            return ()
        if not isinstance(entries, list):
            raise ManifestInvalid(f"{key} is not a list")
        if len(entries) > ENTRIES:
            raise LimitExceeded(f"a manifest with {len(entries)} {key} is over the limit of {ENTRIES}")
        return tuple(Descriptor.from_json(entry, f"{key}[{place}]") for place, entry in enumerate(entries))


def _load(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw.decode(), parse_constant=_refuse)  # decoded here: json would guess at UTF-16 too
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(f"a manifest is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ManifestInvalid("a manifest is not a JSON object")
    for key in document:
        if _SPELLING.get(key.casefold(), key) != key:
            raise ManifestInvalid(f"the key {key!r} is ambiguous: some tools read it as {_SPELLING[key.casefold()]}")
    return document


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")


def _media_type(document: dict[str, Any], said: str | None) -> str:
    stated = document.get("mediaType")
    if stated is not None and not isinstance(stated, str):
        raise ManifestInvalid("mediaType is not a string")
    said = (said or "").partition(";")[0].strip() or None
    if document.get("schemaVersion") == 1 or said in mediatype.SCHEMA1 or stated in mediatype.SCHEMA1:
        raise SchemaUnsupported(
            "the image is published as Docker image manifest schema 1, which cannot be copied unchanged",
            hint="ask the publisher for an OCI image, or convert it by pulling and pushing with a recent docker",
        )
    if stated and said in mediatype.MANIFESTS and said != stated:
        raise ManifestInvalid(f"the manifest states mediaType {stated[:80]}, but was delivered as {said}")
    family = stated or (said if said in mediatype.MANIFESTS else None) or _guess(document)
    if family not in mediatype.MANIFESTS:
        raise ManifestInvalid(f"content of type {family[:80]!r} is no manifest or index that transload knows")
    if strange := _STRANGE[family] & document.keys():
        raise ManifestInvalid(f"content of type {family} that also has {' and '.join(sorted(strange))} is ambiguous")
    return family


def _guess(document: dict[str, Any]) -> str:
    """OCI content may leave its media type out, and some servers deliver it as application/json."""
    if "manifests" in document:
        return mediatype.OCI_INDEX
    if "layers" in document:
        return mediatype.OCI_MANIFEST
    raise ManifestInvalid("the content has no mediaType and looks like neither a manifest nor an index")


def _check_children(manifest: Manifest) -> None:
    """Read every view once, so that reading it later cannot fail."""
    _ = (manifest.blobs, manifest.manifests, manifest.subject, manifest.annotations)
