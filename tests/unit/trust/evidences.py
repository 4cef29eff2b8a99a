"""Evidence as it would lie beside an image."""

from __future__ import annotations

import json
from collections.abc import Mapping

from transload.documents.value import Value
from transload.oci import Descriptor, Digest, Manifest
from transload.trust import sigstorebundle
from transload.trust.evidence import Evidence, Form


def evidence(form: Form, media_type: str, content: bytes, annotations: Mapping[str, str] | None = None) -> Evidence:
    layer = Descriptor(media_type, Digest.of(content), len(content), annotations=annotations or {})
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": str(Digest.of(b"{}")), "size": 2}
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": empty,
        "layers": [layer.to_json()],
    }
    return Evidence(form=form, manifest=Manifest.parse(json.dumps(document).encode()), layer=layer, content=content)


def bundle_evidence(content: bytes) -> Evidence:
    return evidence(Form.SIGSTORE_BUNDLE, sigstorebundle.MEDIA_TYPE, content)


def policy_value(content: object) -> Value:
    """What a policy file has under the key of an authority."""
    root = Value.from_json(json.dumps({"it": content}).encode(), "policy", limit=1 << 20, values=1000, hint="")
    return root.get("it")
