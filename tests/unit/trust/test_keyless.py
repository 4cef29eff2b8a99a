"""Signatures by identity: who may have signed, when, and what a policy says of it. No connection is ever opened."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.trust.evidences import bundle_evidence, evidence, policy_value
from tests.unit.trust.test_conformance import CASES, ISSUER, NAMES, NOW, SIGNATURES, WORKFLOW
from transload.errors import DocumentInvalid, LocalError, PartMissing
from transload.limits import IDENTITY_LENGTH
from transload.oci import Descriptor, Digest
from transload.trust.evidence import Finding, Form, Subject
from transload.trust.keyless import Keyless, read_sigstore
from transload.trust.policyfolder import PolicyFolder
from transload.trust.predicate import WantedPredicate
from transload.trust.wanted import Wanted

pytestmark = pytest.mark.skipif(not NAMES, reason="the signatures to test with are not beside the checkout")

ROOT = SIGNATURES / "trusted_root_pgi.json"
EMAIL = "cody@soyland.com"
LOGIN = "https://github.com/login/oauth"


def authority(**texts: str) -> Keyless:
    given = {"issuer": ISSUER, "identity": WORKFLOW, "trusted-root": str(ROOT)}
    given |= {key.replace("_", "-"): text for key, text in texts.items()}
    for key in ("issuer", "identity"):
        if f"{key}-regexp" in given:
            del given[key]
    return read_sigstore(policy_value(given), PolicyFolder(Path("/")))


def subject_of(artifact: Path) -> Subject:
    content = artifact.read_bytes()
    return Subject(
        descriptor=Descriptor("application/vnd.oci.image.manifest.v1+json", Digest.of(content), len(content))
    )


def judged(who: Keyless, case: str = "happy-path-v0.3", at: datetime = NOW) -> Finding:
    content = (CASES / case / "bundle.sigstore.json").read_bytes()
    return who.judge(subject_of(CASES / "a.txt"), bundle_evidence(content), at)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"identity_regexp": r"https://github\.com/sigstore-conformance/.*@refs/heads/main"},
        {"identity_regexp": "^https://.*$", "issuer_regexp": r"https://token\..*"},
    ],
)
def test_the_identity_may_be_exact_or_a_regular_expression(options: dict[str, str]) -> None:
    finding = judged(authority(**options))
    assert finding.problem is None
    assert finding.signer == f"{WORKFLOW} (issuer {ISSUER})"
    assert finding.time_from == "the transparency log"
    assert finding.signed_at is not None
    assert finding.signed_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"identity": "https://github.com/other"}, "signed it, not https://github.com/other"),
        ({"identity": WORKFLOW[:-1]}, "signed it, not"),
        ({"identity_regexp": "https://github.com/sigstore-conformance/"}, "which must match the whole name"),
        ({"issuer": "https://accounts.google.com"}, f"vouched for by '{ISSUER}', not by https://accounts.google.com"),
        ({"issuer_regexp": "https://token"}, "vouched for by"),
    ],
)
def test_somebody_else_is_named_as_the_signer(options: dict[str, str], why: str) -> None:
    finding = judged(authority(**options))
    assert why in str(finding.problem)
    assert finding.signer == f"{WORKFLOW} (issuer {ISSUER})"


def test_a_clock_that_is_years_behind_is_said() -> None:
    finding = judged(authority(), at=datetime(2001, 1, 1, tzinfo=UTC))
    assert "it is only 2001-01-01 00:00 UTC: set the clock right, or give the time with --at" in str(finding.problem)


def test_without_a_log_time_the_time_stamp_counts() -> None:
    case = "rekor2-happy-path"
    finding = judged(authority(trusted_root=str(CASES / case / "trusted_root.json")), case)
    assert (finding.problem, finding.time_from) == (None, "a time stamp")
    assert finding.signed_at is not None


def test_of_several_time_stamps_one_that_holds_by_itself_counts() -> None:
    case = "rekor2-happy-path"
    who = authority(trusted_root=str(CASES / case / "trusted_root.json"))
    document = json.loads((CASES / case / "bundle.sigstore.json").read_text())
    stamps = document["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    foreign = "rekor2-timestamp-payload-mismatch_fail"
    other = json.loads((CASES / foreign / "bundle.sigstore.json").read_text())
    bad = other["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    good = judged(who, case)
    document["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"] = [*bad, *stamps]
    finding = who.judge(subject_of(CASES / "a.txt"), bundle_evidence(json.dumps(document).encode()), NOW)
    assert (finding.problem, finding.signed_at) == (None, good.signed_at)


def attestation(who: Keyless, digest: str | None = None) -> Finding:
    content = (SIGNATURES / "oci-attestation.sigstore.json").read_bytes()
    payload = json.loads(base64.b64decode(json.loads(content)["dsseEnvelope"]["payload"]))
    about = digest or payload["subject"][0]["digest"]["sha256"]
    subject = Subject(descriptor=Descriptor("application/vnd.oci.image.manifest.v1+json", Digest(f"sha256:{about}"), 1))
    wanted = evolve(who, predicate=WantedPredicate(payload["predicateType"], payload["predicateType"]))
    return wanted.judge(subject, bundle_evidence(content), NOW)


def test_a_bundle_as_cosign_attaches_it_is_judged_by_its_statement() -> None:
    who = authority(identity=EMAIL, issuer=LOGIN)
    finding = attestation(who)
    assert finding.problem is None
    assert finding.predicate_type
    assert "it signs another image" in str(attestation(who, "0" * 64).problem)
    content = finding.evidence
    subject = subject_of(CASES / "a.txt")
    assert "it signs another image" in str(who.judge(subject, content, NOW).problem)


def test_an_attestation_is_no_signature_of_the_image() -> None:
    found = attestation(authority(identity=EMAIL, issuer=LOGIN))
    payload = json.loads(base64.b64decode(json.loads(found.evidence.content)["dsseEnvelope"]["payload"]))
    digest = Digest(f"sha256:{payload['subject'][0]['digest']['sha256']}")
    subject = Subject(descriptor=Descriptor("application/vnd.oci.image.manifest.v1+json", digest, 1))
    finding = authority(identity=EMAIL, issuer=LOGIN).judge(subject, found.evidence, NOW)
    assert "not a signature of the image" in str(finding.problem)


def test_other_forms_are_not_for_an_identity() -> None:
    signed = evidence(Form.NOTATION, "application/jose+json", b"{}")
    assert "of the form notation" in str(authority().judge(subject_of(CASES / "a.txt"), signed, NOW).problem)


# --- bad input

GOOD = (CASES / "happy-path-v0.3" / "bundle.sigstore.json").read_bytes() if NAMES else b"{}"


def without(*keys: str) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        for key in keys[:-1]:
            document = document[key]
        del document[keys[-1]]

    return change


@pytest.mark.parametrize(
    "change",
    [
        without("verificationMaterial", "tlogEntries"),
        without("verificationMaterial", "certificate"),
        without("verificationMaterial"),
        without("messageSignature", "signature"),
        without("mediaType"),
        lambda document: document["verificationMaterial"].update(tlogEntries=[]),
        lambda document: document["verificationMaterial"]["certificate"].update(rawBytes="AAAA"),
        lambda document: document["verificationMaterial"]["tlogEntries"][0].update(integratedTime="9" * 18),
        lambda document: document["verificationMaterial"]["tlogEntries"][0].update(integratedTime=-1),
        lambda document: document["verificationMaterial"]["tlogEntries"][0].update(canonicalizedBody="e30="),
        lambda document: document["messageSignature"].update(signature="!"),
    ],
)
def test_a_bundle_that_was_taken_apart_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads(GOOD)
    change(document)
    finding = authority().judge(subject_of(CASES / "a.txt"), bundle_evidence(json.dumps(document).encode()), NOW)
    assert finding.problem
    assert finding.problem.isprintable()


def test_a_key_twice_is_refused_before_the_library_sees_it() -> None:
    twice = GOOD.replace(b"{", b'{"mediaType":"x",', 1)
    finding = authority().judge(subject_of(CASES / "a.txt"), bundle_evidence(twice), NOW)
    assert "has the key 'mediaType' twice" in str(finding.problem)


WHO = authority() if NAMES else None


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.integers(0, len(GOOD) - 1), put=st.binary(max_size=4), cut=st.integers(0, 40))
def test_a_bundle_with_any_bytes_changed_gives_a_finding(place: int, put: bytes, cut: int) -> None:
    assert WHO
    changed = GOOD[:place] + put + GOOD[place + cut :]
    finding = WHO.judge(subject_of(CASES / "a.txt"), bundle_evidence(changed), NOW)
    assert finding.problem is None or finding.problem.isprintable()


def test_long_names_match_nothing() -> None:
    assert Wanted("a+", is_regexp=True).accepts("a" * IDENTITY_LENGTH)
    assert not Wanted("a+", is_regexp=True).accepts("a" * (IDENTITY_LENGTH + 1))
    assert not Wanted("a", is_regexp=True).accepts("a\n")


# --- the options


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"identiy": "x"}, "identiy: unknown key"),
        ({"issuer": "x", "trusted-root": "x"}, "'identity' is missing"),
        ({"identity": "x", "trusted-root": "x"}, "'issuer' is missing"),
        ({"issuer": "x", "identity": "x"}, "'trusted-root' is missing"),
        ({"issuer": "x", "identity": "x", "identity-regexp": "x", "trusted-root": "x"}, "identity is given too"),
        ({"issuer": "x", "identity-regexp": "(", "trusted-root": "x"}, "it is not a regular expression"),
        (
            {"issuer": "x", "identity-regexp": "a{99999999999999}", "trusted-root": "x"},
            "it is not a regular expression",
        ),
        ({"issuer": "x", "identity": "x" * 2000, "trusted-root": "x"}, "it has 2000 characters, 1024 are allowed"),
        ({"issuer": [], "identity": "x", "trusted-root": "x"}, "expected text"),
        ("x", "expected a mapping"),
    ],
)
def test_wrong_options_say_where(tmp_path: Path, options: object, why: str) -> None:
    with pytest.raises(DocumentInvalid, match="policy") as caught:
        read_sigstore(policy_value(options), PolicyFolder(tmp_path))
    assert why in caught.value.message


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"mediaType": "x"}', b"\xff", b'{"a":1,"a":2}', b" " * (2 << 20)]
)
def test_what_is_no_trusted_root_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "root.json").write_bytes(content)
    options = {"issuer": "x", "identity": "x", "trusted-root": "root.json"}
    with pytest.raises(DocumentInvalid, match=r"root\.json") as caught:
        read_sigstore(policy_value(options), PolicyFolder(tmp_path))
    assert caught.value.hint


def test_several_trusted_roots_in_one_file(tmp_path: Path) -> None:
    one = json.dumps(json.loads(ROOT.read_bytes()))
    (tmp_path / "root.json").write_text(f"{one}\n{one}\n")
    options = {"issuer": "x", "identity": "x", "trusted-root": "root.json"}
    with pytest.raises(DocumentInvalid, match=r"root\.json has 2 trusted roots, one on each line"):
        read_sigstore(policy_value(options), PolicyFolder(tmp_path))


def test_a_trusted_root_that_is_not_there(tmp_path: Path) -> None:
    options = {"issuer": "x", "identity": "x", "trusted-root": "root.json"}
    with pytest.raises(LocalError, match=r"root\.json"):
        read_sigstore(policy_value(options), PolicyFolder(tmp_path))


def test_without_the_library_the_command_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "transload.trust.offlineverifier")
    monkeypatch.setitem(sys.modules, "sigstore", None)
    with pytest.raises(PartMissing) as caught:
        authority()
    assert caught.value.hint == "install it: python3 -m pip install 'transload[sigstore]'"
