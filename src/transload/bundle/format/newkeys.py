"""New private keys, and private keys as PEM files: PKCS #8, encrypted with a passphrase or not.

`cryptography` draws the keys and encrypts. It writes PKCS #8 with 2048 rounds of PBKDF2, too few against somebody who
has the file and guesses passphrases, and has no setting for it. So the structure around the encrypted key (RFC 8018
section 6.2 and appendix A) is written here; `openssl` and `cryptography` read it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from transload.bundle.format.keys import Algorithm, as_pem
from transload.bundle.format.signing import check_library, passphrase_bytes
from transload.errors import UsageError

if TYPE_CHECKING:
    from transload.bundle.format.signing import PrivateKey

ROUNDS = 600_000  # of PBKDF2 with HMAC-SHA-256, as OWASP advises since 2023
_PASSPHRASE_BYTES = 1023  # openssl asks for no longer one
_AES_BLOCK_BYTES = 16

# Object identifiers in DER: RFC 8018 appendix A, RFC 8018 appendix B.1.2, NIST's list of AES modes.
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("06082a864886f70d0209")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")
_NULL = bytes.fromhex("0500")
_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30


def new_private_key(algorithm: Algorithm) -> PrivateKey:
    """A new key from the operating system's random numbers. Raises `PartMissing`."""
    check_library()
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if algorithm == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def check_passphrase(passphrase: str) -> None:
    """Raises `UsageError` for a passphrase that protects nothing, or that other programs could not be given."""
    if not passphrase:
        raise UsageError("the passphrase is empty", hint="choose one; --no-passphrase writes a key without")
    if len(passphrase_bytes(passphrase)) > _PASSPHRASE_BYTES:
        raise UsageError(f"the passphrase has more than {_PASSPHRASE_BYTES} bytes", hint="choose a shorter one")


def private_pem(key: PrivateKey, passphrase: str | None) -> bytes:
    """The content of a key's file: PKCS #8 (RFC 5958) as PEM, encrypted unless `passphrase` is None.

    Raises `UsageError` for a passphrase that is empty or too long.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    if passphrase is None:
        return as_pem("PRIVATE KEY", plain)
    check_passphrase(passphrase)
    salt, vector = os.urandom(16), os.urandom(_AES_BLOCK_BYTES)
    sealed = _encrypted(plain, passphrase_bytes(passphrase), salt, vector)
    return as_pem("ENCRYPTED PRIVATE KEY", _sequence(_scheme(salt, vector), _der(_OCTETS, sealed)))


def _encrypted(plain: bytes, passphrase: bytes, salt: bytes, vector: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
    from cryptography.hazmat.primitives.padding import PKCS7

    key = PBKDF2HMAC(SHA256(), length=32, salt=salt, iterations=ROUNDS).derive(passphrase)
    padder, cipher = PKCS7(8 * _AES_BLOCK_BYTES).padder(), Cipher(algorithms.AES256(key), modes.CBC(vector)).encryptor()
    return cipher.update(padder.update(plain) + padder.finalize()) + cipher.finalize()


def _scheme(salt: bytes, vector: bytes) -> bytes:
    """PBES2-params: how the key follows from the passphrase, and how it encrypts."""
    rounds = ROUNDS.to_bytes(ROUNDS.bit_length() // 8 + 1)
    derivation = _sequence(_der(_OCTETS, salt), _der(_INTEGER, rounds), _sequence(_HMAC_SHA256, _NULL))
    encryption = _sequence(_AES_256_CBC, _der(_OCTETS, vector))
    return _sequence(_PBES2, _sequence(_sequence(_PBKDF2, derivation), encryption))


def _sequence(*parts: bytes) -> bytes:
    return _der(_SEQUENCE, b"".join(parts))


def _der(kind: int, content: bytes) -> bytes:
    """ITU-T X.690 section 8.1.3: a length below 128 is one byte; a longer one follows the count of its bytes."""
    size = len(content)
    if size < 128:
        return bytes([kind, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([kind, 0x80 | len(length)]) + length + content
