"""Sigstore bundles: a signature with what is needed to check it, as cosign attaches them to images.

The format: https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto, in the JSON of Protocol
Buffers; how cosign attaches it: https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transload.documents.value import Document, Value
from transload.errors import DocumentInvalid
from transload.trust.doubt import Doubt, from_base64, mapping, read_signed, shown
from transload.trust.dsse import Envelope, envelope_in
from transload.trust.evidence import Subject
from transload.values import field, frozen

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
"""The media type of a layer with a bundle, and the artifact type of a referrer that has one."""

_KNOWN = (MEDIA_TYPE, *(f"application/vnd.dev.sigstore.bundle+json;version=0.{minor}" for minor in (1, 2, 3)))


@frozen
class MessageSignature:
    """A signature of the image's manifest. `sha256` is the digest that the bundle states for it, if it does."""

    signature: bytes = field(repr=False)
    sha256: bytes | None

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> MessageSignature:
        """Raises `Doubt`."""
        signature = from_base64(document.get("signature"), "its signature")
        stated = document.get("messageDigest")
        if stated is None:
            return cls(signature, None)
        digest = mapping(stated, "its messageDigest")
        if digest.get("algorithm") != "SHA2_256":
            raise Doubt(f"its digest is {shown(digest.get('algorithm'))}; only SHA2_256 is accepted")
        return cls(signature, from_base64(digest.get("digest"), "its messageDigest"))

    def check(self, subject: Subject) -> bytes:
        """The SHA-256 of the image that this is about. Raises `Doubt` if it is about something else."""
        if subject.digest.algorithm != "sha256":
            raise Doubt("a bundle signs the SHA-256 of an image, and this image has another digest")
        digest = bytes.fromhex(subject.digest.encoded)
        if self.sha256 is not None and self.sha256 != digest:
            raise Doubt(f"it signs another image: {shown(f'sha256:{self.sha256.hex()}')}")
        return digest


@frozen
class SigstoreBundle:
    """A bundle: its `content` is a signature of a message, or a DSSE envelope. `material` says how to check it."""

    content: MessageSignature | Envelope
    material: Mapping[str, Any] = field(repr=False)

    @classmethod
    def decode(cls, raw: bytes) -> SigstoreBundle:
        """Raises `Doubt`."""
        document = read_signed(raw, "the bundle")
        if document.get("mediaType") is None:
            raise Doubt("its bundle does not say of which type it is (mediaType)")
        if document["mediaType"] not in _KNOWN:
            raise Doubt(f"its bundle is of the type {shown(document['mediaType'])}, which is not known here")
        material = mapping(document.get("verificationMaterial"), "its verificationMaterial")
        message, envelope = document.get("messageSignature"), document.get("dsseEnvelope")
        if (message is None) == (envelope is None):
            raise Doubt("its bundle must have either a messageSignature or a dsseEnvelope")
        if message is not None:
            return cls(MessageSignature.read(mapping(message, "its messageSignature")), material)
        try:
            return cls(envelope_in(Value(envelope, Document("dsseEnvelope"))), material)
        except DocumentInvalid as error:
            raise Doubt(error.message) from None

    @property
    def has_certificate(self) -> bool:
        """Whether a certificate says who signed; else somebody signed with a key that the verifier must have."""
        return any(key in self.material for key in ("certificate", "x509CertificateChain"))
