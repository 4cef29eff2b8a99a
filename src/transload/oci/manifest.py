"""Manifests and indexes of both families. The raw bytes are the identity; the parsed view is never written back.

Invariants, held by `Manifest.parse`:
1. the bytes are JSON within the limits of a manifest, and hash to the descriptor's digest;
2. the media type is the one that the content states, if it states one;
3. no content can be read both as an image and as an index (CVE-2021-41190), or differently by tools that take `Layers`
   for `layers`, as those written in Go do; no object has a key twice;
4. the media type is one whose children are known, so that nothing is copied in part;
5. every child has a valid descriptor, and there are at most `MANIFEST_ENTRIES` of them;
6. schema 1 is refused;
7. only the parts that are used are kept parsed: a document takes many times as much memory as its bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from transload.errors import DigestMismatch, LimitExceeded, ManifestInvalid, SchemaUnsupported
from transload.limits import MANIFEST_BYTES, MANIFEST_ENTRIES, MANIFEST_VALUES
from transload.oci import mediatype
from transload.oci.content import read_content
from transload.oci.descriptor import NO_ANNOTATIONS, Descriptor, check_spelling, string_map, text_weight
from transload.oci.digest import Digest
from transload.values import evolve, field, frozen

_READ = frozenset(
    {
        "schemaVersion",
        "mediaType",
        "artifactType",
        "config",
        "layers",
        "manifests",
        "blobs",
        "subject",
        "annotations",
    }
)
_WITH_BLOBS = mediatype.IMAGES | {mediatype.OCI_ARTIFACT}
# What a document of each type must not have beside its own lists.
_STRANGE = (
    dict.fromkeys(mediatype.INDEXES, frozenset({"config", "layers"}))
    | dict.fromkeys(mediatype.IMAGES, frozenset({"manifests"}))
    | {mediatype.OCI_ARTIFACT: frozenset({"config", "layers", "manifests"})}
)


@frozen
class Manifest:
    """Raw bytes, their descriptor, and the parsed content. Made by `Manifest.parse`.

    `config` is the image configuration, or what an artifact has in its place. `layers` are the layers of an image, or
    the blobs of an artifact, in order. `manifests` are the children of an index, in order. `subject` is the manifest
    that this one refers to: for a signature, the signed image.

    OCI image specification, manifest.md and image-index.md, and Docker's schema 2. `raw` is what is
    stored and sent; parsed content is never written back.
    """

    descriptor: Descriptor
    raw: bytes = field(repr=False)
    config: Descriptor | None = field(default=None, repr=False, eq=False, kw_only=True)
    layers: tuple[Descriptor, ...] = field(default=(), repr=False, eq=False, kw_only=True)
    manifests: tuple[Descriptor, ...] = field(default=(), repr=False, eq=False, kw_only=True)
    subject: Descriptor | None = field(default=None, repr=False, eq=False, kw_only=True)
    annotations: Mapping[str, str] = field(default=NO_ANNOTATIONS, repr=False, eq=False, kw_only=True)

    @classmethod
    def parse(cls, raw: bytes, media_type: str | None = None, digest: Digest | None = None) -> Manifest:
        """Check `raw` against the invariants of this module.

        `media_type` is the type that the server or a descriptor stated. `digest` is the one that was asked for (None:
        it is computed). Raises `ManifestInvalid`, `DigestMismatch`, `LimitExceeded`, `SchemaUnsupported`.
        """
        if len(raw) > MANIFEST_BYTES:
            raise LimitExceeded(f"a manifest of {len(raw)} bytes is over the limit of {MANIFEST_BYTES}")
        actual = Digest.of(raw, digest.algorithm if digest else "sha256")
        document = _load(raw)
        stated = _media_type(document, media_type)  # before the digest: schema 1 digests are not of the raw bytes
        if digest is not None and actual != digest:
            raise DigestMismatch(f"manifest {digest} has content with digest {actual}", subject=digest)
        kind = document.get("artifactType")
        described = Descriptor(stated, digest or actual, len(raw), artifact_type=kind if isinstance(kind, str) else "")
        is_image = stated in mediatype.IMAGES
        subject = document.get("subject")
        return cls(
            described,
            raw,
            config=Descriptor.from_json(document.get("config"), "config") if is_image else None,
            layers=_descriptors(document, "layers" if is_image else "blobs") if stated in _WITH_BLOBS else (),
            manifests=_descriptors(document, "manifests") if stated in mediatype.INDEXES else (),
            subject=None if subject is None else Descriptor.from_json(subject, "subject"),
            annotations=string_map(document.get("annotations"), "annotations"),
        )

    @property
    def document(self) -> dict[str, Any]:
        """The whole content, parsed again at each call."""
        return _load(self.raw)

    @property
    def media_type(self) -> str:
        """The media type under which the bytes are stored."""
        return self.descriptor.media_type

    @property
    def digest(self) -> Digest:
        """The digest of the bytes."""
        return self.descriptor.digest

    @property
    def is_index(self) -> bool:
        """Whether the children are manifests."""
        return self.media_type in mediatype.INDEXES

    @property
    def is_runnable(self) -> bool:
        """Whether a container engine would take it for an image: it has a layer of files, and a config that may be one.

        Docker takes configs of some types that say nothing, too.
        """
        return (
            self.config is not None
            and mediatype.is_config(self.config.media_type)
            and any(mediatype.is_file_layer(layer.media_type) for layer in self.layers)
        )

    @property
    def artifact_type(self) -> str:
        """`artifactType`, else the config's media type: the rule for referrers lists (distribution specification)."""
        return self.descriptor.artifact_type or (self.config.media_type if self.config else "")

    @property
    def as_referrer(self) -> Descriptor:
        """What a list of referrers says of it (distribution specification, "Listing Referrers").

        The descriptor, with the artifact type and the annotations of the manifest.
        """
        return evolve(self.descriptor, artifact_type=self.artifact_type, annotations=self.annotations)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config and layers, which must be in the repository before this manifest."""
        return (self.config, *self.layers) if self.config else self.layers

    @cached_property
    def weight(self) -> int:
        """About how many bytes of memory this takes."""
        more = (self.subject,) if self.subject else ()
        described: tuple[Descriptor, ...] = (self.descriptor, *self.blobs, *self.manifests, *more)
        return 1000 + len(self.raw) + text_weight(self.annotations) + sum(descriptor.weight for descriptor in described)


def _descriptors(document: dict[str, Any], key: str) -> tuple[Descriptor, ...]:
    entries = document.get(key)
    if entries is None:  # an empty index or artifact may leave the list out, or have null there
        return ()
    if not isinstance(entries, list):
        raise ManifestInvalid(f"{key} is not a list")
    if len(entries) > MANIFEST_ENTRIES:
        raise LimitExceeded(f"a manifest with {len(entries)} {key} is over the limit of {MANIFEST_ENTRIES}")
    return tuple(Descriptor.from_json(entry, f"{key}[{number}]") for number, entry in enumerate(entries))


def _load(raw: bytes) -> dict[str, Any]:
    document = read_content(raw, "a manifest", limit=MANIFEST_BYTES, values=MANIFEST_VALUES)
    if not isinstance(document, dict):
        raise ManifestInvalid("a manifest is not a JSON object")
    check_spelling(document, _READ, "a manifest")
    return document


def _media_type(document: dict[str, Any], delivered: str | None) -> str:
    stated = document.get("mediaType")
    if stated is not None and not isinstance(stated, str):
        raise ManifestInvalid("mediaType is not a string")
    delivered = (delivered or "").partition(";")[0].strip() or None
    if document.get("schemaVersion") == 1 or delivered in mediatype.SCHEMA1 or stated in mediatype.SCHEMA1:
        raise SchemaUnsupported(
            "the image is published as Docker image manifest schema 1, which cannot be copied unchanged",
            hint="ask the publisher for an OCI image, or convert it by pulling and pushing with a recent docker",
        )
    if stated and delivered in mediatype.MANIFESTS and delivered != stated:
        raise ManifestInvalid(f"the manifest states mediaType {stated[:80]}, but was delivered as {delivered}")
    family = stated or (delivered if delivered in mediatype.MANIFESTS else None) or _guess(document)
    if family not in mediatype.MANIFESTS:
        raise ManifestInvalid(f"content of type {family[:80]!r} is not a manifest or index that transload knows")
    if strange := _STRANGE[family] & document.keys():
        raise ManifestInvalid(f"content of type {family} that also has {' and '.join(sorted(strange))} is ambiguous")
    return family


def _guess(document: dict[str, Any]) -> str:
    """The media type, from the content. OCI content may leave it out, and some servers send application/json."""
    if "manifests" in document:
        return mediatype.OCI_INDEX
    if "layers" in document:
        return mediatype.OCI_MANIFEST
    raise ManifestInvalid("the content has no mediaType and looks like neither a manifest nor an index")


_SUBJECT = (b"ubject", b"\\u")  # the key, whose s may be a long one (ſ), or letters of it that are written as numbers


def may_have_subject(raw: bytes) -> bool:
    """Whether any reader could find a subject in a manifest of these bytes: most have none, and need not be parsed.

    >>> may_have_subject(b'{"Subject": {}}'), may_have_subject(b'{"layers": []}')
    (True, False)
    """
    lowered = raw.lower()  # tools written in Go take `Subject` and `ſubject` for `subject`
    return any(word in lowered for word in _SUBJECT)
