"""Signatures of notation that others made, where the folder with them is there."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from transload.oci import Descriptor, Digest, Manifest
from transload.trust.evidence import Evidence, Form, Subject
from transload.trust.notation import NotationTrust, read_notation
from transload.trust.policyfolder import PolicyFolder

JOSE, COSE = "application/jose+json", "application/cose"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
SHARED = Path(__file__).parents[5] / "shared" / "data" / "signatures"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no signatures to test with in {SHARED}")


def signature(content: bytes, media_type: str = JOSE, manifest: Manifest | None = None) -> Evidence:
    """The evidence of an envelope, in a manifest as notation writes it unless another is given."""
    layer = Descriptor(media_type, Digest.of(content), len(content))
    if manifest is None:
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.cncf.notary.signature", "digest": Digest.of(b"{}"), "size": 2},
            "layers": [layer.to_json()],
        }
        manifest = Manifest.parse(json.dumps(document).encode(), MANIFEST)
    return Evidence(form=Form.NOTATION, manifest=manifest, layer=layer, content=content)


def image(media_type: str, digest: str, size: int) -> Subject:
    """An image that should be signed."""
    return Subject(descriptor=Descriptor(media_type, Digest(digest), size))


def trust(*stores: str, folder: Path, **options: object) -> NotationTrust:
    """The authority with these trust stores, for any identity unless others are given."""
    return read_notation({"trust-stores": list(stores), "identities": ["*"], **options}, PolicyFolder(folder))


def on(text: str) -> datetime:
    """A time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
