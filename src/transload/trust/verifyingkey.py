"""Public keys that signatures of images are checked with: which kinds count, and which hashes go with each.

ECDSA on P-256 and P-384 (FIPS 186-5), Ed25519 (RFC 8032), RSA with PKCS #1 v1.5 (RFC 8017), as cosign makes them:
https://docs.sigstore.dev/cosign/key_management/overview/. A kind that nobody should take is refused by name.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, TypeAlias

from transload.errors import KeyInvalid
from transload.extras import Extra
from transload.trust.doubt import Doubt
from transload.values import field, frozen

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

    _Key: TypeAlias = EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey

RSA_BITS = range(2048, 8193)
"""Lengths of an RSA key: shorter ones are weak (NIST SP 800-131A), and longer ones only cost time."""

_KINDS = "keys may be ECDSA P-256 or P-384, Ed25519, or RSA of 2048 to 8192 bits, as PEM: -----BEGIN PUBLIC KEY-----"
_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,60})-----")


@frozen
class VerifyingKey:
    """A public key. `kind` is its name for people; `key_id` is what people compare.

    The key ID is `sha256:` and the SHA-256 of SubjectPublicKeyInfo (RFC 5280) in hexadecimal, as `openssl` computes it.
    """

    kind: str
    key_id: str
    _key: _Key = field(repr=False, eq=False)
    _hashes: tuple[HashAlgorithm | None, ...] = field(repr=False, eq=False)

    def made(self, signature: bytes, message: bytes) -> bool:
        """Whether this key made `signature` for `message`."""
        return any(_holds(self._key, signature, message, algorithm) for algorithm in self._hashes)

    def made_for_digest(self, signature: bytes, sha256: bytes) -> bool:
        """Whether this key made `signature` for a message with this SHA-256. Raises `Doubt` if that cannot be told."""
        from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
        from cryptography.hazmat.primitives.hashes import SHA256

        if not any(isinstance(algorithm, SHA256) for algorithm in self._hashes):
            raise Doubt(f"a signature by {self.kind} cannot be checked from the digest of the image alone")
        return _holds(self._key, signature, sha256, Prehashed(SHA256()))


def read_verifying_key(content: bytes, file: str) -> VerifyingKey:
    """The public key in a PEM file. Raises `KeyInvalid` for anything else, `PartMissing` without `cryptography`."""
    _check_label(content, file)
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization
    except ImportError as error:
        raise Extra.TRUST.missing("checking signatures", "cryptography") from error
    try:
        key = serialization.load_pem_public_key(content)
        spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyInvalid(f"{file}: the key is damaged, or of an unknown kind", subject=file, hint=_KINDS) from None
    return _accepted(key, f"sha256:{hashlib.sha256(spki).hexdigest()}", file)


def _check_label(content: bytes, file: str) -> None:
    labels = _LABEL.findall(content)
    if len(labels) > 1:
        raise KeyInvalid(f"{file}: it holds {len(labels)} keys", subject=file, hint="put each in a file of its own")
    label = labels[0].decode() if labels else ""
    if "PRIVATE KEY" in label:
        hint = "give the public key (cosign public-key --key FILE writes it), and keep this file secret"
        raise KeyInvalid(f"{file}: this is a private key", subject=file, hint=hint)
    if not label.endswith("PUBLIC KEY"):
        found = f"it holds a {label.lower()}" if label else "it is not PEM"
        raise KeyInvalid(f"{file}: this is not a public key: {found}", subject=file, hint=_KINDS)


def _accepted(key: PublicKeyTypes, key_id: str, file: str) -> VerifyingKey:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.hashes import SHA256, SHA384

    if isinstance(key, ed25519.Ed25519PublicKey):
        return VerifyingKey("Ed25519", key_id, key, (None,))
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return VerifyingKey("ECDSA P-256", key_id, key, (SHA256(),))
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1):
        return VerifyingKey("ECDSA P-384", key_id, key, (SHA384(), SHA256()))  # cosign's tags have SHA-256
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in RSA_BITS:
        return VerifyingKey(f"RSA {key.key_size}", key_id, key, (SHA256(),))
    raise KeyInvalid(f"{file}: a key of the kind {_kind_of(key)} is not accepted", subject=file, hint=_KINDS)


def _kind_of(key: PublicKeyTypes) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA {key.curve.name}"
    return type(key).__name__.strip("_").removesuffix("PublicKey")


def _holds(key: _Key, signature: bytes, message: bytes, algorithm: HashAlgorithm | Prehashed | None) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    try:
        if isinstance(key, rsa.RSAPublicKey) and algorithm:
            key.verify(signature, message, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm:
            key.verify(signature, message, ec.ECDSA(algorithm))
        elif not isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)):
            key.verify(signature, message)
    except InvalidSignature:
        return False
    return True
