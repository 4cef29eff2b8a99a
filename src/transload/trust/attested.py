"""What a signed envelope states: an in-toto statement, as cosign writes it for attestations, and since 3 for images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transload.errors import DocumentInvalid
from transload.trust import statement
from transload.trust.doubt import Doubt, shown
from transload.trust.dsse import IN_TOTO
from transload.trust.evidence import Subject
from transload.trust.predicate import COSIGN_SIGNATURE, WantedPredicate
from transload.trust.statement import Statement
from transload.values import frozen

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

    def check(self, subject: Subject, wanted: WantedPredicate | None) -> None:
        """Raise `Doubt` unless this is about `subject`, and what is wanted; None wants a signature of the image."""
        if not self.statement.is_about(subject.digest):
            first = next((one.digest for one in self.statement.subjects), None)
            raise Doubt(f"it signs another image: {shown(first) if first else 'nothing with a digest'}")
        if wanted:
            wanted.check(self.predicate_type, self.predicate)
        elif self.predicate_type != COSIGN_SIGNATURE:
            raise Doubt(f"it is an attestation of the type {shown(self.predicate_type)}, not a signature of the image")
