"""Signatures that notation and its authors made: each comes out as they mean it."""

import base64
import json
from datetime import datetime
from pathlib import Path

import pytest

from tests.unit.trust.notation.signatures import COSE, JOSE, SHARED, image, needs_shared, on, signature, trust
from transload.oci import Descriptor, Manifest
from transload.trust.doubt import Doubt
from transload.trust.evidence import Evidence, Form, Subject
from transload.trust.notation.cose import read_cose
from transload.trust.notation.jws import read_jws

pytestmark = needs_shared

LAYOUT = SHARED / "notation-signed"
NOTATION = SHARED / "notation"
CAS = NOTATION / "verifier" / "testdata" / "truststore" / "x509" / "ca" / "valid-trust-store"
TSAS = NOTATION / "verifier" / "testdata" / "truststore" / "x509" / "tsa"
MOCK = NOTATION / "internal" / "mock" / "testdata"
STAMPED = NOTATION / "verifier" / "testdata" / "timestamp" / "sigEnv"
SIGNED_AT = on("2026-11-26T12:00:00")  # the certificates beside the layout are valid for a day


def blob(digest: str) -> bytes:
    return (LAYOUT / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()


def subject_of(name: str) -> Subject:
    entries = json.loads((LAYOUT / "index.json").read_bytes())["manifests"]
    key = "org.opencontainers.image.ref.name"
    entry = next(entry for entry in entries if entry.get("annotations", {}).get(key) == f"signed/{name}:v1")
    return Subject(descriptor=Descriptor.from_json(entry, name))


def evidence_of(subject: Subject) -> list[Evidence]:
    signatures = []
    for entry in json.loads((LAYOUT / "index.json").read_bytes())["manifests"]:
        manifest = Manifest.parse(blob(entry["digest"]), entry["mediaType"])
        if manifest.document.get("subject", {}).get("digest") == subject.digest:
            layer = manifest.blobs[-1]
            signatures.append(Evidence(form=Form.NOTATION, manifest=manifest, layer=layer, content=blob(layer.digest)))
    return signatures


@pytest.mark.parametrize(
    ("name", "store", "problem"),
    [
        ("jws-good", "site.example.crt", None),
        ("cose-good", "site.example.crt", None),
        ("jws-other", "other.example.crt", None),
        (
            "jws-other",
            "site.example.crt",
            "CN=other.example,O=Notary,L=Seattle,ST=WA,C=US, which is not in trust-stores",
        ),
        (
            "jws-good",
            "other.example.crt",
            "CN=site.example,O=Notary,L=Seattle,ST=WA,C=US, which is not in trust-stores",
        ),
    ],
)
def test_images_that_notation_signed(name: str, store: str, problem: str | None) -> None:
    subject = subject_of(name)
    (evidence,) = evidence_of(subject)
    finding = trust(store, folder=LAYOUT).judge(subject, evidence, SIGNED_AT)
    assert finding.problem is None if problem is None else problem in str(finding.problem)
    assert str(finding.signer).startswith("CN=other" if name == "jws-other" else "CN=site")
    assert finding.signed_at is None  # no time stamp, and what the signer says is not proved


def test_an_unsigned_image_and_the_signature_of_another() -> None:
    unsigned = subject_of("unsigned")
    assert evidence_of(unsigned) == []
    for name in ("jws-good", "cose-good"):
        (evidence,) = evidence_of(subject_of(name))
        finding = trust("site.example.crt", folder=LAYOUT).judge(unsigned, evidence, SIGNED_AT)
        assert "it is the signature of another image: its digest is sha256:" in str(finding.problem)


def test_after_the_day_the_clock_is_named() -> None:
    subject = subject_of("jws-good")
    (evidence,) = evidence_of(subject)
    authority = trust("site.example.crt", folder=LAYOUT)
    late = authority.judge(subject, evidence, on("2027-11-26T12:00:00")).problem
    early = authority.judge(subject, evidence, on("2020-11-26T12:00:00")).problem
    assert "expired on 2026-11-27 at 06:10:00 UTC, and now is 2027-11-26 at 12:00:00 UTC" in str(late)
    assert "is valid from 2026-11-26 on, and now is 2020-11-26" in str(early)
    assert all("the clock of this machine is wrong" in str(problem) for problem in (late, early))


def test_identities() -> None:
    subject = subject_of("jws-good")
    (evidence,) = evidence_of(subject)
    for identity, holds in [
        ("x509.subject: C=US, ST=WA, O=Notary", True),
        ("x509.subject:CN=site.example,O=Notary,L=Seattle,S=WA,C=US", True),
        ("x509.subject: C=US, ST=WA, O=Notary, CN=other.example", False),
        ("x509.subject: C=US, ST=WA, O=notary", False),
        ("x509.subject: C=US, ST=WA, O=Notary, OU=Releases", False),
    ]:
        authority = trust("site.example.crt", folder=LAYOUT, identities=[identity])
        assert authority.judge(subject, evidence, SIGNED_AT).holds is holds, identity


IN_2024 = on("2024-07-01T00:00:00")
SIXTY = image(
    "application/vnd.docker.distribution.manifest.v2+json",
    "sha256:60043cf45eaebc4c0867fea485a039b598f52fd09fd5b07b0b2d2f88fad9d74e",
    528,
)


@pytest.mark.parametrize(
    ("file", "key", "at", "problem"),
    [
        ("ca_valid", "trust-stores", IN_2024, None),
        ("ca_invalid", "trust-stores", IN_2024, "its payload is not base64url"),
        ("ca_expired", "trust-stores", IN_2024, "its signer let it expire on 2022-07-29 at 23:59:00 UTC"),
        ("ca_expired", "trust-stores", on("2022-07-29T12:00:00"), None),
        ("ca_plugin", "trust-stores", IN_2024, "a plugin of notation"),
        ("ca_valid", "signing-authority-stores", IN_2024, "which is not in trust-stores"),
        ("sa_valid", "signing-authority-stores", IN_2024, None),
        ("sa_invalid", "signing-authority-stores", IN_2024, "its payload is not base64url"),
        ("sa_expired", "signing-authority-stores", IN_2024, "its signer let it expire"),
        ("sa_plugin", "signing-authority-stores", IN_2024, "a plugin of notation"),
        ("sa_valid", "trust-stores", IN_2024, "which is not in signing-authority-stores"),
    ],
)
def test_envelopes_of_notation(file: str, key: str, at: datetime, problem: str | None) -> None:
    other = {"trust-stores", "signing-authority-stores"} - {key}
    stores = {key: ["NotationTestRoot.pem"], other.pop(): ["wabbit-networks.io.crt"]}
    finding = trust(folder=CAS, **stores).judge(SIXTY, signature((MOCK / f"{file}_sig_env.json").read_bytes()), at)
    assert finding.problem is None if problem is None else problem in str(finding.problem)
    if finding.holds and file.startswith("sa"):
        assert (finding.signed_at, finding.time_from) == (on("2020-11-09T07:00:00"), "the signing authority")


def test_envelopes_that_ask_for_a_plugin_are_refused_whatever_its_version() -> None:
    subject = image(
        "application/vnd.docker.distribution.manifest.v2+json",
        "sha256:fe7e9333395060c2f5e63cf36a38fba10176f183b4163a5794e081a480abba5f",
        942,
    )
    files = sorted(MOCK.glob("*pluginver*.json"))
    assert len(files) == 8
    for file in files:
        finding = trust("wabbit-networks.io.crt", folder=CAS).judge(subject, signature(file.read_bytes()), IN_2024)
        assert "it can only be verified by a plugin of notation" in str(finding.problem), file


def own_root(content: bytes, media_type: str, folder: Path) -> str:
    """A trust store with the last certificate of an envelope."""
    chain = (read_jws if media_type == JOSE else read_cose)(content).chain
    (folder / "root.crt").write_bytes(chain[-1])
    return "root.crt"


def target_of(content: bytes, media_type: str) -> Subject:
    target = json.loads((read_jws if media_type == JOSE else read_cose)(content).payload)["targetArtifact"]
    return image(target["mediaType"], target["digest"], target["size"])


@pytest.mark.parametrize(
    ("path", "media_type", "at"),
    [
        (MOCK / "sig_env_with_metadata.json", JOSE, on("2023-01-11T18:00:00")),
        (NOTATION / "internal" / "testdata" / "jws_signature.sig", JOSE, IN_2024),
        (NOTATION / "internal" / "testdata" / "cose_signature.sig", COSE, IN_2024),
    ],
)
def test_envelopes_by_certificates_that_are_in_no_store_of_theirs(
    path: Path, media_type: str, at: datetime, tmp_path: Path
) -> None:
    content = path.read_bytes()
    subject, evidence = target_of(content, media_type), signature(content, media_type)
    assert trust(own_root(content, media_type, tmp_path), folder=tmp_path).judge(subject, evidence, at).holds
    refused = trust(*(file.name for file in CAS.iterdir()), folder=CAS).judge(subject, evidence, at)
    assert "which is not in trust-stores" in str(refused.problem)


@pytest.mark.parametrize(
    ("file", "with_stamp", "without"),
    [
        ("coseWithTimestamp", None, None),
        ("jwsWithTimestamp", None, None),
        ("withoutTimestamp", None, None),
        ("coseExpiredWithTimestamp", None, "expired on 2024-06-18 at 07:30:31 UTC, and now is 2024-07-01"),
        ("jwsExpiredWithTimestamp", None, "counts if timestamp-stores names the root of its authority"),
        ("timestampAfterNotAfter", "expired on 2001-09-18 at 11:54:34 UTC, and it was time stamped on", "expired"),
        ("timestampBeforeNotBefore", "is valid from 2099-09-18 on, and it was time stamped on", "is valid from"),
    ],
)
def test_time_stamps(file: str, with_stamp: str | None, without: str | None, tmp_path: Path) -> None:
    content = (STAMPED / f"{file}.sig").read_bytes()
    media_type = JOSE if content.startswith(b"{") else COSE
    subject, evidence = target_of(content, media_type), signature(content, media_type)
    store = own_root(content, media_type, tmp_path)
    stamps = [str(TSAS / "test-timestamp" / "globalsignRoot.cer")]
    for stores, problem in [(stamps, with_stamp), (None, without)]:
        options = {"timestamp-stores": stores} if stores else {}
        finding = trust(store, folder=tmp_path, **options).judge(subject, evidence, IN_2024)
        assert finding.problem is None if problem is None else problem in str(finding.problem)
        if stores and finding.holds and file != "withoutTimestamp":
            assert finding.signed_at is not None
            assert finding.signed_at.date().isoformat() == "2024-06-18"
            assert str(finding.time_from).startswith("the time stamp of CN=Globalsign TSA for Advanced")


@pytest.mark.parametrize("store", ["test-mismatch/DigiCertTSARootSHA384.cer", "test-nonCA/wabbit-networks.io.crt"])
def test_a_time_stamp_by_an_authority_that_is_not_trusted(store: str) -> None:
    content = (STAMPED / "jwsWithTimestamp.sig").read_bytes()
    authority = trust("TestTimestamp.crt", folder=CAS, **{"timestamp-stores": [str(TSAS / store)]})
    finding = authority.judge(target_of(content, JOSE), signature(content), IN_2024)
    assert "no root in timestamp-stores leads to it" in str(finding.problem)


TOKENS = NOTATION / "verifier" / "testdata" / "timestamp" / "countersignature"


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        ("TimeStampToken", "it is the time stamp of another signature"),
        ("TimeStampTokenWithoutCertificate", "its time stamp does not hold"),
        ("TimeStampTokenWithInvalideContentType", "its time stamp does not hold"),
        ("TimeStampTokenWithInvalidTSTInfo", "its time stamp does not hold"),
    ],
)
def test_time_stamps_of_another_signature_and_broken_ones(token: str, problem: str) -> None:
    document = json.loads((STAMPED / "jwsWithTimestamp.sig").read_bytes())
    subject = target_of(json.dumps(document).encode(), JOSE)
    stamp = base64.b64encode((TOKENS / f"{token}.p7s").read_bytes()).decode()
    document["header"]["io.cncf.notary.timestampSignature"] = stamp
    stores = [str(TSAS / "test-timestamp" / "globalsignRoot.cer")]
    authority = trust("TestTimestamp.crt", folder=CAS, **{"timestamp-stores": stores})
    finding = authority.judge(subject, signature(json.dumps(document).encode()), IN_2024)
    assert problem in str(finding.problem)


def test_vectors_of_the_envelopes() -> None:
    """They have no certificates, and a critical header of their own that nobody else knows."""
    with pytest.raises(Doubt, match="its critical header signedCritKey1 is not known here"):
        read_jws((NOTATION / "signature" / "jws" / "testdata" / "conformance.json").read_bytes().replace(b"\n", b""))
    vector = json.loads((NOTATION / "signature" / "cose" / "testdata" / "conformance.json").read_bytes())
    with pytest.raises(Doubt, match="its critical header signedCritKey1 is not known here"):
        read_cose(bytes.fromhex(vector["expectedOutput"]["cborHex"]))


def test_the_trust_stores_that_came_with_them() -> None:
    for file in [*CAS.iterdir(), TSAS / "test-timestamp" / "globalsignRoot.cer"]:
        assert trust(file.name, folder=file.parent).roots[0].subject, file
