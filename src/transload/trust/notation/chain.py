"""What the Notary Project wants of chains of certificates (signature-specification.md, "Certificate Requirements").

As the specification says, only basic constraints, key usage and extended key usage are looked at; other extensions are
not. `cryptography` reads the certificates and checks who issued them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

from transload.limits import NOTATION_CERTIFICATES
from transload.trust.doubt import Doubt, plain
from transload.trust.notation.algorithm import algorithm_of

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, Extension, KeyUsage

WEAK_HASHES = {"md5", "sha1"}
_RSA_BITS = 2048
_EC_BITS = 256
_NO_SIGNING_KEY = ("key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign")


class Purpose(Enum):
    """What the first certificate of a chain is for."""

    SIGNING = "signing"
    TIME_STAMPING = "time stamping"


def load_chain(contents: Sequence[bytes]) -> tuple[Certificate, ...]:
    """The certificates in DER, in the same order. Raises `Doubt`."""
    if not contents:
        raise Doubt("its chain of certificates is empty")
    if len(contents) > NOTATION_CERTIFICATES:
        raise Doubt(f"it has {len(contents)} certificates, {NOTATION_CERTIFICATES} are allowed")
    return tuple(_load(content) for content in contents)


def _load(content: bytes) -> Certificate:
    from cryptography.x509 import load_der_x509_certificate

    try:
        certificate = load_der_x509_certificate(content)
        parse_all(certificate)
    except Exception as error:  # the library raises errors of many kinds for what it cannot read
        raise Doubt(f"one of its certificates cannot be read: {plain(error)}") from error
    return certificate


def parse_all(certificate: Certificate) -> tuple[object, ...]:
    """All that is asked of a certificate later: it is parsed when it is asked for, and raises errors of many kinds."""
    return (
        certificate.subject.rfc4514_string(),
        certificate.issuer,
        certificate.extensions,
        certificate.public_key(),
        certificate.signature_hash_algorithm,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


def check_chain(chain: Sequence[Certificate], purpose: Purpose) -> None:
    """Raise `Doubt` unless the chain leads from a certificate for this purpose to a root, each as it must be."""
    for certificate in chain:
        _check_strength(certificate)
    for number, certificate in enumerate(chain):
        issuer = chain[min(number + 1, len(chain) - 1)]
        if not is_issued(certificate, issuer):
            raise Doubt(_not_issued(certificate, issuer))
        if certificate is not issuer and is_issued(certificate, certificate):
            raise Doubt(f"its chain goes on after the root {name_of(certificate)}")
    _check_first(chain[0], purpose)
    for below, certificate in enumerate(chain[1:]):
        _check_authority(certificate, below, purpose)


def check_valid(chain: Sequence[Certificate], lower: datetime, upper: datetime, when: str) -> None:
    """Raise `Doubt` unless all certificates are valid from `lower` to `upper`; `when` says which time that is."""
    for certificate in chain:
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if lower < begin:
            raise Doubt(f"the certificate {name_of(certificate)} is valid from {begin:%F} on, {when}")
        if upper > end:
            raise Doubt(f"the certificate {name_of(certificate)} expired on {end:%F at %T} UTC, {when}")


def name_of(certificate: Certificate) -> str:
    """The subject of a certificate as RFC 4514 writes it, for people."""
    return plain(certificate.subject.rfc4514_string() or "somebody without a name")


def is_issued(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether `issuer` has issued it, by its name and its signature; a root has issued itself."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        certificate.verify_directly_issued_by(issuer)  # the names and the signature
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def is_authority(certificate: Certificate) -> bool:
    """Whether its basic constraints say that it may issue certificates."""
    from cryptography.x509 import BasicConstraints, ExtensionNotFound

    try:
        return certificate.extensions.get_extension_for_class(BasicConstraints).value.ca
    except ExtensionNotFound:
        return False


def _not_issued(certificate: Certificate, issuer: Certificate) -> str:
    if certificate is issuer:
        return f"its chain ends with {name_of(certificate)}, which is not a root: it is not signed with its own key"
    return f"the certificate {name_of(certificate)} is not issued by the next one, {name_of(issuer)}"


def _check_strength(certificate: Certificate) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    key, hash_of = certificate.public_key(), certificate.signature_hash_algorithm
    if hash_of is not None and hash_of.name in WEAK_HASHES:
        raise Doubt(f"the certificate {name_of(certificate)} is signed with {hash_of.name.upper()}")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _RSA_BITS:
        raise Doubt(f"the certificate {name_of(certificate)} has a key of RSA {key.key_size}, which is too short")
    if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < _EC_BITS:
        raise Doubt(f"the certificate {name_of(certificate)} has a key of EC {key.key_size}, which is too short")


def _check_first(certificate: Certificate, purpose: Purpose) -> None:
    """Raise `Doubt` unless a certificate may sign, and do nothing else."""
    name = name_of(certificate)
    algorithm_of(certificate.public_key())
    if is_authority(certificate):
        raise Doubt(f"the certificate {name} signs, and may issue certificates too")
    usage = _key_usage(certificate, purpose)
    if not usage.digital_signature:
        raise Doubt(f"the certificate {name} is not for digital signatures (key usage)")
    for other in _NO_SIGNING_KEY:
        if getattr(usage, other):
            raise Doubt(f"the certificate {name} is also for {other.replace('_', ' ')} (key usage)")
    _check_extended_usage(certificate, purpose)


def _check_extended_usage(certificate: Certificate, purpose: Purpose) -> None:
    from cryptography.x509 import ExtendedKeyUsage, ExtensionNotFound
    from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

    try:
        extension = certificate.extensions.get_extension_for_class(ExtendedKeyUsage)
    except ExtensionNotFound:
        if purpose is Purpose.SIGNING:
            return  # it is optional there
        raise Doubt(f"the certificate {name_of(certificate)} is not for time stamping") from None
    usages = list(extension.value)
    if purpose is Purpose.TIME_STAMPING and (usages != [Usage.TIME_STAMPING] or not extension.critical):
        # RFC 3161, 2.3
        raise Doubt(f"the certificate {name_of(certificate)} is not for time stamping alone")
    others = {
        Usage.ANY_EXTENDED_KEY_USAGE: "any use",
        Usage.SERVER_AUTH: "server authentication",
        Usage.CLIENT_AUTH: "client authentication",
        Usage.EMAIL_PROTECTION: "email",
        Usage.OCSP_SIGNING: "OCSP",
        Usage.TIME_STAMPING: "time stamping",
    }
    for usage in usages if purpose is Purpose.SIGNING else ():
        if usage in others:
            name = name_of(certificate)
            raise Doubt(f"the certificate {name} is for {others[usage]}, not for code signing (extended key usage)")


def _check_authority(certificate: Certificate, below: int, purpose: Purpose) -> None:
    """Raise `Doubt` unless a certificate may issue others, with `below` authorities between it and the first."""
    from cryptography.x509 import BasicConstraints, ExtensionNotFound

    name = name_of(certificate)
    try:
        constraints = certificate.extensions.get_extension_for_class(BasicConstraints)
    except ExtensionNotFound:
        raise Doubt(f"the certificate {name} may not issue others: it has no basic constraints") from None
    if not constraints.value.ca or not constraints.critical:
        raise Doubt(f"the certificate {name} may not issue others (basic constraints)")
    length = constraints.value.path_length
    if length is not None and length < below:
        raise Doubt(f"the certificate {name} allows {length} authorities below it, there are {below}")
    if not _key_usage(certificate, purpose).key_cert_sign:
        raise Doubt(f"the certificate {name} may not issue others (key usage)")


def _key_usage(certificate: Certificate, purpose: Purpose) -> KeyUsage:
    from cryptography.x509 import ExtensionNotFound, KeyUsage

    try:
        extension: Extension[KeyUsage] = certificate.extensions.get_extension_for_class(KeyUsage)
    except ExtensionNotFound:
        raise Doubt(f"the certificate {name_of(certificate)} does not say what its key is for") from None
    if purpose is Purpose.SIGNING and not extension.critical:
        raise Doubt(f"the key usage of the certificate {name_of(certificate)} is not marked as critical")
    return extension.value
