"""The 70 cases of the Sigstore project's conformance suite: those that end in `_fail` are refused, others accepted."""

from __future__ import annotations

import json
import socket
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.trust.evidences import bundle_evidence
from transload.documents.value import Value
from transload.errors import DocumentInvalid
from transload.oci import Descriptor, Digest
from transload.trust.attested import Attested
from transload.trust.cosignkey import read_cosign_key
from transload.trust.evidence import Authority, Finding, Subject
from transload.trust.keyless import read_sigstore
from transload.trust.policyfolder import PolicyFolder
from transload.trust.predicate import WantedPredicate

SIGNATURES = Path(__file__).parents[4] / "shared" / "data" / "signatures"
CASES = SIGNATURES / "sigstore-bundles"
NOW = datetime(2026, 11, 27, tzinfo=UTC)
WORKFLOW = (
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/"
    ".github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
)
ISSUER = "https://token.actions.githubusercontent.com"
UNREADABLE = {"managed-key-wrong-key_fail", "trust-root-tlog-missing-validity-start_fail"}
"""The key or the trusted root is none, which is said before anything is judged."""

NAMES = sorted(path.parent.name for path in CASES.glob("*/bundle.sigstore.json"))

pytestmark = pytest.mark.skipif(not NAMES, reason="the signatures to test with are not beside the checkout")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def first(*paths: Path) -> Path:
    return next(path for path in paths if path.exists())


def options(**texts: str) -> Value:
    raw = json.dumps({key.replace("_", "-"): text for key, text in texts.items()}).encode()
    return Value.from_json(raw, "policy", limit=1 << 20, values=100, hint="")


def authority(case: Path, predicate_type: str | None) -> Authority:
    from attrs import evolve

    wanted = WantedPredicate(predicate_type, predicate_type) if predicate_type else None
    if (case / "key.pub").exists():
        return evolve(read_cosign_key(options(key="key.pub"), PolicyFolder(case)), predicate=wanted)
    given = {name: (case / name).read_text().strip() for name in ("identity", "issuer") if (case / name).exists()}
    root = first(case / "trusted_root.json", SIGNATURES / "trusted_root_pgi.json")
    names = {"identity": WORKFLOW, "issuer": ISSUER, "trusted_root": str(root)} | given
    return evolve(read_sigstore(options(**names), PolicyFolder(case)), predicate=wanted)


def predicate_type_in(bundle: bytes) -> str | None:
    """Of the attestation in a bundle, so that the case is about the signature, not about the wrong predicate."""
    try:
        envelope = json.loads(bundle)["dsseEnvelope"]
    except (ValueError, KeyError):
        return None
    return Attested.decode(envelope["payloadType"], b64decode(envelope["payload"])).predicate_type


def judged(case: Path) -> Finding:
    content = (case / "bundle.sigstore.json").read_bytes()
    artifact = first(case / "artifact", CASES / "a.txt").read_bytes()
    digest = Digest.of(artifact)
    subject = Subject(descriptor=Descriptor("application/vnd.oci.image.manifest.v1+json", digest, len(artifact)))
    return authority(case, predicate_type_in(content)).judge(subject, bundle_evidence(content), NOW)


def test_there_are_as_many_cases_as_the_suite_has() -> None:
    assert len(NAMES) == 70


@pytest.mark.parametrize("name", NAMES)
def test_a_case_is_judged_as_its_name_says(name: str) -> None:
    if name in UNREADABLE:
        with pytest.raises(DocumentInvalid):
            judged(CASES / name)
        return
    finding = judged(CASES / name)
    assert finding.holds == (not name.endswith("_fail")), finding.problem
    assert finding.problem is None or finding.problem.isprintable()
    keyed = (CASES / name / "key.pub").exists()
    if finding.holds:
        assert (finding.signed_at is None) == keyed
        assert (finding.signer or "").startswith("key sha256:") == keyed
