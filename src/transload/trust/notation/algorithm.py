"""Which algorithm a key signs with, and whether a signature is its own (signature-specification.md, "Algorithms")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transload.trust.doubt import Doubt
from transload.trust.notation.envelope import Envelope

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

# The size of the key decides; an envelope that names another algorithm is refused.
_RSA = {2048: "PS256", 3072: "PS384", 4096: "PS512"}
_EC = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


def check_signature(envelope: Envelope, key: CertificatePublicKeyTypes) -> None:
    """Raise `Doubt` unless the envelope's signature was made with this key, by the key's own algorithm."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    algorithm = algorithm_of(key)
    if envelope.algorithm != algorithm:
        raise Doubt(f"its algorithm is {envelope.algorithm}, and its key signs with {algorithm}")
    if isinstance(key, rsa.RSAPublicKey):
        _check_pss(envelope, key)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        _check_ecdsa(envelope, key)


def algorithm_of(key: CertificatePublicKeyTypes) -> str:
    """The name in JWS of the algorithm that a key signs with. Raises `Doubt` for keys that may not sign."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, rsa.RSAPublicKey):
        algorithm, kind = _RSA.get(key.key_size), f"RSA {key.key_size}"
    elif isinstance(key, ec.EllipticCurvePublicKey):
        algorithm, kind = _EC.get(key.curve.name), f"EC {key.curve.name}"
    else:
        algorithm, kind = None, type(key).__name__.removesuffix("PublicKey").lstrip("_")
    if algorithm is None:
        raise Doubt(f"its key is {kind}; keys that sign are RSA 2048, 3072 or 4096, or EC P-256, P-384 or P-521")
    return algorithm


def _check_pss(envelope: Envelope, key: rsa.RSAPublicKey) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding

    hash_of = _hash(envelope.algorithm)
    pss = padding.PSS(padding.MGF1(hash_of), hash_of.digest_size)  # RFC 7518, 3.5: the salt is as long as the hash
    try:
        key.verify(envelope.signature, envelope.signed, pss, hash_of)
    except InvalidSignature:
        raise _altered() from None


def _check_ecdsa(envelope: Envelope, key: ec.EllipticCurvePublicKey) -> None:
    """ECDSA as RFC 7518, 3.4, and RFC 9053, 2.1, write it: both numbers one after the other, as long as the curve."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    length = (key.key_size + 7) // 8
    if len(envelope.signature) != 2 * length:
        raise Doubt(f"its signature has {len(envelope.signature)} bytes, not {2 * length}")
    r, s = (int.from_bytes(part, "big") for part in (envelope.signature[:length], envelope.signature[length:]))
    try:
        key.verify(encode_dss_signature(r, s), envelope.signed, ec.ECDSA(_hash(envelope.algorithm)))
    except InvalidSignature:
        raise _altered() from None


def _hash(algorithm: str) -> HashAlgorithm:
    from cryptography.hazmat.primitives import hashes

    return {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[algorithm[-3:]]


def _altered() -> Doubt:
    return Doubt("its signature does not fit its content: one of them was altered, or another key made it")
