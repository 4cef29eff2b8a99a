"""Time stamps of a signature (RFC 3161): the time at which it was there at the latest, if an authority proves it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from transload.limits import NOTATION_CERTIFICATES
from transload.trust.doubt import Doubt, plain
from transload.trust.notation.chain import Purpose, check_chain, is_issued, load_chain, name_of
from transload.trust.notation.der import CONTEXT_0, SEQUENCE, only, parts, tagged, values
from transload.trust.notation.revocation import NO_LISTS, RevocationLists
from transload.trust.notation.signingcertificate import check_named
from transload.values import frozen

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampResponse

_GRANTED = bytes.fromhex("3003020100")  # PKIStatusInfo with status 0: a token by itself has none
_BASELINE_POLICY = "0.4.0.2023.1.1"  # RFC 3628, 5.2: an accuracy of a second, if none is given


@frozen
class ProvedTime:
    """A proved time, with the range in which it lies for sure, and what proves it."""

    time: datetime
    accuracy: timedelta
    source: str

    @property
    def lower(self) -> datetime:
        """The earliest time that it can have been."""
        return self.time - self.accuracy

    @property
    def upper(self) -> datetime:
        """The latest time that it can have been."""
        return self.time + self.accuracy


def check_timestamp(
    token: bytes, signature: bytes, roots: Sequence[Certificate], revoked: RevocationLists = NO_LISTS
) -> ProvedTime:
    """The time that `token` proves for `signature`, by an authority of one of `roots` that nobody revoked.

    Raises `Doubt`, and `ImportError` without `rfc3161-client`.
    """
    from rfc3161_client import VerifierBuilder

    response = _response(token)
    try:
        # The token's own certificates are not given as intermediates: the library trusts all that it is given.
        VerifierBuilder(roots=list(roots)).build().verify_message(response, signature)
        info = response.tst_info
        time, accuracy = info.gen_time, _accuracy(info.accuracy, info.policy.dotted_string)
        chain = _chain(response, roots)
    except Doubt:
        raise
    except Exception as error:  # the libraries raise errors of many kinds for a certificate that is broken
        raise Doubt(f"its time stamp does not hold: {_reason(error)}") from error
    check_named(token, chain[0])
    check_chain(chain, Purpose.TIME_STAMPING)
    revoked.check(chain, None)  # a stolen key can stamp any time
    return ProvedTime(time, accuracy, f"the time stamp of {name_of(chain[0])}")


def _reason(error: Exception) -> str:
    text = str(error)
    if "verify pkcs7" in text:
        return "no root in timestamp-stores leads to it, or it was altered"
    if "Mismatch between messages" in text:
        return "it is the time stamp of another signature"
    return plain(text)


def _accuracy(accuracy: object, policy: str) -> timedelta:
    if accuracy is None:
        return timedelta(seconds=1 if policy == _BASELINE_POLICY else 0)
    seconds, millis, micros = (getattr(accuracy, part) or 0 for part in ("seconds", "millis", "micros"))
    return timedelta(seconds=seconds, milliseconds=millis, microseconds=micros)


def _chain(response: TimeStampResponse, roots: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """The certificate that made the time stamp, and those above it up to one of `roots`."""
    signed = response.signed_data
    known = [*roots, *load_chain(list(signed.certificates))]
    signers = list(signed.signer_infos)
    if len(signers) != 1:
        raise Doubt("its time stamp does not have exactly one signer")
    names = (signers[0].issuer, signers[0].serial_number)
    chain = [certificate for certificate in known if (certificate.issuer, certificate.serial_number) == names][:1]
    while chain and chain[-1] not in roots and len(chain) <= NOTATION_CERTIFICATES:
        above = next((candidate for candidate in known if is_issued(chain[-1], candidate)), None)
        if above is None:
            break
        chain.append(above)
    if not chain or chain[-1] not in roots:
        raise Doubt("its time stamp does not hold: no root in timestamp-stores leads to it")
    return tuple(chain)


# --- the token as the library reads it


def _response(token: bytes) -> TimeStampResponse:
    from rfc3161_client import decode_timestamp_response

    try:
        return decode_timestamp_response(tagged(SEQUENCE, _GRANTED + _sorted(token)))
    except ValueError as error:
        raise Doubt(f"its time stamp cannot be read: {plain(error)}") from error


def _sorted(token: bytes) -> bytes:
    """The same token with its certificates in the order of DER.

    Authorities such as GlobalSign list them in another order, which the library does not read. The signature does not
    cover the list, so a new order changes nothing else. RFC 5652, 5.1: ContentInfo is a sequence of a type and, in
    [0], SignedData, a sequence in which [0] holds the certificates.
    """
    content_type, (_, inner, _) = parts(only(token, SEQUENCE), 2)
    signed_data = only(inner, SEQUENCE)
    changed = [
        tagged(tag, b"".join(sorted(whole for _, _, whole in values(content)))) if tag == CONTEXT_0 else whole
        for tag, content, whole in values(signed_data)
    ]
    return tagged(SEQUENCE, content_type[2] + tagged(CONTEXT_0, tagged(SEQUENCE, b"".join(changed))))
