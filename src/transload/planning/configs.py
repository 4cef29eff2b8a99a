"""Reads the config of an image where it is needed: for its platform, and for when it was made."""

from __future__ import annotations

from transload.errors import LimitExceeded
from transload.limits import CONFIG_BYTES, CONFIG_VALUES
from transload.oci import Descriptor, verified
from transload.oci.content import read_content
from transload.ports import Source
from transload.wording import number_of


def read_config(source: Source, repository: str, descriptor: Descriptor) -> dict[str, object]:
    """The document, with its digest verified; empty if it is no object. Raises `ManifestInvalid` and read errors."""
    if descriptor.size > CONFIG_BYTES:
        raise LimitExceeded(
            f"config {descriptor.digest.short} has {number_of(descriptor.size, 'byte')}", subject=descriptor.digest
        )
    with source.open(repository, descriptor) as chunks:
        raw = verified(chunks, descriptor.digest, descriptor.size)
    what = f"the image's config {descriptor.digest.short}"
    document = read_content(raw, what, limit=CONFIG_BYTES, values=CONFIG_VALUES)
    return document if isinstance(document, dict) else {}
