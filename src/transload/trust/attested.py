"""What a signed envelope states: an in-toto statement, as cosign writes it for attestations, and since 3 for images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from transload.errors import DocumentInvalid
from transload.trust import statement
from transload.trust.doubt import Doubt, shown
from transload.trust.dsse import IN_TOTO
from transload.trust.evidence import Subject
from transload.trust.statement import Statement

COSIGN_SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
"""The predicate type of a statement that only says: this image is signed. Every other one is an attestation."""

_TYPES = (statement.TYPE, statement.OLD_TYPE)


@frozen
class Attested:
    """A statement that somebody signed, as evidence on an image."""

    statement: Statement

    @classmethod
    def decode(cls, payload_type: str, payload: bytes) -> Attested:
        """The statement in the payload of an envelope. Raises `Doubt`."""
        if payload_type != IN_TOTO:
            raise Doubt(f"its payload is of the type {shown(payload_type)}, not an in-toto statement")
        try:
            return cls(statement.decode(payload, types=_TYPES))
        except DocumentInvalid as error:
            raise Doubt(error.message) from None

    @property
    def predicate_type(self) -> str:
        """What kind of thing is stated."""
        return self.statement.predicate_type

    @property
    def predicate(self) -> Mapping[str, Any]:
        """What is stated."""
        return self.statement.predicate

    def check(self, subject: Subject, predicate_type: str | None) -> None:
        """Raise `Doubt` unless this is about `subject`, and of the type that is wanted; None wants a signature."""
        if not self.statement.is_about(subject.digest):
            first = next((one.digest for one in self.statement.subjects), None)
            raise Doubt(f"it signs another image: {shown(first) if first else 'nothing with a digest'}")
        if self.predicate_type != (predicate_type or COSIGN_SIGNATURE):
            wanted = f"one of the type {predicate_type}" if predicate_type else "a signature of the image"
            raise Doubt(f"it is an attestation of the type {shown(self.predicate_type)}, not {wanted}")
