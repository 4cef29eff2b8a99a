"""sigstore-python's verifier, made from a `trusted_root.json` alone, with two rules that the library does not have yet.

The suite of the Sigstore project demands both (https://github.com/sigstore/sigstore-conformance): the last moment of a
time stamp authority's validity is valid, and an attestation may be in the log as `intoto` 0.0.2, as cosign 2 wrote it.
Nothing is fetched. This is the only module that knows the inside of the library; it is imported when it is used.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.x509 import load_pem_x509_certificate
from sigstore import dsse
from sigstore.errors import VerificationError
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import VerificationPolicy
from sigstore_models.trustroot.v1 import TrustedRoot as RootDocument

_OLD_ENTRY = ("intoto", "0.0.2")
_INSTANT = timedelta(microseconds=1)


def verifier_from(root: bytes) -> OfflineVerifier:
    """The verifier for a `trusted_root.json`. Raises what the libraries raise for a wrong one."""
    document = RootDocument.from_json(root)
    for authority in document.timestamp_authorities:
        if authority.valid_for.end:
            authority.valid_for.end += _INSTANT
    return OfflineVerifier(trusted_root=TrustedRoot(document))


class OfflineVerifier(Verifier):
    """A verifier that also takes attestations which the log has as `intoto` 0.0.2."""

    def verify_dsse(self, bundle: Bundle, policy: VerificationPolicy) -> tuple[str, bytes]:
        """The type and the bytes of what the envelope signs. Raises `VerificationError`."""
        if not _has_old_entry(bundle):
            return super().verify_dsse(bundle, policy)
        envelope = bundle._dsse_envelope
        if envelope is None:
            raise VerificationError("the log has an attestation, and the bundle has none")
        self._verify_common_signing_cert(bundle, policy)
        payload = dsse._verify(cast(EllipticCurvePublicKey, bundle.signing_certificate.public_key()), envelope)
        if _logged(bundle) != _signed(bundle, envelope):
            raise VerificationError("the entry of the log does not match the attestation")
        return envelope._inner.payload_type, payload

    def _establish_time(self, bundle: Bundle) -> list[Any]:
        """The time of such an entry comes from time stamps only: the log's is not defined for it."""
        return self._verify_timestamp_authority(bundle) if _has_old_entry(bundle) else super()._establish_time(bundle)


def _has_old_entry(bundle: Bundle) -> bool:
    version = bundle.log_entry._inner.kind_version
    return (version.kind, version.version) == _OLD_ENTRY


def _logged(bundle: Bundle) -> tuple[Any, ...]:
    """What an entry says of an attestation: type and SHA-256 of its payload, signatures, and who made them."""
    body = json.loads(bundle.log_entry._inner.canonicalized_body)
    if (body["kind"], body["apiVersion"]) != _OLD_ENTRY:
        raise VerificationError("the entry of the log is of another kind than the bundle says")
    content = body["spec"]["content"]
    hashed, envelope = content["payloadHash"], content["envelope"]
    signatures = [
        (
            base64.b64decode(entry["sig"]).decode("ascii"),
            load_pem_x509_certificate(base64.b64decode(entry["publicKey"])),
        )
        for entry in envelope["signatures"]
    ]
    return hashed["algorithm"], hashed["value"], envelope["payloadType"], signatures


def _signed(bundle: Bundle, envelope: dsse.Envelope) -> tuple[Any, ...]:
    """The same, as the bundle has it. The log keeps signatures in base64 of base64."""
    signatures = [
        (base64.b64encode(signature.sig).decode("ascii"), bundle.signing_certificate)
        for signature in envelope._inner.signatures
    ]
    payload = envelope._inner.payload
    return "sha256", hashlib.sha256(payload).hexdigest(), envelope._inner.payload_type, signatures
