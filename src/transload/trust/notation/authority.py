"""Whom a policy trusts to sign with notation; which signatures are theirs (trust-store-trust-policy.md, "Steps")."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from transload.errors import PartMissing
from transload.extras import Extra
from transload.trust.doubt import Doubt, plain
from transload.trust.evidence import Evidence, Finding, Form, Subject
from transload.trust.notation.algorithm import check_signature
from transload.trust.notation.chain import Purpose, check_chain, check_valid, load_chain, name_of
from transload.trust.notation.cose import read_cose
from transload.trust.notation.envelope import SIGNING_AUTHORITY, Envelope
from transload.trust.notation.identity import Identity
from transload.trust.notation.jws import read_jws
from transload.trust.notation.payload import check_payload
from transload.trust.notation.revocation import NO_LISTS, RevocationLists
from transload.trust.notation.timestamp import ProvedTime, check_timestamp
from transload.values import field, frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.x509 import Certificate

_READERS = {"application/jose+json": read_jws, "application/cose": read_cose}
_CLOCK = "if that is not so, the clock of this machine is wrong"


@frozen(kw_only=True)
class NotationTrust:
    """Signers whose certificates lead to a trust store. An `Authority`.

    `roots` are trusted for the scheme `notary.x509`, `signing_authorities` for `notary.x509.signingAuthority`, whose
    signers are believed also about the time. `timestamp_roots` are those of time stamping authorities; without them
    time stamps are not looked at. `identities` are the subjects that may sign; any, if there are none.
    `revoked` are lists of revoked certificates; nothing is fetched, so without them none counts as revoked.
    """

    name: str
    roots: tuple[Certificate, ...] = field(repr=False)
    signing_authorities: tuple[Certificate, ...] = field(default=(), repr=False)
    timestamp_roots: tuple[Certificate, ...] = field(default=(), repr=False)
    identities: tuple[Identity, ...] = ()
    revoked: RevocationLists = field(default=NO_LISTS, repr=False)

    @property
    def forms(self) -> frozenset[Form]:
        """The signatures that it can judge."""
        return frozenset({Form.NOTATION})

    def judge(self, subject: Subject, evidence: Evidence, at: datetime) -> Finding:
        """Say whether `evidence` is a signature of `subject` by one of these signers; `at` is the time now.

        It never raises for what the evidence says. Raises `PartMissing` without the extra `trust`.
        """
        signer = None
        try:
            envelope = _read(evidence)
            chain = load_chain(envelope.chain)
            signer = name_of(chain[0])
            check_signature(envelope, chain[0].public_key())
            check_payload(envelope.payload, subject.descriptor)
            check_chain(chain, Purpose.SIGNING)
            self._check_trusted(envelope, chain)
            self._check_identity(chain[0])
            proof = self._check_time(envelope, chain, at)
            self.revoked.check(chain, proof.upper if proof else None)
            note = "; ".join(dict.fromkeys(self.revoked.notes(chain, at))) or None
            if envelope.expiry is not None and at >= envelope.expiry:
                raise Doubt(f"its signer let it expire on {_time(envelope.expiry)}; {_now(at)}")
        except Doubt as error:
            return Finding(evidence=evidence, problem=str(error), signer=signer)
        except ImportError as error:
            raise parts_missing(error) from error
        when, source = (proof.time, proof.source) if proof else (None, None)
        return Finding(evidence=evidence, problem=None, signer=signer, signed_at=when, time_from=source, note=note)

    def _check_trusted(self, envelope: Envelope, chain: Sequence[Certificate]) -> None:
        is_authority = envelope.scheme == SIGNING_AUTHORITY
        store = self.signing_authorities if is_authority else self.roots
        if not any(certificate in store for certificate in chain):
            key = "signing-authority-stores" if is_authority else "trust-stores"
            raise Doubt(f"its certificates lead to {name_of(chain[-1])}, which is not in {key}")

    def _check_identity(self, certificate: Certificate) -> None:
        if self.identities and not any(identity.fits(certificate) for identity in self.identities):
            raise Doubt(f"it is signed by {name_of(certificate)}, whom identities does not list")

    def _check_time(self, envelope: Envelope, chain: Sequence[Certificate], at: datetime) -> ProvedTime | None:
        """Check that the chain was valid when it signed, as far as that is proved, else that it is valid now."""
        if envelope.scheme == SIGNING_AUTHORITY:
            time = envelope.signing_time
            check_valid(chain, time, time, f"and the signing authority signed on {_time(time)}")
            return ProvedTime(time, timedelta(0), "the signing authority")
        if envelope.timestamp and self.timestamp_roots:
            stamp = check_timestamp(envelope.timestamp, envelope.signature, self.timestamp_roots, self.revoked)
            check_valid(chain, stamp.lower, stamp.upper, f"and it was time stamped on {_time(stamp.time)}")
            return stamp
        check_valid(chain, at, at, _now(at) + _advice(envelope))
        return None


def parts_missing(error: ImportError) -> PartMissing:
    """The error for a library of the extra `trust` that is not installed."""
    package = (error.name or "cryptography").partition(".")[0].replace("_", "-")
    return Extra.TRUST.missing("checking notation's signatures", package)


def _read(evidence: Evidence) -> Envelope:
    reader = _READERS.get(evidence.layer.media_type)
    if reader is None:
        raise Doubt(f"its envelope is of an unknown kind, {plain(evidence.layer.media_type)}")
    return reader(evidence.content)


def _advice(envelope: Envelope) -> str:
    if not envelope.timestamp:
        return ""
    return " (it has a time stamp, which counts if timestamp-stores names the root of its authority)"


def _now(at: datetime) -> str:
    return f"and now is {_time(at)}: {_CLOCK}"


def _time(time: datetime) -> str:
    return f"{time:%F at %T} UTC"
