"""The options of a policy: what they come to, and what is said of wrong ones."""

import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.unit.trust.notation.making import MIDDLE, NOW, ROOT, SIGNER, SUBJECT, made
from transload.documents.value import Value
from transload.errors import DocumentInvalid, LocalError, PartMissing
from transload.limits import TRUST_STORE_BYTES
from transload.trust.evidence import Form
from transload.trust.notation import read_notation
from transload.trust.notation.identity import read_identities
from transload.trust.policyfolder import PolicyFolder

PEM = ROOT.certificate.public_bytes(Encoding.PEM)
FINE = "x509.subject: C=US, ST=WA, O=Example"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "root.pem").write_bytes(PEM)
    (tmp_path / "root.der").write_bytes(ROOT.der)
    (tmp_path / "both.pem").write_bytes(b"# ours\n" + PEM + MIDDLE.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "leaf.pem").write_bytes(SIGNER.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "empty.pem").write_bytes(b"\n")
    (tmp_path / "none.pem").write_bytes(b"hello")
    (tmp_path / "key.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    (tmp_path / "cut.pem").write_bytes(PEM[:200])
    (tmp_path / "huge.pem").write_bytes(PEM + b"\n" * TRUST_STORE_BYTES)
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize("file", ["root.pem", "root.der", "both.pem"])
def test_stores_and_identities(folder: Path, file: str) -> None:
    authority = read_notation({"trust-stores": [file], "identities": [FINE]}, PolicyFolder(folder))
    assert authority.name == f"notation with {file} for C=US, ST=WA, O=Example"
    assert authority.forms == frozenset({Form.NOTATION})
    assert authority.judge(SUBJECT, made("jws"), NOW).holds


def test_a_policy_that_is_yaml(folder: Path) -> None:
    text = 'notation:\n  trust-stores: [root.pem]\n  identities: ["*"]\n'
    authority = read_notation(Value.from_yaml(text, "policy.yaml").get("notation"), PolicyFolder(folder))
    assert authority.judge(SUBJECT, made("cose"), NOW).holds
    wrong = Value.from_yaml(text.replace('["*"]', "\n  - C=US"), "policy.yaml").get("notation")
    with pytest.raises(DocumentInvalid, match=r"policy\.yaml:4: notation\.identities: 'C=US' is not an identity"):
        read_notation(wrong, PolicyFolder(folder))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"trust-store": ["root.pem"]}, "trust-store: unknown key"),
        ({"identities": ["*"]}, "key 'trust-stores' is missing"),
        ({"trust-stores": ["root.pem"]}, "key 'identities' is missing"),
        ({"trust-stores": "root.pem", "identities": ["*"]}, "trust-stores: expected a list, found 'root.pem'"),
        ({"trust-stores": [], "identities": ["*"]}, "trust-stores: no file of certificates is listed"),
        ({"trust-stores": [5], "identities": ["*"]}, r"trust-stores\[0\]: expected text"),
        ({"trust-stores": ["root.pem", "root.pem"], "identities": ["*"]}, "'root.pem' is listed twice"),
        ({"trust-stores": ["empty.pem"], "identities": ["*"]}, "empty.pem is empty"),
        ({"trust-stores": ["none.pem"], "identities": ["*"]}, "none.pem has no certificates that can be read"),
        ({"trust-stores": ["key.pem"], "identities": ["*"]}, "key.pem has no certificates that can be read"),
        ({"trust-stores": ["cut.pem"], "identities": ["*"]}, "cut.pem has no certificates that can be read"),
        ({"trust-stores": ["huge.pem"], "identities": ["*"]}, "huge.pem is too large for a trust store: 4194304 "),
        ({"trust-stores": ["leaf.pem"], "identities": ["*"]}, "neither an authority nor signed with its own key"),
        ({"trust-stores": ["root.pem"], "identities": []}, "no identity is listed"),
        ({"trust-stores": ["root.pem"], "identities": ["*", FINE]}, "no other can be listed beside it"),
        ({"trust-stores": ["root.pem"], "identities": ["CN=x"]}, "does not begin with 'x509.subject:'"),
        ({"trust-stores": ["root.pem"], "identities": ["x509.subject:"]}, "lacks C, ST, O"),
        ({"trust-stores": ["root.pem"], "identities": ["x509.subject: C=US, O=x"]}, "lacks ST"),
        ({"trust-stores": ["root.pem"], "identities": ["x509.subject: C=USA, ST=x, O=x"]}, "cannot be read: "),
        ({"trust-stores": ["root.pem"], "identities": ["x509.subject: nonsense"]}, "cannot be read"),
        ({"trust-stores": ["root.pem"], "identities": ["x509.subject: C=US, X=1"]}, "cannot be read"),
        ({"trust-stores": ["root.pem"], "identities": [f"{FINE}, O=Other"]}, "has an attribute twice"),
        ({"trust-stores": ["root.pem"], "identities": [f"{FINE}+OU=x"]}, r"joins attributes with \+"),
        ({"trust-stores": ["root.pem"], "identities": [FINE, f"{FINE}, OU=x"]}, "overlap: one is a part of the other"),
        ({"trust-stores": ["root.pem"], "timestamp-stores": [], "identities": ["*"]}, "timestamp-stores: no file"),
    ],
)
def test_wrong_options(folder: Path, options: dict[str, object], problem: str) -> None:
    with pytest.raises(DocumentInvalid, match=problem) as raised:
        read_notation(options, PolicyFolder(folder))
    assert "\n" not in raised.value.message
    assert raised.value.message.startswith("notation")


@pytest.mark.parametrize("file", ["absent.pem", "folder"])
def test_stores_that_cannot_be_opened(folder: Path, file: str) -> None:
    with pytest.raises((LocalError, DocumentInvalid), match=file):
        read_notation({"trust-stores": [file], "identities": ["*"]}, PolicyFolder(folder))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"O=No\, tary", "No, tary"),
        (r"O=a\;b\\", "a;b\\"),
        (r"O=trailing\  ", "trailing "),
        ("o = Example", "Example"),
        ("O=Example Co.  ", "Example Co."),
        (r"O=\C3\A9t\C3\A9", "été"),
    ],
)
def test_spellings_of_names(text: str, value: str) -> None:
    (identity,) = read_identities([f"x509.subject: C=US, ST=WA, {text}"])
    assert ("2.5.4.10", value) in identity.attributes


@pytest.mark.parametrize("library", ["cryptography.x509", "cbor2"])
def test_without_the_extra(folder: Path, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"trust-stores": ["root.pem"], "identities": ["*"]}
    authority, evidence = read_notation(options, PolicyFolder(folder)), made("cose")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        PartMissing, match=f"checking notation's signatures needs the package {library[:12]}$"
    ) as raised:
        read_notation(options, PolicyFolder(folder)) if library != "cbor2" else authority.judge(SUBJECT, evidence, NOW)
    assert raised.value.hint == "install it: python3 -m pip install 'transload[trust]'"
