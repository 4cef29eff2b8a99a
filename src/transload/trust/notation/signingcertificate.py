"""Which certificate a time stamp was made with, as its signed attributes say: by the hash of the whole certificate.

The signer's name and number outside of them are not signed, so another certificate for the same key could stand in its
place. RFC 3161, 2.4.2, wants the attribute: `signingCertificateV2` (RFC 5035, 4, and RFC 5816), or the older
`signingCertificate` (RFC 2634, 5.4) with SHA-1. rfc3161-client does not compare it; notation does, in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from transload.trust.doubt import Doubt
from transload.trust.notation.der import CONTEXT_0, OCTET_STRING, SEQUENCE, SET, only, parts, values

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hashes import HashAlgorithm
    from cryptography.x509 import Certificate

_OID = 0x06
_VERSION_2 = bytes.fromhex("2a864886f70d010910022f")  # 1.2.840.113549.1.9.16.2.47
_VERSION_1 = bytes.fromhex("2a864886f70d010910020c")  # 1.2.840.113549.1.9.16.2.12
_SHA256, _SHA384, _SHA512 = (bytes.fromhex(f"60864801650304020{number}") for number in (1, 2, 3))  # RFC 5754


def check_named(token: bytes, certificate: Certificate) -> None:
    """Raise `Doubt` unless the signed attributes of `token`, whose signature holds, name `certificate`."""
    try:
        algorithm, stated = _stated(token)
    except ValueError as error:
        raise Doubt(f"its time stamp does not say which certificate made it: {error}") from error
    if certificate.fingerprint(algorithm) != stated:
        raise Doubt("its time stamp was made with another certificate than the one that it comes with")


def _stated(token: bytes) -> tuple[HashAlgorithm, bytes]:
    """The hash of the certificate, and its algorithm. Raises `ValueError`."""
    from cryptography.hazmat.primitives.hashes import SHA1

    attributes = _signed_attributes(token)
    version_2, version_1 = attributes.get(_VERSION_2), attributes.get(_VERSION_1)
    if version_2 is not None:
        named = list(values(_first(version_2)))
        algorithm = named.pop(0) if named and named[0][0] == SEQUENCE else None
        return _algorithm(algorithm[1] if algorithm else None), _hash(named)
    if version_1 is not None:  # SHA-1 finds no second certificate for a hash; what would be needed is not known
        return SHA1(), _hash(list(values(_first(version_1))))  # noqa: S303 - see above
    raise ValueError("it has no attribute with the certificate's hash")


def _signed_attributes(token: bytes) -> dict[bytes, bytes]:
    """The signed attributes of the only signer by their identifiers, each as the set of its values."""
    _, (_, inner, _) = parts(only(token, SEQUENCE), 2)
    *_, (tag, signers, _) = values(only(inner, SEQUENCE))
    if tag != SET:
        raise ValueError("it has no signer")
    _version, _signer, _digest_algorithm, (tag, signed, _), *_ = values(only(signers, SEQUENCE))
    if tag != CONTEXT_0:
        raise ValueError("nothing but its content is signed")
    attributes: dict[bytes, bytes] = {}
    for _, attribute, _ in values(signed):
        (tag, identifier, _), (_, content, _) = parts(attribute, 2)
        if tag != _OID or identifier in attributes:
            raise ValueError("its attributes are not as they must be")
        attributes[identifier] = content
    return attributes


def _first(attribute: bytes) -> bytes:
    """What names the signer's own certificate: the first of the list in the attribute's only value (RFC 5035, 3)."""
    (tag, named, _), *_ = values(only(attribute, SEQUENCE))
    (inner, first, _), *_ = values(named)
    if (tag, inner) != (SEQUENCE, SEQUENCE):
        raise ValueError("it names no certificate")
    return first


def _algorithm(identifier: bytes | None) -> HashAlgorithm:
    from cryptography.hazmat.primitives import hashes

    if identifier is None:
        return hashes.SHA256()  # RFC 5035, 4: the default
    (tag, oid, _), *_ = values(identifier)
    known = {_SHA256: hashes.SHA256(), _SHA384: hashes.SHA384(), _SHA512: hashes.SHA512()}
    if tag != _OID or oid not in known:
        raise ValueError("the algorithm of the certificate's hash is not SHA-256, SHA-384 or SHA-512")
    return known[oid]


def _hash(named: list[tuple[int, bytes, bytes]]) -> bytes:
    (tag, content, _), *_ = named
    if tag != OCTET_STRING:
        raise ValueError("it has no hash of the certificate")
    return content
