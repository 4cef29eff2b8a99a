"""Keys, certificates and signatures of notation, made here: right ones, and wrong ones of each kind."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import cbor2
from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.unit.trust.notation.signatures import COSE, JOSE, MANIFEST, signature
from transload.oci import Descriptor, Digest
from transload.trust.evidence import Evidence, Subject

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PAYLOAD_TYPE = "application/vnd.cncf.notary.payload.v1+json"
SUBJECT = Subject(descriptor=Descriptor(MANIFEST, Digest.of(b"image"), 5))

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "P-224": ec.SECP224R1()}


@cache
def key(kind: str, number: int = 0) -> Key:
    """A key of a kind such as `P-256` or `2048`; the same for the same number, since RSA takes long to make."""
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(_CURVES[kind]) if kind in _CURVES else rsa.generate_private_key(65537, int(kind))


def name(common: str, *units: str) -> x509.Name:
    """C=US, ST=WA, O=Example, and this common name."""
    texts = [
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.STATE_OR_PROVINCE_NAME, "WA"),
        (NameOID.ORGANIZATION_NAME, "Example"),
    ]
    texts += [(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in units]
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in [*texts, (NameOID.COMMON_NAME, common)]])


def usage(*kinds: str) -> x509.KeyUsage:
    """A key usage of these kinds only."""
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only"
    )
    return x509.KeyUsage(**{kind: kind in kinds for kind in names.split()})


@frozen
class Holder:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


SIGNS: tuple[tuple[x509.ExtensionType, bool], ...] = (
    (usage("digital_signature"), True),
    (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False),
)
ISSUES: tuple[tuple[x509.ExtensionType, bool], ...] = (
    (x509.BasicConstraints(True, None), True),
    (usage("key_cert_sign"), True),
)


def issued(
    subject: str | x509.Name,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = SIGNS,
    *,
    by: Holder | None = None,
    kind: str = "P-256",
    days: tuple[int, int] = (-10, 10),
) -> Holder:
    """A certificate, by itself or by another, valid for these days around `NOW`."""
    subject = name(subject) if isinstance(subject, str) else subject
    own = key(kind, hash(subject.rfc4514_string()))
    issuer, issuing = (by.certificate.subject, by.key) if by else (subject, own)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + days[0] * DAY)
        .not_valid_after(NOW + days[1] * DAY)
    )
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, is_critical)
    return Holder(
        builder.sign(issuing, None if isinstance(issuing, ed25519.Ed25519PrivateKey) else hashes.SHA256()), own
    )


ROOT = issued("root", ISSUES)
MIDDLE = issued("middle", ISSUES, by=ROOT)
SIGNER = issued("signer", by=ROOT)

# `openssl req -x509 -sha1 -days 36500`: cryptography makes none.
SHA1_ROOT = x509.load_pem_x509_certificate(b"""\
-----BEGIN CERTIFICATE-----
MIIB1jCCAXygAwIBAgIUU+1Przv+/NYaUAe5hLR7+YzxYmkwCQYHKoZIzj0EATBA
MQswCQYDVQQGEwJVUzELMAkGA1UECAwCV0ExEDAOBgNVBAoMB0V4YW1wbGUxEjAQ
BgNVBAMMCXNoYTEgcm9vdDAgFw0yNjExMjcwNzAwMDBaGA8yMTI2MTEwMzA3MDAw
MFowQDELMAkGA1UEBhMCVVMxCzAJBgNVBAgMAldBMRAwDgYDVQQKDAdFeGFtcGxl
MRIwEAYDVQQDDAlzaGExIHJvb3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASg
T7dv5OBimcJgjDbaHoU0h/tWx6B77oJXH+dgvL6tVHTanRegjTNlLjklJqHauPnk
ychRFCkINBPnKKioGaGAo1MwUTAdBgNVHQ4EFgQUfeArLIk1Nc2250D8yLdnUdK4
X9EwHwYDVR0jBBgwFoAUfeArLIk1Nc2250D8yLdnUdK4X9EwDwYDVR0TAQH/BAUw
AwEB/zAJBgcqhkjOPQQBA0kAMEYCIQDP5JfqayThZIqzc6rHbZiJ3Aag4anyGfFG
FNYc9YjFkAIhAKTh9wCMIE/xPeCJxNp7zZ5eHDvAK1qJUTaMRIaK1Rui
-----END CERTIFICATE-----
""").public_bytes(Encoding.DER)

_ALGORITHMS = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "2048": "PS256", "3072": "PS384", "4096": "PS512"}
_COSE = {"ES256": -7, "ES384": -35, "ES512": -36, "PS256": -37, "PS384": -38, "PS512": -39}


def algorithm(own: Key) -> str:
    """The name in JWS of the algorithm of a key, as far as it has one."""
    if isinstance(own, ed25519.Ed25519PrivateKey):
        return "EdDSA"
    kind = f"P-{own.key_size}" if isinstance(own, ec.EllipticCurvePrivateKey) else str(own.key_size)
    return _ALGORITHMS.get(kind, "PS256" if isinstance(own, rsa.RSAPrivateKey) else "ES256")


def sign(own: Key, content: bytes) -> bytes:
    """The signature as JWS and COSE write it."""
    if isinstance(own, ed25519.Ed25519PrivateKey):
        return own.sign(content)
    hashing = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[algorithm(own)[-3:]]
    if isinstance(own, rsa.RSAPrivateKey):
        return own.sign(content, padding.PSS(padding.MGF1(hashing), hashing.digest_size), hashing)
    length = (own.key_size + 7) // 8
    return b"".join(
        number.to_bytes(length, "big") for number in decode_dss_signature(own.sign(content, ec.ECDSA(hashing)))
    )


def payload(descriptor: Descriptor = SUBJECT.descriptor, **changes: object) -> bytes:
    """The payload for an image, with changes to its descriptor."""
    return json.dumps({"targetArtifact": descriptor.to_json() | changes}).encode()


def headers(scheme: str = "notary.x509", *, signed: datetime = NOW, expiry: datetime | None = None) -> dict[str, Any]:
    """The protected headers but for the algorithm, with times as `datetime`."""
    time = "signingTime" if scheme == "notary.x509" else "authenticSigningTime"
    found: dict[str, Any] = {
        "cty": PAYLOAD_TYPE,
        "io.cncf.notary.signingScheme": scheme,
        f"io.cncf.notary.{time}": signed,
        "crit": ["io.cncf.notary.signingScheme"],
    }
    if time == "authenticSigningTime":
        found["crit"].append("io.cncf.notary.authenticSigningTime")
    if expiry:
        found["crit"].append("io.cncf.notary.expiry")
        found["io.cncf.notary.expiry"] = expiry
    return found


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def jws(
    signer: Holder = SIGNER,
    chain: Sequence[bytes] | None = None,
    protected: dict[str, Any] | None = None,
    content: bytes | None = None,
    stamp: bytes | None = None,
) -> bytes:
    """An envelope in JWS; the chain is the signer and `ROOT` unless another is given."""
    values = {"alg": algorithm(signer.key)} | (protected or headers())
    texts = {label: f"{value:%FT%TZ}" if isinstance(value, datetime) else value for label, value in values.items()}
    first, second = base64url(json.dumps(texts).encode()), base64url(payload() if content is None else content)
    certificates = [signer.der, ROOT.der] if chain is None else chain
    unprotected: dict[str, object] = {"x5c": [base64.b64encode(der).decode() for der in certificates]}
    own = sign(signer.key, f"{first}.{second}".encode())
    if stamp is not None:
        unprotected["io.cncf.notary.timestampSignature"] = base64.b64encode(stamp).decode()
    return json.dumps(
        {"payload": second, "protected": first, "header": unprotected, "signature": base64url(own)}
    ).encode()


def cose(
    signer: Holder = SIGNER,
    chain: Sequence[bytes] | None = None,
    protected: dict[str, Any] | None = None,
    content: bytes | None = None,
) -> bytes:
    """An envelope in COSE, with the same meaning as `jws`."""
    labels: dict[str, object] = {"alg": 1, "crit": 2, "cty": 3}
    name_of = algorithm(signer.key)
    values = {"alg": _COSE.get(name_of, name_of)} | (protected or headers())
    encoded = {
        labels.get(label, label): cbor2.CBORTag(1, int(value.timestamp())) if isinstance(value, datetime) else value
        for label, value in values.items()
    }
    first, second = cbor2.dumps(encoded), payload() if content is None else content
    own = sign(signer.key, cbor2.dumps(["Signature1", first, b"", second]))
    certificates = [signer.der, ROOT.der] if chain is None else list(chain)
    return cbor2.dumps(cbor2.CBORTag(18, [first, {33: certificates}, second, own]))


def made(form: str, *arguments: Any, **options: Any) -> Evidence:
    """The evidence of an envelope, `jws` or `cose`."""
    content = {"jws": jws, "cose": cose}[form](*arguments, **options)
    return signature(content, JOSE if form == "jws" else COSE)
