"""Public keys and signatures: who signed a ledger, checked with the library that is installed.

Ed25519 (RFC 8032) and ECDSA on P-256 with SHA-256 (FIPS 186-5). A signature covers exactly the bytes of the ledger, so
that `openssl` can check it too (docs/formats/bundle.md).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from transload.errors import BundleForeignSignature, KeyInvalid, LedgerTampered
from transload.extras import Extra
from transload.files import local_errors, read_file
from transload.limits import SMALL_JSON_BYTES, SMALL_JSON_VALUES
from transload.strictjson import read_json
from transload.values import frozen

Algorithm = Literal["ed25519", "ecdsa-p256"]

_KEY_FILE_BYTES = 64 << 10
# SubjectPublicKeyInfo (RFC 5280) up to the key itself: RFC 8410 for Ed25519, RFC 5480 for an uncompressed P-256 point.
_DER_PREFIX: dict[Algorithm, bytes] = {
    "ed25519": bytes.fromhex("302a300506032b6570032100"),
    "ecdsa-p256": bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200"),
}
_RAW_BYTES: dict[Algorithm, int] = {"ed25519": 32, "ecdsa-p256": 65}
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]++)-----([A-Za-z0-9+/=\s]*+)-----END \1-----")
_KINDS = "transload knows Ed25519 and ECDSA P-256 keys, as PEM or in the OpenSSH format"


@frozen
class PublicKey:
    """A key to verify with. `raw` are the 32 bytes of Ed25519, or the uncompressed point of P-256."""

    algorithm: Algorithm
    raw: bytes

    @property
    def der(self) -> bytes:
        """As SubjectPublicKeyInfo."""
        return _DER_PREFIX[self.algorithm] + self.raw

    @property
    def pem(self) -> bytes:
        """As the content of a PEM file (RFC 7468), as `load_public_key` and `openssl` read it."""
        return as_pem("PUBLIC KEY", self.der)

    @property
    def key_id(self) -> str:
        """The text that people compare: `sha256:` and the SHA-256 of SubjectPublicKeyInfo in hexadecimal."""
        return f"sha256:{hashlib.sha256(self.der).hexdigest()}"

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether this key made `signature` for `message`. Raises `KeyInvalid`, `PartMissing`."""
        return _checker()(self, message, signature)


@frozen
class Signature:
    """The content of `transload/ledger.sig`."""

    algorithm: str
    key_id: str
    value: bytes

    def encode(self) -> bytes:
        """Canonical JSON on one line."""
        value = base64.b64encode(self.value).decode()
        document = {"algorithm": self.algorithm, "key": self.key_id, "signature": value}
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def decode(cls, raw: bytes) -> Signature:
        """Raises `LedgerTampered`."""
        try:
            document = read_json(raw, limit=SMALL_JSON_BYTES, values=SMALL_JSON_VALUES)
            signature = cls(
                str(document["algorithm"]), str(document["key"]), base64.b64decode(document["signature"], validate=True)
            )
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise LedgerTampered("the signature of the bundle cannot be read") from error
        if signature.encode() != raw:
            raise LedgerTampered("the signature of the bundle does not have the form of a signature")
        return signature


def check_signature(key: PublicKey, ledger: bytes, signature: Signature) -> None:
    """Raises `BundleForeignSignature` if another key signed, `LedgerTampered` if the ledger is not what was signed."""
    if signature.key_id != key.key_id or signature.algorithm != key.algorithm:
        raise BundleForeignSignature(
            f"the bundle is signed with the key {signature.key_id[:80]}, expected {key.key_id}",
            subject=signature.key_id[:80],
            hint="use the public key of whoever made the bundle, if you trust them",
        )
    if not key.verify(ledger, signature.value):
        raise LedgerTampered(
            "the signature does not match the ledger of the bundle",
            subject="transload/ledger.json",
            hint="do not use this bundle: get it again from whoever made it",
        )


def as_pem(label: str, der: bytes) -> bytes:
    """DER between its two lines, in lines of 64 characters (RFC 7468)."""
    text = base64.b64encode(der).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def load_public_key(path: Path) -> PublicKey:
    """Read a public key from a PEM or OpenSSH file. Raises `KeyInvalid`, `LocalError`."""
    with local_errors("reading", path):
        content = read_file(path, _KEY_FILE_BYTES)
    try:
        return parse_public_key(content)
    except KeyInvalid as error:
        raise KeyInvalid(f"{path}: {error}", subject=str(path), hint=error.hint) from error


