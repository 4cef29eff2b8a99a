"""What the owner of a key has signed, in the forms that cosign writes: accepted, and refused by name."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.trust.evidences import bundle_evidence, evidence, policy_value
from transload.errors import DocumentInvalid, KeyInvalid, LocalError, PartMissing
from transload.oci import Descriptor, Digest
from transload.trust import dsse, simplesigning
from transload.trust.cosignkey import CosignKey, read_cosign_key
from transload.trust.evidence import Evidence, Finding, Form, Subject
from transload.trust.policyfolder import PolicyFolder
from transload.trust.predicate import COSIGN_SIGNATURE, WantedPredicate
from transload.trust.verifyingkey import read_verifying_key

NOW = datetime(2026, 11, 27, tzinfo=UTC)
MANIFEST = b'{"schemaVersion":2}'
IMAGE = Descriptor("application/vnd.oci.image.manifest.v1+json", Digest.of(MANIFEST), len(MANIFEST))
SUBJECT = Subject(descriptor=IMAGE, names=("registry.example/vendor/image", "mirror.example/vendor/image"))
SBOM = "https://spdx.dev/Document"

Sign = Callable[[bytes], bytes]


def pem(key: Any) -> bytes:
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    content: bytes = key.public_key().public_bytes(serialization.Encoding.PEM, public)
    return content


def signing(kind: str) -> tuple[bytes, Sign]:
    """The public key, and what signs with the private one."""
    if kind == "ed25519":
        edwards = ed25519.Ed25519PrivateKey.generate()
        return pem(edwards), edwards.sign
    if kind.startswith("rsa"):
        rivest = rsa.generate_private_key(65537, int(kind[3:]))
        return pem(rivest), lambda message: rivest.sign(message, padding.PKCS1v15(), hashes.SHA256())
    curve, algorithm = {
        "p256": (ec.SECP256R1(), hashes.SHA256()),
        "p384": (ec.SECP384R1(), hashes.SHA384()),
        "p384-sha256": (ec.SECP384R1(), hashes.SHA256()),
    }[kind]
    elliptic = ec.generate_private_key(curve)
    return pem(elliptic), lambda message: elliptic.sign(message, ec.ECDSA(algorithm))


PUBLIC, SIGN = signing("p256")
KEY = CosignKey("cosign.pub", read_verifying_key(PUBLIC, "cosign.pub"))


def payload(digest: object = IMAGE.digest, reference: object = SUBJECT.names[0], kind: object = None) -> bytes:
    critical = {
        "identity": {"docker-reference": reference},
        "image": {"docker-manifest-digest": digest},
        "type": kind or "cosign container image signature",
    }
    return json.dumps({"critical": critical, "optional": None}).encode()


def simple(content: bytes, sign: Sign = SIGN, signature: str | None = None) -> Evidence:
    made = base64.b64encode(sign(content)).decode() if signature is None else signature
    annotations = {simplesigning.SIGNATURE_ANNOTATION: made}
    return evidence(Form.COSIGN_TAG, simplesigning.MEDIA_TYPE, content, annotations)


def statement(kind: str = COSIGN_SIGNATURE, digest: str = IMAGE.digest.encoded, **others: object) -> bytes:
    document = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": digest}}],
        "predicateType": kind,
        "predicate": {},
    }
    return json.dumps(document | others).encode()


def envelope(content: bytes, sign: Sign = SIGN, kind: str = dsse.IN_TOTO) -> dsse.Envelope:
    return dsse.Envelope(kind, content, (dsse.EnvelopeSignature(sign(dsse.pae(kind, content))),))


def attestation(content: bytes, sign: Sign = SIGN) -> Evidence:
    return evidence(Form.COSIGN_TAG, dsse.MEDIA_TYPE, envelope(content, sign).encode())


def bundle(**content: object) -> Evidence:
    document = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "x"}},
    }
    return bundle_evidence(json.dumps(document | content).encode())


def message_bundle(signature: bytes, digest: bytes = bytes.fromhex(IMAGE.digest.encoded)) -> Evidence:
    stated = {"algorithm": "SHA2_256", "digest": base64.b64encode(digest).decode()}
    return bundle(messageSignature={"messageDigest": stated, "signature": base64.b64encode(signature).decode()})


def dsse_bundle(content: bytes, sign: Sign = SIGN) -> Evidence:
    return bundle(dsseEnvelope=json.loads(envelope(content, sign).encode()))


def judged(given: Evidence, subject: Subject = SUBJECT, key: CosignKey = KEY) -> Finding:
    return key.judge(subject, given, NOW)


# --- what holds


@pytest.mark.parametrize("kind", ["p256", "p384", "p384-sha256", "ed25519", "rsa2048", "rsa4096"])
def test_every_kind_of_key_that_counts_is_checked_in_every_form(kind: str) -> None:
    public, sign = signing(kind)
    key = CosignKey("k", read_verifying_key(public, "k"))
    for signed in (simple(payload(), sign), attestation(statement(), sign), dsse_bundle(statement(), sign)):
        finding = judged(signed, key=key)
        assert finding.problem is None
        assert finding.signer == f"key {key.key.key_id}"
        assert finding.signed_at is None  # a key proves no time
    wrong = judged(simple(payload(), SIGN), key=key)
    assert wrong.problem == "it was not made with this key, or what it signs was changed"
    assert wrong.signer is None


@pytest.mark.parametrize("kind", ["p256", "p384-sha256", "rsa2048"])
def test_a_signature_of_the_manifest_is_checked_by_its_digest(kind: str) -> None:
    public, sign = signing(kind)
    key = CosignKey("k", read_verifying_key(public, "k"))
    assert judged(message_bundle(sign(MANIFEST)), key=key).holds
    assert "not made with this key" in str(judged(message_bundle(sign(b"other")), key=key).problem)


def test_ed25519_cannot_be_checked_by_digest_and_that_is_said() -> None:
    public, sign = signing("ed25519")
    finding = judged(message_bundle(sign(MANIFEST)), key=CosignKey("k", read_verifying_key(public, "k")))
    assert finding.problem == "a signature by Ed25519 cannot be checked from the digest of the image alone"


@pytest.mark.parametrize(
    "reference",
    [
        "registry.example/vendor/image",
        "registry.example/vendor/image:1.2",
        "mirror.example/vendor/image@" + IMAGE.digest,
        "",
    ],
)
def test_the_repository_that_a_payload_names_may_be_any_name_of_the_image(reference: str) -> None:
    assert judged(simple(payload(reference=reference))).problem is None


def test_docker_hub_has_several_names() -> None:
    hub = evolve(SUBJECT, names=("docker.io/library/ubuntu",))
    assert judged(simple(payload(reference="index.docker.io/library/ubuntu")), hub).problem is None


def test_an_image_whose_names_are_not_known_is_compared_by_digest_alone() -> None:
    assert judged(simple(payload(reference="other.example/x")), evolve(SUBJECT, names=())).holds


# --- what does not


@pytest.mark.parametrize(
    ("signed", "why"),
    [
        (simple(payload(digest=Digest.of(b"other"))), "it signs another image: 'sha256:"),
        (
            simple(payload(reference="registry.example/vendor/test")),
            "under another name: 'registry.example/vendor/test'",
        ),
        (simple(payload(reference="registry.example/vendor/image/x")), "under another name"),
        (simple(payload(reference="not a reference\x1b[31m")), "under another name: 'not a reference\\x1b[31m'"),
        (simple(payload(reference=7)), "its docker-reference is not a text"),
        (simple(payload(digest=7)), "its docker-manifest-digest is missing, or not a text"),
        (simple(payload(kind="atomic container signature")), "not a signature of an image"),
        (simple(b"[]"), "the payload is not an object"),
        (simple(b'{"critical":{}, "critical":{}}'), "has the key 'critical' twice"),
        (simple(b"[" * 5000), "cannot be read as JSON"),
        (simple(b""), "it is empty"),
        (simple(payload(), signature="!!!"), "its signature is not base64"),
        (simple(payload(), signature="é"), "its signature is not base64"),
        (simple(payload(), signature=""), "its signature is missing"),
        (simple(payload(), signature="AAAA"), "it was not made with this key"),
        (evidence(Form.COSIGN_TAG, simplesigning.MEDIA_TYPE, payload()), "its signature is missing"),
        (evidence(Form.COSIGN_TAG, "text/plain", payload()), "a key cannot check text/plain"),
        (evidence(Form.NOTATION, "application/jose+json", b"{}"), "a key cannot check application/jose+json"),
        (attestation(statement(digest="0" * 64)), "it signs another image: 'sha256:000"),
        (attestation(statement(subject=[])), "nothing with a digest"),
        (attestation(statement(subject={})), "statement.subject: expected a list"),
        (attestation(statement(subject=[{"digest": {"sha1": "0" * 40}}])), "nothing with a digest"),
        (attestation(statement(_type="x")), "statement._type: expected https://in-toto.io/Statement/v1, found 'x'"),
        (attestation(statement(SBOM)), f"it is an attestation of the type '{SBOM}', not a signature of the image"),
        (evidence(Form.COSIGN_TAG, dsse.MEDIA_TYPE, b"{}"), "'payloadType' is missing"),
        (evidence(Form.COSIGN_TAG, dsse.MEDIA_TYPE, envelope(statement(), kind="text/plain").encode()), "'text/plain'"),
        (bundle_evidence(b"{}"), "its bundle does not say of which type it is"),
        (bundle_evidence(b'{"mediaType": 3}'), "its bundle is of the type '3'"),
        (bundle(), "either a messageSignature or a dsseEnvelope"),
        (bundle(messageSignature={}, dsseEnvelope={}), "either a messageSignature or a dsseEnvelope"),
        (bundle(messageSignature=[]), "its messageSignature is not an object"),
        (bundle(dsseEnvelope=[]), "expected a mapping"),
        (bundle(verificationMaterial={"certificate": {}}, messageSignature={"signature": "AAAA"}), "a certificate"),
        (bundle(messageSignature={"signature": "AAAA", "messageDigest": {"algorithm": "SHA1"}}), "'SHA1'"),
        (message_bundle(SIGN(MANIFEST), b"\0" * 32), "it signs another image: 'sha256:000"),
        (dsse_bundle(statement(digest="0" * 64)), "it signs another image"),
        (dsse_bundle(statement(SBOM)), "not a signature of the image"),
    ],
)
def test_what_does_not_hold_is_refused_with_the_reason(signed: Evidence, why: str) -> None:
    finding = judged(signed)
    assert why in str(finding.problem)
    assert str(finding.problem).isprintable()
    assert finding.signer is None


def test_a_changed_payload_is_not_what_was_signed() -> None:
    signed = simple(payload())
    assert "was changed" in str(judged(evolve(signed, content=signed.content + b" ")).problem)


def test_an_attestation_is_asked_for_by_its_type() -> None:
    wants = evolve(KEY, predicate=WantedPredicate(SBOM, SBOM))
    found = judged(attestation(statement(SBOM)), key=wants)
    assert (found.problem, found.predicate_type) == (None, SBOM)
    assert f"not {SBOM}" in str(judged(attestation(statement("https://slsa.dev/x")), key=wants).problem)
    assert "not an attestation" in str(judged(simple(payload()), key=wants).problem)


def test_an_image_with_another_digest_than_sha256_is_no_subject_of_a_bundle() -> None:
    subject = Subject(descriptor=evolve(IMAGE, digest=Digest.of(MANIFEST, "sha512")))
    assert "SHA-256" in str(judged(message_bundle(SIGN(MANIFEST)), subject).problem)
    assert "another image" in str(judged(dsse_bundle(statement()), subject).problem)


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=200), kind=st.sampled_from([simplesigning.MEDIA_TYPE, dsse.MEDIA_TYPE]))
def test_any_bytes_give_a_finding(content: bytes, kind: str) -> None:
    signed = evidence(Form.COSIGN_TAG, kind, content, {simplesigning.SIGNATURE_ANNOTATION: "AAAA"})
    assert not judged(signed).holds
    assert not judged(bundle_evidence(content)).holds


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["mediaType", "verificationMaterial", "messageSignature", "dsseEnvelope", "critical", "subject", "predicateType"]


@settings(max_examples=150, deadline=None)
@given(key=st.sampled_from(KEYS), value=JSON)
def test_any_json_that_its_owner_signed_gives_a_finding(key: str, value: object) -> None:
    changed = json.dumps({key: value}).encode()
    stated = json.dumps(json.loads(statement()) | {key: value}).encode()
    for signed in (
        simple(changed),
        attestation(stated),
        dsse_bundle(stated),
        bundle(messageSignature={"signature": "AAAA"}, **{key: value} if key != "messageSignature" else {}),
    ):
        assert judged(signed).problem is None or str(judged(signed).problem).isprintable()


# --- the option


def test_a_policy_names_the_key_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "cosign.pub").write_bytes(PUBLIC)
    for options in ("cosign.pub", {"key": "cosign.pub"}, str(tmp_path / "cosign.pub")):
        read = read_cosign_key(policy_value(options), PolicyFolder(tmp_path))
        assert read.key.key_id == KEY.key.key_id
    assert read_cosign_key(policy_value("cosign.pub"), PolicyFolder(tmp_path)).name == "the key cosign.pub"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"kye": "cosign.pub"}, "unknown key"),
        ({}, "'key' is missing"),
        ([], "expected text"),
        ("awskms:///alias/x", "'awskms:///alias/x' is not a file"),
    ],
)
def test_wrong_options_say_where(tmp_path: Path, options: object, why: str) -> None:
    with pytest.raises(DocumentInvalid, match="policy") as caught:
        read_cosign_key(policy_value(options), PolicyFolder(tmp_path))
    assert why in caught.value.message


def test_a_key_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="missing.pub"):
        read_cosign_key(policy_value("missing.pub"), PolicyFolder(tmp_path))


def test_a_wrong_key_names_the_place_and_the_file(tmp_path: Path) -> None:
    (tmp_path / "cosign.pub").write_bytes(weak(1024))
    with pytest.raises(
        DocumentInvalid, match=r"^policy\.it: .*cosign\.pub: a key of the kind RSA 1024 is not accepted"
    ):
        read_cosign_key(policy_value("cosign.pub"), PolicyFolder(tmp_path))


def test_without_the_library_the_command_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(PartMissing) as caught:
        read_verifying_key(PUBLIC, "cosign.pub")
    assert caught.value.hint == "install it: python3 -m pip install 'transload[trust]'"


def test_the_libraries_are_imported_when_they_are_used() -> None:
    program = (
        "import sys, transload.trust.cosignkey, transload.trust.keyless;"
        "sys.exit(bool({'cryptography', 'sigstore', 'pydantic', 'rfc3161_client'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


def weak(bits: int) -> bytes:
    return pem(rsa.generate_private_key(65537, bits))


def private() -> bytes:
    own = serialization.PrivateFormat.PKCS8
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(serialization.Encoding.PEM, own, serialization.NoEncryption())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (weak(1024), "RSA 1024 is not accepted"),
        (weak(2047), "RSA 2047 is not accepted"),
        (pem(ec.generate_private_key(ec.SECP521R1())), "ECDSA secp521r1 is not accepted"),
        (pem(ec.generate_private_key(ec.SECP256K1())), "ECDSA secp256k1 is not accepted"),
        (pem(ed448.Ed448PrivateKey.generate()), "Ed448 is not accepted"),
        (private(), "this is a private key"),
        (b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n", "this is a private key"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "it holds a certificate"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "is damaged"),
        (PUBLIC + PUBLIC, "it holds 2 keys"),
        (b"", "it is not PEM"),
        (b"\xff\x00" * 100, "it is not PEM"),
        (b"ssh-ed25519 AAAA", "it is not PEM"),
    ],
)
def test_keys_that_nobody_should_take_are_refused_by_name(content: bytes, why: str) -> None:
    with pytest.raises(KeyInvalid) as caught:
        read_verifying_key(content, "cosign.pub")
    assert why in caught.value.message
    assert caught.value.hint


def test_the_key_id_is_what_openssl_computes() -> None:
    der = base64.b64decode("".join(PUBLIC.decode().splitlines()[1:-1]))
    assert KEY.key.key_id == Digest.of(der)
