"""Images for pages: with a configuration of ours, with bills of materials, with text that attacks the reader."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from transload.oci import Descriptor, Manifest, Platform
from transload.oci import mediatype as types
from transload.testing.images import AMD64, Built
from transload.testing.layers import Content, layer

ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}\u202e\x1b[31m"
SPDX = "application/spdx+json"
CYCLONEDX = "application/vnd.cyclonedx+json"
IN_TOTO = "application/vnd.in-toto+json"
DSSE = "application/vnd.dsse.envelope.v1+json"


def encoded(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def app(
    seed: object,
    sizes: Iterable[int] = (1000, 20_000),
    *,
    platform: Platform = AMD64,
    config: Mapping[str, Any] | None = None,
    history: Sequence[Mapping[str, Any]] | None = None,
    annotations: Mapping[str, str] | None = None,
    created: str = "2024-05-06T07:08:09Z",
    raw_config: bytes | None = None,
) -> Built:
    """An image with this `config` (Cmd, Labels, …) and `history`; `raw_config` is the whole configuration instead."""
    layers = [layer(f"{seed}/{number}", size) for number, size in enumerate(sizes)]
    steps = history if history is not None else [{"created_by": f"RUN step {seed}"} for _ in layers]
    document = {"created": created, **platform.to_json(), "config": dict(config or {}), "history": list(steps)}
    document["rootfs"] = {"type": "layers", "diff_ids": [each.diff_id for each in layers]}
    return packed(
        Content.of(encoded(document) if raw_config is None else raw_config, types.OCI_CONFIG),
        layers,
        {"annotations": dict(annotations)} if annotations else {},
    )


def attached(subject: Descriptor | None, contents: Iterable[tuple[bytes, str]], **more: Any) -> Built:
    """An artifact about `subject` with these documents, each with its media type."""
    layers = [Content.of(raw, kind) for raw, kind in contents]
    about = {"subject": subject.to_json()} if subject else {}
    kind = layers[0].descriptor.media_type
    return packed(Content.of(b"{}", types.OCI_EMPTY), layers, {"artifactType": kind, **about, **more})


def packed(config: Content, layers: Sequence[Content], more: Mapping[str, Any]) -> Built:
    document = {
        "schemaVersion": 2,
        "mediaType": types.OCI_MANIFEST,
        "config": config.descriptor.to_json(),
        "layers": [each.descriptor.to_json() for each in layers],
        **more,
    }
    return Built(Manifest.parse(encoded(document)), (config, *layers))


def spdx(names: Iterable[str], name: str = "app") -> bytes:
    packages = [
        {
            "name": each,
            "versionInfo": f"1.{number}",
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "Apache-2.0",
            "primaryPackagePurpose": "LIBRARY",
            "externalRefs": [{"referenceType": "purl", "referenceLocator": f"pkg:deb/debian/{each}@1.{number}"}],
        }
        for number, each in enumerate(names)
    ]
    about = {"creationInfo": {"created": "2024-05-06T07:08:09Z"}, "name": name}
    return encoded({"spdxVersion": "SPDX-2.3", **about, "packages": packages})


def cyclonedx(names: Iterable[str]) -> bytes:
    components = [
        {
            "type": "library",
            "group": "org.example",
            "name": each,
            "version": f"2.{number}",
            "licenses": [{"license": {"id": "MIT"}}],
            "purl": f"pkg:maven/org.example/{each}@2.{number}",
            "components": [{"type": "file", "name": f"{each}.jar"}],
        }
        for number, each in enumerate(names)
    ]
    metadata = {"timestamp": "2024-05-06T07:08:09Z", "component": {"name": "app", "version": "7"}}
    return encoded({"bomFormat": "CycloneDX", "specVersion": "1.5", "metadata": metadata, "components": components})


def statement(predicate_type: str, predicate: object) -> bytes:
    return encoded(
        {"_type": "https://in-toto.io/Statement/v1", "predicateType": predicate_type, "predicate": predicate}
    )


def envelope(payload: bytes) -> bytes:
    return encoded(
        {"payloadType": IN_TOTO, "payload": base64.b64encode(payload).decode(), "signatures": [{"sig": "x"}]}
    )