def parse_public_key(content: bytes) -> PublicKey:
    """A public key from the content of a PEM or OpenSSH file. Raises `KeyInvalid`."""
    text = content.strip()
    if form := _PEM.search(text):
        if form[1] != b"PUBLIC KEY":
            what = form[1].decode("ascii").lower()
            raise KeyInvalid(f"a {what} is not a public key", hint="openssl pkey -in KEY -pubout writes the public key")
        return _from_der(_decoded(form[2]))
    if text.startswith((b"ssh-", b"ecdsa-", b"sk-")):
        return _from_openssh(text)
    raise KeyInvalid("this is not a public key", hint=_KINDS)


def _from_der(der: bytes) -> PublicKey:
    for algorithm, prefix in _DER_PREFIX.items():
        if der.startswith(prefix) and len(der) == len(prefix) + _RAW_BYTES[algorithm]:
            return _made(algorithm, der[len(prefix) :])
    raise KeyInvalid("this is a public key of a kind that bundles are not signed with", hint=_KINDS)


def _from_openssh(line: bytes) -> PublicKey:
    """RFC 4253 section 6.6: each field follows its length; RFC 8709 and RFC 5656 name the fields."""
    words = line.split()
    blob = _decoded(words[1]) if len(words) > 1 else b""
    fields = []
    while len(blob) >= 4:
        length = int.from_bytes(blob[:4])
        fields.append(blob[4 : 4 + length])
        blob = blob[4 + length :]
    match fields:
        case [b"ssh-ed25519", raw]:
            return _made("ed25519", raw)
        case [b"ecdsa-sha2-nistp256", b"nistp256", raw]:
            return _made("ecdsa-p256", raw)
    raise KeyInvalid("this is an OpenSSH key of a kind that bundles are not signed with", hint=_KINDS)


def _made(algorithm: Algorithm, raw: bytes) -> PublicKey:
    if len(raw) != _RAW_BYTES[algorithm] or (algorithm == "ecdsa-p256" and raw[:1] != b"\x04"):
        raise KeyInvalid(f"this {algorithm} key is damaged or compressed", hint=_KINDS)
    return PublicKey(algorithm, raw)


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as error:
        raise KeyInvalid("the key is damaged: it is not base64") from error


Checker = Callable[[PublicKey, bytes, bytes], bool]


def _checker() -> Checker:
    """`cryptography` if it is installed, since it is fast; else `ecdsa`, which is pure Python and runs anywhere."""
    for checker in (with_cryptography, with_ecdsa):
        try:
            return checker()
        except ImportError:
            continue
    raise Extra.SIGN.missing("verifying a signature", "cryptography or ecdsa")


def with_cryptography() -> Checker:
    """Verification by OpenSSL. Raises `ImportError`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.hashes import SHA256

    def check(key: PublicKey, message: bytes, signature: bytes) -> bool:
        try:
            if key.algorithm == "ed25519":
                ed25519.Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, message)
            else:
                point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key.raw)
                point.verify(signature, message, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        except ValueError as error:
            raise KeyInvalid(f"the key {key.key_id} is not valid: it is not a point on its curve") from error
        return True

    return check


def with_ecdsa() -> Checker:
    """Verification in pure Python. Raises `ImportError`."""
    from ecdsa import Ed25519, NIST256p, VerifyingKey  # type: ignore[import-untyped, unused-ignore]
    from ecdsa.der import UnexpectedDER  # type: ignore[import-untyped, unused-ignore]
    from ecdsa.errors import MalformedPointError  # type: ignore[import-untyped, unused-ignore]
    from ecdsa.keys import BadSignatureError  # type: ignore[import-untyped, unused-ignore]
    from ecdsa.util import sigdecode_der  # type: ignore[import-untyped, unused-ignore]

    def check(key: PublicKey, message: bytes, signature: bytes) -> bool:
        try:
            if key.algorithm == "ed25519":
                VerifyingKey.from_string(key.raw, Ed25519).verify(signature, message)
            else:
                point = VerifyingKey.from_string(key.raw, NIST256p, hashlib.sha256)
                point.verify(signature, message, hashlib.sha256, sigdecode_der)
        except (BadSignatureError, UnexpectedDER, ValueError, IndexError):
            return False
        except MalformedPointError as error:
            raise KeyInvalid(f"the key {key.key_id} is not valid: it is not a point on its curve") from error
        return True

    return check
