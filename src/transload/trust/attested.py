"""What a signed envelope states: an in-toto statement, as cosign writes it for attestations, and since 3 for images.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, and its version 0.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from transload.trust.doubt import Doubt, mapping, read_signed, shown, text
from transload.trust.dsse import IN_TOTO
from transload.trust.evidence import Subject

COSIGN_SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
"""The predicate type of a statement that only says: this image is signed. Every other one is an attestation."""

_TYPES = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")


@frozen
class Attested:
    """What a statement says: a predicate about subjects. `sha256` are the subjects' digests in hexadecimal."""

    predicate_type: str
    sha256: frozenset[str]
    predicate: Mapping[str, Any] = field(repr=False)

    @classmethod
    def decode(cls, payload_type: str, payload: bytes) -> Attested:
        """The statement in the payload of an envelope. Raises `Doubt`."""
        if payload_type != IN_TOTO:
            raise Doubt(f"its payload is of the type {shown(payload_type)}, not an in-toto statement")
        document = read_signed(payload, "its statement")
        if document.get("_type") not in _TYPES:
            raise Doubt(f"its statement is of the type {shown(document.get('_type'))}, which is not known here")
        subjects = document.get("subject")
        if not isinstance(subjects, list):
            raise Doubt("its statement has no subject")
        digests = [mapping(mapping(entry, "a subject").get("digest"), "a digest") for entry in subjects]
        predicate = document.get("predicate")
        return cls(
            text(document.get("predicateType"), "the predicateType of its statement"),
            frozenset(value for digest in digests if isinstance(value := digest.get("sha256"), str)),
            predicate if isinstance(predicate, dict) else {},
        )

    def check(self, subject: Subject, predicate_type: str | None) -> None:
        """Raise `Doubt` unless this is about `subject`, and of the type that is wanted; None wants a signature."""
        if subject.digest.algorithm != "sha256" or subject.digest.encoded not in self.sha256:
            about = shown(f"sha256:{min(self.sha256)}") if self.sha256 else "nothing with a SHA-256"
            raise Doubt(f"it signs another image: {about}")
        if self.predicate_type != (predicate_type or COSIGN_SIGNATURE):
            wanted = f"one of the type {predicate_type}" if predicate_type else "a signature of the image"
            raise Doubt(f"it is an attestation of the type {shown(self.predicate_type)}, not {wanted}")
