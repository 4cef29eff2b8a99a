"""Keeping some platforms of a multi-platform image: which entries stay, and the index written anew. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable

from transload.oci import Descriptor, Digest, Manifest, Platform

# BuildKit hangs provenance into the index itself, as a child for the platform unknown/unknown that names by these
# annotations the child it speaks of.
_REFERENCE_TYPE = "vnd.docker.reference.type"
_REFERENCE_DIGEST = "vnd.docker.reference.digest"


def wanted_children(index: Manifest, platforms: Iterable[Platform]) -> frozenset[Digest]:
    """The children of `index` for one of `platforms`, and the attestations that speak of those."""
    wanted = tuple(platforms)
    chosen = {
        child.digest
        for child in index.manifests
        if child.platform is not None and any(child.platform.satisfies(one) for one in wanted)
    }
    return frozenset(chosen | {child.digest for child in index.manifests if _speaks_of(child) in chosen})


def rewritten(index: Manifest, keep: frozenset[Digest]) -> Manifest:
    """`index` with only the entries of `keep`; the same bytes each time for the same entries."""
    entries = [entry for entry in index.document["manifests"] if entry["digest"] in keep]
    raw = json.dumps({**index.document, "manifests": entries}, separators=(",", ":"), ensure_ascii=False).encode()
    return Manifest.parse(raw, index.media_type)


def _speaks_of(child: Descriptor) -> str | None:
    attests = child.annotations.get(_REFERENCE_TYPE) == "attestation-manifest"
    return child.annotations.get(_REFERENCE_DIGEST) if attests else None
