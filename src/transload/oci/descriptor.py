"""Descriptors: media type, digest and size of one piece of content (OCI image specification, descriptor.md)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from transload.errors import DigestInvalid, ManifestInvalid, SizeMismatch
from transload.oci.digest import Digest
from transload.oci.mediatype import MANIFESTS, SCHEMA1, SHARED, is_foreign, is_printable
from transload.oci.platform import Platform
from transload.values import field, frozen
from transload.wording import number_of

# Shared by all descriptors without annotations, because a run keeps hundreds of thousands of descriptors.
NO_ANNOTATIONS: Mapping[str, str] = MappingProxyType({})

_READ = frozenset({"mediaType", "digest", "size", "platform", "artifactType", "annotations", "urls", "data"})


@frozen
class Descriptor:
    """Points at content. `size` is in bytes. Two descriptors with the same media type, digest and size are equal.

    OCI image specification, descriptor.md. `urls` are where a publisher keeps a foreign layer.
    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = field(default=None, eq=False, kw_only=True)
    artifact_type: str = field(default="", eq=False, kw_only=True)
    annotations: Mapping[str, str] = field(default=NO_ANNOTATIONS, eq=False, hash=False, kw_only=True)
    urls: tuple[str, ...] = field(default=(), eq=False, kw_only=True)

    @classmethod
    def from_json(cls, document: object, where: str) -> Descriptor:
        """Read a descriptor object; `where` is its place in the document, for errors. Raises `ManifestInvalid`."""
        if not isinstance(document, dict):
            raise ManifestInvalid(f"{where} is not a descriptor")
        check_spelling(document, _READ, where)
        media_type, digest, size = document.get("mediaType"), document.get("digest"), document.get("size")
        if not isinstance(media_type, str) or not isinstance(digest, str):
            raise ManifestInvalid(f"{where} lacks mediaType or digest")
        media_type = SHARED.get(media_type, media_type)
        if not is_printable(media_type):
            raise ManifestInvalid(f"{where} has a mediaType that is not printable")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 63:
            raise ManifestInvalid(f"{where} has no valid size")
        try:
            valid = Digest(digest)
        except DigestInvalid as error:
            raise ManifestInvalid(f"{where}: {error}") from error
        platform, artifact_type, urls = document.get("platform"), document.get("artifactType"), document.get("urls")
        return cls(
            media_type,
            valid,
            size,
            platform=Platform.from_json(platform) if isinstance(platform, dict) else None,
            artifact_type=artifact_type if isinstance(artifact_type, str) else "",
            annotations=string_map(document.get("annotations"), f"{where}.annotations"),
            urls=tuple(url for url in urls if isinstance(url, str)) if isinstance(urls, list) else (),
        )

    def to_json(self) -> dict[str, Any]:
        """A descriptor object, without optional fields that are empty."""
        document: dict[str, Any] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        optional = {
            "platform": self.platform.to_json() if self.platform else None,
            "artifactType": self.artifact_type,
            "annotations": dict(self.annotations),
            "urls": list(self.urls),
        }
        return document | {key: value for key, value in optional.items() if value}

    def check_size(self, count: int, where: str) -> None:
        """Raise `SizeMismatch` unless `count`, the bytes under this digest in the store `where`, is its size."""
        if count != self.size:
            raise SizeMismatch(
                f"blob {self.digest.short} in {where} has {number_of(count, 'byte')}, its descriptor says {self.size}",
                subject=self.digest,
            )

    @property
    def weight(self) -> int:
        """About how many bytes of memory this takes."""
        texts = (self.artifact_type, *self.urls, *(self.platform.to_json().values() if self.platform else ()))
        return 400 + sum(map(sys.getsizeof, (self.media_type, *texts))) + text_weight(self.annotations)

    @property
    def is_manifest(self) -> bool:
        """Whether registries keep this content under `/manifests/`, not under `/blobs/`."""
        return self.media_type in MANIFESTS or self.media_type in SCHEMA1

    @property
    def is_bare(self) -> bool:
        """Whether it has nothing but media type, digest and size."""
        return not (self.platform or self.artifact_type or self.annotations or self.urls)

    @property
    def is_foreign(self) -> bool:
        """Whether this is a layer that may be kept elsewhere, at its `urls`."""
        return is_foreign(self.media_type)


def check_spelling(document: Mapping[str, object], known: frozenset[str], where: str) -> None:
    """Raise `ManifestInvalid` for a key that differs from a known one in case only.

    Readers written in Go take it for the known key.
    """
    for key in document.keys() - known:
        meant = _by_folded(known).get(key.casefold())
        if meant is not None:
            raise ManifestInvalid(f"the key {key!r} of {where} is ambiguous: some tools read it as {meant}")


@cache
def _by_folded(known: frozenset[str]) -> Mapping[str, str]:
    return {key.casefold(): key for key in known}


def text_weight(texts: Mapping[str, str]) -> int:
    """About how many bytes of memory a map of strings takes."""
    return sum(150 + sys.getsizeof(key) + sys.getsizeof(value) for key, value in texts.items())


def string_map(value: object, where: str) -> Mapping[str, str]:
    """The map in an annotations object. Raises `ManifestInvalid` if it is not a map of strings."""
    if value is None or value == {}:
        return NO_ANNOTATIONS
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ManifestInvalid(f"{where} is not a map of strings")
    return value
