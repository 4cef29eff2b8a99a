"""Time stamps made here, by an authority of openssl's: what they prove, and which are refused."""

import base64
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

from tests.unit.trust.notation.making import ISSUES, NOW, ROOT, SUBJECT, Holder, issued, jws, usage
from tests.unit.trust.notation.signatures import signature
from transload.trust.doubt import Doubt
from transload.trust.evidence import Finding
from transload.trust.notation import NotationTrust
from transload.trust.notation.jws import read_jws
from transload.trust.notation.signingcertificate import check_named
from transload.trust.notation.timestamp import check_timestamp

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl, which makes time stamps, is not there")

LONG = (-3650, 36500)  # openssl stamps with the time of this machine, whatever that is
STAMPS = (
    (usage("digital_signature"), True),
    (x509.ExtendedKeyUsage([Usage.TIME_STAMPING]), True),
)
TSA_ROOT = issued("time root", ISSUES, days=LONG)
OTHER_ROOT = issued("other root", ISSUES, days=LONG)
TSA = issued("time authority", STAMPS, by=TSA_ROOT, days=LONG)
CONFIG = """
[tsa]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def stamped(folder: Path, content: bytes, authority: Holder = TSA) -> bytes:
    """A time stamp token for `content`, at the time of this machine."""
    (folder / "config").write_text(CONFIG)
    (folder / "serial").write_text("01\n")
    (folder / "content").write_bytes(content)
    (folder / "tsa.crt").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    key = authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "tsa.key").write_bytes(key)
    for arguments in [
        "-query -data content -sha256 -cert -no_nonce -out query",
        "-reply -config config -section tsa -queryfile query -inkey tsa.key -signer tsa.crt -token_out -out token",
    ]:
        command = [str(OPENSSL), "ts", *arguments.split()]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)  # noqa: S603
    return (folder / "token").read_bytes()


def judged(folder: Path, signer: Holder, *, stamp_of: bytes | None = None, authority: Holder = TSA) -> Finding:
    """What is said, ten years on, of a signature by `signer` with a time stamp."""
    plain = jws(signer, [signer.der, ROOT_TODAY.der])
    token = stamped(folder, read_jws(plain).signature if stamp_of is None else stamp_of, authority)
    document = json.loads(plain)
    document["header"]["io.cncf.notary.timestampSignature"] = base64.b64encode(token).decode()
    trust = NotationTrust(
        name="tests", roots=(ROOT_TODAY.certificate,), timestamp_roots=(TSA_ROOT.certificate, ROOT.certificate)
    )
    return trust.judge(SUBJECT, signature(json.dumps(document).encode()), datetime.now(UTC) + timedelta(days=3650))


DAYS = (datetime.now(UTC) - NOW).days
ROOT_TODAY = issued("root", ISSUES, days=(DAYS - 5, DAYS + 5))
SIGNER_TODAY = issued("signer", by=ROOT_TODAY, days=(DAYS - 5, DAYS + 5))
SIGNER_BEFORE = issued("signer before", by=ROOT_TODAY, days=(DAYS - 5, DAYS - 1))


def test_a_time_stamp_proves_the_time(tmp_path: Path) -> None:
    finding = judged(tmp_path, SIGNER_TODAY)
    assert finding.problem is None
    assert finding.signed_at is not None
    assert abs(finding.signed_at - datetime.now(UTC)) < timedelta(days=1)
    assert finding.time_from == "the time stamp of CN=time authority,O=Example,ST=WA,C=US"


def test_a_signer_whose_certificate_had_expired_when_it_was_stamped(tmp_path: Path) -> None:
    assert ", and it was time stamped on " in str(judged(tmp_path, SIGNER_BEFORE).problem)


def test_the_time_stamp_of_another_signature(tmp_path: Path) -> None:
    finding = judged(tmp_path, SIGNER_TODAY, stamp_of=b"another")
    assert finding.problem == "its time stamp does not hold: it is the time stamp of another signature"


def test_an_authority_that_nobody_trusts(tmp_path: Path) -> None:
    stranger = issued("stranger", STAMPS, by=OTHER_ROOT, days=LONG)
    finding = judged(tmp_path, SIGNER_TODAY, authority=stranger)
    assert finding.problem == (
        "its time stamp does not hold: no root in timestamp-stores leads to it, or it was altered"
    )


def test_a_time_stamp_with_a_certificate_of_no_known_version(tmp_path: Path) -> None:
    token = stamped(tmp_path, read_jws(jws()).signature)
    version = bytes.fromhex("a003020102")  # [0] INTEGER 2: the certificate's version
    assert version in token
    with pytest.raises(Doubt, match="its time stamp does not hold"):
        check_timestamp(token.replace(version, bytes.fromhex("a003020156")), b"", (TSA_ROOT.certificate,))


def reissued(length: int) -> Holder:
    """Another certificate with name, number and key of the authority's, as long as that one: longer valid, say."""
    for days in range(36501, 36600):  # the length of a signature differs by a byte or two
        first = TSA.certificate
        builder = (
            x509.CertificateBuilder()
            .subject_name(first.subject)
            .issuer_name(first.issuer)
            .public_key(TSA.key.public_key())
            .serial_number(first.serial_number)
            .not_valid_before(first.not_valid_before_utc)
            .not_valid_after(NOW + timedelta(days=days))
        )
        for extension in first.extensions:
            builder = builder.add_extension(extension.value, extension.critical)
        made = Holder(builder.sign(TSA_ROOT.key, SHA256()), TSA.key)
        if len(made.der) == length:
            return made
    raise AssertionError("no certificate came out as long as it should")


def test_another_certificate_of_the_same_key_does_not_take_the_place_of_the_first(tmp_path: Path) -> None:
    envelope = read_jws(jws())
    token = stamped(tmp_path, envelope.signature)
    other = reissued(len(TSA.der))
    assert token.count(TSA.der) == 1
    assert check_timestamp(token, envelope.signature, (TSA_ROOT.certificate,)).source.endswith("ST=WA,C=US")
    with pytest.raises(Doubt, match="was made with another certificate than the one that it comes with"):
        check_timestamp(token.replace(TSA.der, other.der), envelope.signature, (TSA_ROOT.certificate,))


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
def test_every_hash_of_the_certificate_that_authorities_write(
    algorithm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SHA-1 it is the older attribute."""
    monkeypatch.setitem(
        globals(), "CONFIG", CONFIG.replace("ess_cert_id_alg = sha256", f"ess_cert_id_alg = {algorithm}")
    )
    token = stamped(tmp_path, b"x")
    check_named(token, TSA.certificate)
    with pytest.raises(Doubt, match="another certificate"):
        check_named(token, TSA_ROOT.certificate)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("2a864886f70d010910022f", "2a864886f70d0109100230", "it has no attribute with the certificate's hash"),
        ("2a864886f70d010904", "2a864886f70d010903", "its attributes are not as they must be"),
        ("060b2a864886f70d010910022f", "040b2a864886f70d010910022f", "its attributes are not as they must be"),
    ],
)
def test_attributes_that_say_nothing(before: str, after: str, problem: str, tmp_path: Path) -> None:
    """Whoever made a token so: the signature is checked before this is."""
    token = stamped(tmp_path, b"x")
    assert bytes.fromhex(before) in token
    with pytest.raises(Doubt, match=problem):
        check_named(token.replace(bytes.fromhex(before), bytes.fromhex(after)), TSA.certificate)
