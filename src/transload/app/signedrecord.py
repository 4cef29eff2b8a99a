"""Opens transfer records and receipts, with a signature or without, and says whether a key proves them."""

from __future__ import annotations

from collections.abc import Callable

from transload.bundle.format.keys import PublicKey
from transload.bundle.format.signing import Signer
from transload.documents.value import Value
from transload.errors import DocumentInvalid
from transload.limits import ENVELOPE_BYTES, STATEMENT_VALUES
from transload.report.foundrecord import FoundRecord
from transload.trust import dsse, statement
from transload.trust.dsse import IN_TOTO, Envelope, EnvelopeSignature, pae
from transload.trust.statement import Statement
from transload.values import evolve, frozen

Misfit = Callable[[Statement], str | None]
"""Says why a statement is not the record that is wanted; None if it is."""

_HINT = "get it again from whoever made it"


def encoded(said: Statement, signer: Signer | None) -> bytes:
    """The statement as it is kept: in a DSSE envelope if somebody signs it, else as plain JSON."""
    content = said.encode()
    if signer is None:
        return content
    signature = EnvelopeSignature(signer.sign(pae(IN_TOTO, content)), signer.key_id)
    return Envelope(IN_TOTO, content, (signature,)).encode()


@frozen
class Opened:
    """The content of a file: an envelope, whose payload nobody has read yet, or a statement without one."""

    envelope: Envelope | None
    _root: Value
    _name: str
    _limits: tuple[int, int]

    @classmethod
    def of(cls, raw: bytes, name: str, *, limit: int = ENVELOPE_BYTES, values: int = STATEMENT_VALUES) -> Opened:
        """Raises `DocumentInvalid` for what is neither, or is larger than `limit` bytes or `values` values."""
        root = Value.from_json(raw, name, limit=limit, values=values, hint=_HINT)
        return cls(dsse.envelope_in(root) if root.has("payloadType") else None, root, name, (limit, values))

    @property
    def signed_by(self) -> tuple[str, ...]:
        """The keys that it names. They prove nothing."""
        return tuple(made.key_id for made in self.envelope.signatures) if self.envelope else ()

    def unproved(self, key: PublicKey) -> str | None:
        """Why `key` does not prove it; None if it does. The key that a signature names is only a hint."""
        if self.envelope is None:
            return "it is not signed"
        signatures, signed = self.envelope.signatures, self.envelope.signed_bytes
        if any(key.verify(signed, made.value) for made in signatures):
            return None
        if any(made.key_id == key.key_id for made in signatures):
            return "the signature does not match: it was changed after it was signed"
        return "another key signed it"

    def statement(self) -> Statement:
        """What it says. Raises `DocumentInvalid`."""
        return statement.statement_in(self.root())

    def root(self) -> Value:
        """The JSON of the statement. Raises `DocumentInvalid`."""
        if self.envelope is None:
            return self._root
        if self.envelope.payload_type != IN_TOTO:
            raise DocumentInvalid(f"what is signed is not a {self._name}", subject=self._name, hint=_HINT)
        limit, values = self._limits
        return Value.from_json(self.envelope.payload, self._name, limit=limit, values=values, hint=_HINT)


def judged(
    bare: FoundRecord,
    content: bytes,
    key: PublicKey | None,
    misfit: Misfit,
    *,
    limit: int = ENVELOPE_BYTES,
    values: int = STATEMENT_VALUES,
) -> FoundRecord:
    """What `content` says, whether it is the record that is wanted, and whether `key` signed it.

    Raises `DocumentInvalid`, `KeyInvalid`.
    """
    opened = Opened.of(content, "record", limit=limit, values=values)
    bare = evolve(bare, signed_by=opened.signed_by)
    unproved = opened.unproved(key) if key is not None else None
    try:
        said = opened.statement()
    except DocumentInvalid as error:
        return evolve(bare, problem=error.message, verified=None if key is None else False)
    problem = misfit(said) or unproved
    return evolve(bare, record=said.predicate, problem=problem, verified=None if key is None else problem is None)
