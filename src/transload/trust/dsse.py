"""DSSE envelopes: some bytes, what kind of bytes they are, and signatures of both.

Rules: DSSE v1.0.2, `envelope.md` and `protocol.md` (https://github.com/secure-systems-lab/dsse). Who signed, and
whether that is somebody to trust, is decided elsewhere: here are the form, and the bytes that a signature covers.
"""

from __future__ import annotations

import base64
import binascii
import json

from transload.documents.value import Value
from transload.limits import ENVELOPE_BYTES, ENVELOPE_SIGNATURES, SMALL_JSON_VALUES
from transload.oci.mediatype import is_printable
from transload.values import field, frozen

MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json"
"""The media type of an envelope as it lies in a registry."""

IN_TOTO = "application/vnd.in-toto+json"
"""The payload type of an in-toto statement (in-toto attestation framework, `envelope.md`)."""

_HINT = "get it again from whoever made it"
_URL_SAFE = str.maketrans("-_", "+/")


@frozen
class EnvelopeSignature:
    """One signature. `key_id` is a hint that the signer left, and proves nothing; it may be empty."""

    value: bytes = field(repr=False)
    key_id: str = ""


@frozen
class Envelope:
    """The content of an envelope, not yet believed. `payload_type` says what the bytes of `payload` are."""

    payload_type: str
    payload: bytes = field(repr=False)
    signatures: tuple[EnvelopeSignature, ...]

    @property
    def signed_bytes(self) -> bytes:
        """What each signature must cover."""
        return pae(self.payload_type, self.payload)

    def encode(self) -> bytes:
        """The envelope as JSON, always the same for the same content."""
        document = {
            "payload": _base64(self.payload),
            "payloadType": self.payload_type,
            "signatures": [{"keyid": made.key_id, "sig": _base64(made.value)} for made in self.signatures],
        }
        return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: the "pre-authentication encoding" of the protocol.

    >>> pae("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def decode(raw: bytes, name: str = "envelope", *, limit: int = ENVELOPE_BYTES) -> Envelope:
    """The envelope in `raw`, called `name` in errors. Keys that are not known are ignored, as the protocol demands.

    Raises `DocumentInvalid` for what is no envelope, has no signature or too many, or is larger than `limit` bytes.
    """
    return envelope_in(Value.from_json(raw, name, limit=limit, values=SMALL_JSON_VALUES, hint=_HINT))


def envelope_in(root: Value) -> Envelope:
    """The envelope that is an object of a larger document. Raises `DocumentInvalid`, as `decode` does."""
    payload_type = root.get("payloadType").text()
    if not is_printable(payload_type):
        raise root.get("payloadType").wrong("printable text")
    signatures = tuple(root.get("signatures").items())
    if not 1 <= len(signatures) <= ENVELOPE_SIGNATURES:
        raise root.get("signatures").fail(f"has {len(signatures)} signatures; expected 1 to {ENVELOPE_SIGNATURES}")
    return Envelope(payload_type, _decoded(root.get("payload")), tuple(map(_signature, signatures)))


def _signature(entry: Value) -> EnvelopeSignature:
    key_id = entry.get("keyid")
    return EnvelopeSignature(_decoded(entry.get("sig")), "" if key_id.content is None else key_id.text())


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _decoded(value: Value) -> bytes:
    """The bytes of a text in base64; the protocol takes the standard alphabet, and the one for URLs."""
    try:
        return base64.b64decode(value.text().translate(_URL_SAFE), validate=True)
    except (binascii.Error, ValueError) as error:
        raise value.fail("it is not base64") from error
