"""Keys in every form that people have them in, and two libraries that agree."""

import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from transload.bundle.format.keys import PublicKey, load_public_key, parse_public_key, with_cryptography, with_ecdsa
from transload.bundle.format.signing import load_private_key
from transload.errors import KeyInvalid, LocalError, PartMissing

PRIVATE: dict[str, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "ecdsa-p256": ec.generate_private_key(ec.SECP256R1()),
}
PRIVATE_FORMS = {
    "pkcs8": (form.Encoding.PEM, form.PrivateFormat.PKCS8),
    "openssh": (form.Encoding.PEM, form.PrivateFormat.OpenSSH),
    "sec1": (form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL),
}
PUBLIC_FORMS = {
    "pem": (form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo),
    "openssh": (form.Encoding.OpenSSH, form.PublicFormat.OpenSSH),
}
CHECKERS = {"cryptography": with_cryptography, "ecdsa": with_ecdsa}


def written(path: Path, key: Any, kind: str = "pkcs8", passphrase: str = "") -> Path:
    locked = form.BestAvailableEncryption(passphrase.encode()) if passphrase else form.NoEncryption()
    path.write_bytes(key.private_bytes(*PRIVATE_FORMS[kind], locked))
    return path


def public(key: Any, kind: str = "pem") -> bytes:
    raw: bytes = key.public_key().public_bytes(*PUBLIC_FORMS[kind])
    return raw


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("public_kind", PUBLIC_FORMS)
@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        ("ed25519", "pkcs8"),
        ("ed25519", "openssh"),
        ("ecdsa-p256", "pkcs8"),
        ("ecdsa-p256", "openssh"),
        ("ecdsa-p256", "sec1"),
    ],
)
@pytest.mark.parametrize("passphrase", ["", "secret"])
def test_keys_of_every_form_sign_and_verify(
    tmp_path: Path, algorithm: str, kind: str, public_kind: str, passphrase: str, checker: str
) -> None:
    asked = []

    def ask() -> str:
        asked.append(1)
        return passphrase

    signer = load_private_key(written(tmp_path / "key", PRIVATE[algorithm], kind, passphrase), ask)
    (tmp_path / "key.pub").write_bytes(public(PRIVATE[algorithm], public_kind))
    key = load_public_key(tmp_path / "key.pub")
    assert (key, key.algorithm) == (signer.public, algorithm)
    assert key.der == PRIVATE[algorithm].public_key().public_bytes(form.Encoding.DER, PUBLIC_FORMS["pem"][1])
    assert len(asked) == bool(passphrase)
    check, signature = CHECKERS[checker](), signer.sign(b"message")
    assert check(key, b"message", signature)
    assert not check(key, b"massage", signature)
    assert not check(key, b"message", signature[:-1] + bytes([signature[-1] ^ 1]))


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_signing_twice_gives_the_same_bytes(tmp_path: Path, algorithm: str) -> None:
    signer = load_private_key(written(tmp_path / "key", PRIVATE[algorithm]))
    assert signer(b"ledger") == signer(b"ledger")
    assert len(signer(b"ledger")) <= 512


@given(st.sampled_from(sorted(PRIVATE)), st.binary(max_size=200))
def test_no_bytes_are_a_signature_by_chance_and_both_libraries_agree(algorithm: str, signature: bytes) -> None:
    key = parse_public_key(public(PRIVATE[algorithm]))
    assert [make()(key, b"message", signature) for make in CHECKERS.values()] == [False, False]


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda raw: b"ssh-ed25519 " + raw))
def test_whatever_is_no_key_is_refused(content: bytes) -> None:
    with pytest.raises(KeyInvalid):
        parse_public_key(content)


def other_public_keys() -> dict[str, bytes]:
    other_curve, other_kind = ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)
    compressed = PRIVATE["ecdsa-p256"].public_key().public_bytes(form.Encoding.X962, form.PublicFormat.CompressedPoint)
    prefix = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    import base64

    return {
        "another curve": public(other_curve),
        "another curve, openssh": public(other_curve, "openssh"),
        "rsa": public(other_kind),
        "rsa, openssh": public(other_kind, "openssh"),
        "private": PRIVATE["ed25519"].private_bytes(*PRIVATE_FORMS["pkcs8"], form.NoEncryption()),
        "compressed": b"-----BEGIN PUBLIC KEY-----\n"
        + base64.b64encode(prefix + compressed)
        + b"\n-----END PUBLIC KEY-----",
        "cut": public(PRIVATE["ed25519"])[:50],
    }


@pytest.mark.parametrize("kind", other_public_keys())
def test_other_kinds_of_public_keys_are_refused_with_a_hint(kind: str) -> None:
    with pytest.raises(KeyInvalid) as caught:
        parse_public_key(other_public_keys()[kind])
    assert caught.value.hint


def test_a_point_that_is_not_on_the_curve_is_refused() -> None:
    key = PublicKey("ecdsa-p256", b"\x04" + b"\x01" * 64)
    for make in CHECKERS.values():
        with pytest.raises(KeyInvalid):
            make()(key, b"message", b"\x30\x06\x02\x01\x01\x02\x01\x01")


@pytest.mark.parametrize("kind", ["pkcs8", "openssh"])
def test_passphrases_that_are_missing_or_wrong(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path / "key", PRIVATE["ed25519"], kind, "right")
    with pytest.raises(KeyInvalid, match="none was given"):
        load_private_key(path)
    with pytest.raises(KeyInvalid, match="wrong"):
        load_private_key(path, lambda: "wrong")


def test_private_keys_that_are_none(tmp_path: Path) -> None:
    other = rsa.generate_private_key(65537, 2048)
    with pytest.raises(KeyInvalid, match="kind"):
        load_private_key(written(tmp_path / "rsa", other))
    (tmp_path / "junk").write_bytes(b"junk")
    (tmp_path / "public").write_bytes(public(PRIVATE["ed25519"]))
    for name in ("junk", "public"):
        with pytest.raises(KeyInvalid):
            load_private_key(tmp_path / name)
    with pytest.raises(LocalError):
        load_private_key(tmp_path / "missing")
    with pytest.raises(LocalError):
        load_public_key(tmp_path / "missing")


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = load_private_key(written(tmp_path / "key", PRIVATE["ed25519"]))
    signature = key.sign(b"message")
    for name in [each for each in sys.modules if each.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert key.public.verify(b"message", signature)  # by the other one
    with pytest.raises(PartMissing, match="cryptography"):
        load_private_key(tmp_path / "key")
    for name in [each for each in sys.modules if each.partition(".")[0] == "ecdsa"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(PartMissing, match="ecdsa"):
        key.public.verify(b"message", signature)


def test_the_private_key_is_not_shown(tmp_path: Path) -> None:
    signer = load_private_key(written(tmp_path / "key", PRIVATE["ed25519"]))
    assert "sign=" not in repr(signer)
