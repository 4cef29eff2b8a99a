"""A Sigstore of the tests' own: an authority for certificates, its log, a log of signatures, and a `trusted_root.json`.

What Fulcio, Rekor and the log of certificates write, as their pages and RFC 6962 have it, with keys made here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_SCTS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ECDSA = ec.ECDSA(SHA256())
_ORIGIN = "log.example"


class OwnSigstore:
    """Signs images as somebody for whom `issuer` vouches, at the time `now`."""

    def __init__(self, now: datetime) -> None:
        self.now = now.replace(microsecond=0)
        self._authority, self._certificates, self._log = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        self._root = self._certificate(self._authority.public_key(), "root.example", None)

    def trusted_root(self) -> bytes:
        """The `trusted_root.json` that a site would carry."""
        log = {"baseUrl": "https://log.example", "hashAlgorithm": "SHA2_256"}
        document = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [{**log, **self._key(self._log)}],
            "ctlogs": [{**log, **self._key(self._certificates)}],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "tests", "commonName": "root.example"},
                    "uri": "https://ca.example",
                    "certChain": {"certificates": [{"rawBytes": _text(self._root.public_bytes(Encoding.DER))}]},
                    "validFor": self._since,
                }
            ],
            "timestampAuthorities": [],
        }
        return json.dumps(document).encode()

    def signed(self, manifest: bytes, identity: str, issuer: str) -> bytes:
        """A Sigstore bundle in which `identity` signs the manifest of an image."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._logged(key.public_key(), identity, issuer)
        signature = key.sign(manifest, _ECDSA)
        digest = hashlib.sha256(manifest)
        pem = certificate.public_bytes(Encoding.PEM)
        body = {
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": digest.hexdigest()}},
                "signature": {"content": _text(signature), "publicKey": {"content": _text(pem)}},
            },
        }
        document = {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": _text(certificate.public_bytes(Encoding.DER))},
                "tlogEntries": [self._entry(_canonical(body))],
                "timestampVerificationData": {"rfc3161Timestamps": []},
            },
            "messageSignature": {
                "messageDigest": {"algorithm": "SHA2_256", "digest": _text(digest.digest())},
                "signature": _text(signature),
            },
        }
        return json.dumps(document).encode()

    # --- the log of signatures, of which each entry is the only one

    def _entry(self, body: bytes) -> dict[str, Any]:
        when, identifier = int(self.now.timestamp()), _identifier(self._log)
        promised = {"body": _text(body), "integratedTime": when, "logID": identifier.hex(), "logIndex": 0}
        root = hashlib.sha256(b"\0" + body).digest()
        note = f"{_ORIGIN}\n1\n{_text(root)}\n"
        by = _text(identifier[:4] + self._log.sign(note.encode(), _ECDSA))
        return {
            "logIndex": "0",
            "logId": {"keyId": _text(identifier)},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.1"},
            "integratedTime": str(when),
            "inclusionPromise": {"signedEntryTimestamp": _text(self._log.sign(_canonical(promised), _ECDSA))},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": _text(root),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": f"{note}\n\N{EM DASH} {_ORIGIN} {by}\n"},
            },
            "canonicalizedBody": _text(body),
        }

    # --- certificates

    def _logged(self, key: ec.EllipticCurvePublicKey, identity: str, issuer: str) -> x509.Certificate:
        """A certificate with the promise of the log of certificates, which covers all but the promise itself."""
        unlogged = self._certificate(key, identity, issuer, self._promise(b""))
        return self._certificate(
            key, identity, issuer, self._promise(unlogged.tbs_precertificate_bytes), unlogged.serial_number
        )

    def _promise(self, covered: bytes) -> bytes:
        """RFC 6962, 3.2 and 3.3: a list of one signed certificate timestamp."""
        when = struct.pack(">Q", int(self.now.timestamp() * 1000))
        issuer = hashlib.sha256(_spki(self._authority)).digest()
        said = b"\0\0" + when + b"\0\1" + issuer + len(covered).to_bytes(3, "big") + covered + b"\0\0"
        signature = self._certificates.sign(said, _ECDSA)
        one = b"\0" + _identifier(self._certificates) + when + b"\0\0" + b"\4\3" + _long(signature)
        listed = _long(_long(one))
        assert len(listed) < 128, "an OCTET STRING has its length in one byte"
        return bytes([4, len(listed)]) + listed

    def _certificate(
        self,
        key: ec.EllipticCurvePublicKey,
        name: str,
        issuer: str | None,
        promise: bytes | None = None,
        serial: int | None = None,
    ) -> x509.Certificate:
        root = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root.example")])
        builder = (
            x509.CertificateBuilder()
            .issuer_name(root)
            .subject_name(root if issuer is None else x509.Name([]))
            .public_key(key)
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(self.now - timedelta(minutes=5))
            .not_valid_after(self.now + timedelta(minutes=10))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
            .add_extension(_usage(is_root=issuer is None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._authority.public_key()), critical=False
            )
        )
        if issuer is not None and promise is not None:
            said = issuer.encode()
            names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(name)])
            builder = (
                builder.add_extension(names, critical=True)
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
                .add_extension(x509.UnrecognizedExtension(_ISSUER, bytes([12, len(said)]) + said), critical=False)
                .add_extension(x509.UnrecognizedExtension(_SCTS, promise), critical=False)
            )
        return builder.sign(self._authority, SHA256())

    @property
    def _since(self) -> dict[str, str]:
        return {"start": f"{self.now - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"}

    def _key(self, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
        return {
            "publicKey": {
                "rawBytes": _text(_spki(key)),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": self._since,
            },
            "logId": {"keyId": _text(_identifier(key))},
        }


def _usage(*, is_root: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_root,
        crl_sign=is_root,
        encipher_only=False,
        decipher_only=False,
    )


def _spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _identifier(key: ec.EllipticCurvePrivateKey) -> bytes:
    """RFC 6962, 3.2: the identifier of a log."""
    return hashlib.sha256(_spki(key)).digest()


def _long(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _canonical(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def just_now() -> datetime:
    """A time that is over, so that nothing lies in the future."""
    return datetime.now(UTC) - timedelta(seconds=5)
