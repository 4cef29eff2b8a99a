"""Private keys: signs a ledger with `cryptography`, which is an optional part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from transload.bundle.format.keys import PublicKey, Signature, load_public_key
from transload.errors import KeyInvalid, PartMissing
from transload.extras import Extra
from transload.files import local_errors, read_file
from transload.values import field, frozen

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.hazmat.primitives.serialization import SSHPrivateKeyTypes

    PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

__all__ = ["PublicKey", "Signer", "load_private_key", "load_public_key"]

KEY_FILE_BYTES = 64 << 10
OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_KINDS = "transload knows Ed25519 and ECDSA P-256 keys, as PEM or in the OpenSSH format"

Passphrase = Callable[[], str]
"""Asks for the passphrase of a key; called only if the key has one."""


@frozen
class Signer:
    """A private key. Calling it with a ledger gives the content of `ledger.sig`, as `lay_out` needs it."""

    public: PublicKey
    sign: Callable[[bytes], bytes] = field(repr=False)
    """Signs bytes: 64 bytes for Ed25519, DER for ECDSA."""

    @property
    def key_id(self) -> str:
        """The text that people compare: `sha256:` and the SHA-256 of the public key in hexadecimal; see `PublicKey`."""
        return self.public.key_id

    def __call__(self, ledger: bytes) -> bytes:
        """The content of `ledger.sig` for this ledger."""
        return Signature(self.public.algorithm, self.key_id, self.sign(ledger)).encode()


def load_private_key(path: Path, passphrase: Passphrase | None = None) -> Signer:
    """Read a private key from a PEM (PKCS #8, SEC 1) or OpenSSH file.

    Raises `PartMissing` without `cryptography`, `KeyInvalid` for a file that is no such key, a missing `passphrase` or
    a wrong one, and `LocalError`.
    """
    with local_errors("reading", path):
        content = read_file(path, KEY_FILE_BYTES)
    return signer_of(parse_private_key(content, path, passphrase))


def check_library() -> None:
    """Raises `PartMissing` without `cryptography`."""
    try:
        import cryptography.hazmat.primitives.serialization  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise Extra.SIGN.missing("signing", "cryptography") from error


def parse_private_key(content: bytes, path: Path, passphrase: Passphrase | None = None) -> PrivateKey:
    """The private key in the content of the file at `path`. Raises as `load_private_key` does."""
    check_library()
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    key = _loaded(path, content, passphrase)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise KeyInvalid(
        f"{path} is a private key of a kind that bundles are not signed with", subject=str(path), hint=_KINDS
    )


def _loaded(path: Path, content: bytes, passphrase: Passphrase | None) -> PrivateKeyTypes | SSHPrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    ssh = content.lstrip().startswith(OPENSSH)
    load = serialization.load_ssh_private_key if ssh else serialization.load_pem_private_key
    try:
        return load(content, None)
    except TypeError:  # what both say when the key is encrypted
        secret = passphrase() if passphrase else None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyInvalid(f"{path} is not a private key", subject=str(path), hint=_KINDS) from error
    if secret is None:
        raise KeyInvalid(f"{path} is protected by a passphrase, and none was given", subject=str(path))
    try:
        return load(content, passphrase_bytes(secret))
    except UnsupportedAlgorithm as error:
        raise PartMissing(f"decrypting {path}: {error}", hint="install it: python3 -m pip install bcrypt") from error
    except (ValueError, TypeError) as error:
        raise KeyInvalid(f"the passphrase of {path} is wrong", subject=str(path)) from error


def passphrase_bytes(passphrase: str) -> bytes:
    """As `openssl` takes it from the same terminal or variable: UTF-8, and bytes that are none as they are."""
    return passphrase.encode("utf-8", "surrogateescape")


def signer_of(key: PrivateKey) -> Signer:
    """A private key as a signer of bundles."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Signer(PublicKey("ed25519", key.public_key().public_bytes_raw()), key.sign)
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return Signer(PublicKey("ecdsa-p256", point), lambda message: _ecdsa(key, message))


def _ecdsa(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Deterministic if the library can (RFC 6979), so that packing the same content twice gives the same bytes."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        return key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))
    except (TypeError, UnsupportedAlgorithm):
        return key.sign(message, ec.ECDSA(SHA256()))
