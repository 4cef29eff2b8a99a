"""The `manifest.json` of `docker save`, which podman, skopeo and jib write too: images, layers, names. Pure.

It is not a manifest of any specification; docker's own reader (image/tarexport) defines it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from transload.errors import DigestInvalid, LimitExceeded, ManifestInvalid, ReferenceInvalid
from transload.limits import CONFIG_BYTES, CONFIG_VALUES, SAVED_BYTES, SAVED_VALUES
from transload.oci import Digest, Name, Reference
from transload.oci.content import read_content
from transload.values import frozen

SAVED = "manifest.json"
_IMAGES = 10_000
_LAYERS = 1000  # docker itself stops at 127
_HEX = re.compile(r"(?:blobs/sha256/|sha256:)?([a-f0-9]{64})(?:\.json)?")


@frozen
class SavedImage:
    """One image: the members that hold its config and its layers, lowest first, and its names."""

    config: str
    layers: tuple[str, ...]
    names: tuple[Name, ...]

    @property
    def config_digest(self) -> Digest | None:
        """The config's digest, from the name of its member. All known tools name it like that."""
        form = _HEX.fullmatch(self.config)
        return Digest(f"sha256:{form[1]}") if form else None


def parse_saved(raw: bytes) -> tuple[SavedImage, ...]:
    """Read a `manifest.json`. Raises `ManifestInvalid`, `LimitExceeded`."""
    if len(raw) > SAVED_BYTES:
        raise LimitExceeded(f"{SAVED} is over the limit of {SAVED_BYTES} bytes", subject=SAVED)
    document = read_content(raw, SAVED, limit=SAVED_BYTES, values=SAVED_VALUES, subject=SAVED)
    if not isinstance(document, list):
        raise ManifestInvalid(f"{SAVED} is not a list of images", subject=SAVED)
    if len(document) > _IMAGES:
        raise LimitExceeded(f"{SAVED} lists more than {_IMAGES} images", subject=SAVED)
    return tuple(_image(entry, f"{SAVED}: image {number}") for number, entry in enumerate(document))


def diff_ids(raw: bytes, where: str) -> tuple[Digest, ...]:
    """The digests of the uncompressed layers that an image's config lists. Raises `ManifestInvalid`."""
    document = read_content(raw, where, limit=CONFIG_BYTES, values=CONFIG_VALUES, subject=where)
    rootfs = document.get("rootfs") if isinstance(document, dict) else None
    listed = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    try:
        return tuple(map(Digest, _texts(listed, f"{where}: rootfs.diff_ids")))
    except DigestInvalid as error:
        raise ManifestInvalid(f"{where}: {error}", subject=where) from error


def _image(entry: object, where: str) -> SavedImage:
    if not isinstance(entry, dict) or not isinstance(entry.get("Config"), str):
        raise ManifestInvalid(f"{where} has no Config", subject=SAVED)
    layers = _texts(entry.get("Layers"), f"{where}: Layers")
    if len(layers) > _LAYERS:
        raise LimitExceeded(f"{where} has more than {_LAYERS} layers", subject=SAVED)
    return SavedImage(entry["Config"], layers, tuple(_names(_texts(entry.get("RepoTags"), f"{where}: RepoTags"))))


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ManifestInvalid(f"{where} is not a list of texts", subject=SAVED)
    return tuple(value)


def _names(tags: tuple[str, ...]) -> Iterator[Name]:
    """The names in docker's tags. Short forms are expanded (`busybox:1` to `docker.io/library/busybox:1`).

    `<none>:<none>` is not a name.
    """
    for text in tags:
        try:
            name = Reference.parse(text).name
        except ReferenceInvalid:
            continue
        yield Name(name.repository, name.tag)
