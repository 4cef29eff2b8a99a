"""What an artifact is, in words: images, charts, signatures, bills of materials, attestations. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from transload.oci import Descriptor, Manifest
from transload.oci.mediatype import is_sigstore_bundle

CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"

_TYPES = {
    "application/spdx+json": "SBOM, SPDX",
    "text/spdx+json": "SBOM, SPDX",
    "text/spdx": "SBOM, SPDX",
    "application/vnd.cyclonedx": "SBOM, CycloneDX",
    "application/vnd.cyclonedx+json": "SBOM, CycloneDX",
    "application/vnd.cyclonedx+xml": "SBOM, CycloneDX",
    "application/vnd.syft+json": "SBOM, Syft",
    "application/vnd.cncf.notary.signature": "signature, Notation",
    "application/vnd.dev.cosign.artifact.sig.v1+json": "signature, cosign",
    "application/vnd.dev.cosign.simplesigning.v1+json": "signature, cosign",
    "application/jose+json": "signature, Notation",
    "application/cose": "signature, Notation",
    "application/vnd.dsse.envelope.v1+json": "attestation",
    "application/vnd.in-toto+json": "attestation",
    "application/vnd.transload.transfer-record.v1": "transfer record of transload",
    "application/vnd.transload.gate.v1": "result of a gate of transload",
    CHART_CONFIG: "Helm chart",
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip": "Helm chart",
    "application/vnd.wasm.config.v0+json": "WebAssembly",
}
_PREDICATES = {
    "https://spdx.dev/Document": "SBOM, SPDX",
    "https://cyclonedx.org/bom": "SBOM, CycloneDX",
    "https://slsa.dev/provenance": "provenance, SLSA",
    "https://slsa.dev/verification_summary": "verification summary, SLSA",
    "https://cosign.sigstore.dev/attestation/vuln": "vulnerability report",
    "https://openvex.dev/ns": "VEX",
    "https://in-toto.io/attestation/test-result": "test result",
    "https://in-toto.io/attestation/scai": "SCAI report",
}
_PREDICATE_KEYS = ("predicateType", "in-toto.io/predicate-type", "dev.sigstore.bundle.predicateType")
_SIGNED = "dev.sigstore.bundle.content"


def of_manifest(manifest: Manifest) -> str:
    """image, chart or artifact: what decides which commands pull it."""
    if manifest.is_index or manifest.is_runnable:
        return "image"
    if manifest.config is not None and manifest.config.media_type == CHART_CONFIG:
        return "chart"
    return "artifact"


def in_words(artifact_type: str, annotations: Mapping[str, str]) -> str:
    """What a referrer, or a layer of an artifact, is; empty if that is not known.

    >>> in_words("application/vnd.in-toto+json", {"in-toto.io/predicate-type": "https://spdx.dev/Document/v2.3"})
    'attestation: SBOM, SPDX'
    >>> in_words("application/spdx+json", {}), in_words("text/html", {})
    ('SBOM, SPDX', '')
    """
    predicate = next((annotations[key] for key in _PREDICATE_KEYS if key in annotations), "")
    if is_sigstore_bundle(artifact_type):
        word = "signature, Sigstore" if annotations.get(_SIGNED) == "message-signature" else "attestation"
    else:
        word = _TYPES.get(artifact_type, "")
    if predicate and (word in {"", "attestation"}):
        meant = next((known for prefix, known in _PREDICATES.items() if predicate.startswith(prefix)), "")
        return f"attestation: {meant}" if meant else "attestation"
    return word


def of_document(predicate: str, form: str, *, is_bill: bool) -> str:
    """What a document is that was read: its form, and the predicate of the statement that wraps it.

    >>> of_document("https://cyclonedx.org/bom", "CycloneDX 1.5", is_bill=True)
    'attestation: SBOM, CycloneDX 1.5'
    """
    if is_bill:
        return f"attestation: SBOM, {form}" if predicate else f"SBOM, {form}"
    return in_words("", {"predicateType": predicate}) if predicate else ""


def is_readable(layer: Descriptor) -> bool:
    """Whether a layer of an artifact is a document that a page can show: JSON, or SPDX as text."""
    kind = layer.media_type
    return kind.endswith(("+json", "/json")) or kind == "text/spdx" or is_sigstore_bundle(kind)
