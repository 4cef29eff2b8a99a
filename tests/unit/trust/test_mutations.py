"""Real signatures with something wrong in them: each gives a finding with one printable sentence, never an error.

`TRANSLOAD_MUTATIONS=3000` makes so many of each; by default there are few, so that the tests stay quick.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from attrs import evolve, frozen

from tests.unit.trust.evidences import bundle_evidence
from tests.unit.trust.mutating import mutated
from tests.unit.trust.notation.making import NOW as MADE_AT
from tests.unit.trust.notation.making import ROOT, SIGNER, SUBJECT, cose, jws
from tests.unit.trust.notation.signatures import COSE, JOSE, SHARED, needs_shared, signature, trust
from tests.unit.trust.notation.test_revocation import crl
from tests.unit.trust.notation.test_signed_by_others import IN_2024, own_root, target_of
from tests.unit.trust.test_conformance import CASES, NAMES, authority, first, options, predicate_type_in
from tests.unit.trust.test_conformance import SIGNATURES as SIGSTORE
from tests.unit.trust.test_cosignkey import (
    KEY,
    NOW,
    PUBLIC,
    attestation,
    dsse_bundle,
    message_bundle,
    payload,
    simple,
    statement,
)
from tests.unit.trust.test_cosignkey import SIGN as SIGNED_BY_KEY
from tests.unit.trust.test_cosignkey import SUBJECT as SIGNED
from transload.errors import TransloadError
from transload.oci import Descriptor, Digest
from transload.trust import simplesigning
from transload.trust.evidence import Authority, Evidence, Subject
from transload.trust.keyless import read_sigstore
from transload.trust.notation import NotationTrust
from transload.trust.notation.options import store_in
from transload.trust.notation.revocation import lists_in
from transload.trust.policyfolder import PolicyFolder
from transload.trust.verifyingkey import read_verifying_key

COUNT = int(os.environ.get("TRANSLOAD_MUTATIONS", "60"))
STAMPED = SHARED / "notation" / "verifier" / "testdata" / "timestamp" / "sigEnv"
STORES = SHARED / "notation" / "verifier" / "testdata" / "truststore" / "x509"


Reader = Callable[[bytes], object]


def refused(read: Reader, raw: bytes, kind: type[Exception]) -> str:
    """What an error of this kind says of `raw`; empty if it can be read."""
    try:
        read(raw)
    except kind as error:
        return str(error)
    return ""


def judged(judge: Authority, subject: Subject, evidence: Evidence, at: datetime) -> bool:
    """Whether a piece of evidence holds; what is said of it is fit to be printed."""
    finding = judge.judge(subject, evidence, at)
    for text in (finding.problem, finding.signer, finding.predicate_type):
        assert text is None or (text.isprintable() and len(text) < 1000), text
    return finding.holds


def changed(evidence: Evidence, random: Random) -> Evidence:
    """The evidence with other content, and an annotation that is still the right one or a broken one."""
    content = mutated(evidence.content, random)
    layer = Descriptor(evidence.layer.media_type, Digest.of(content), len(content))
    annotations = dict(evidence.layer.annotations)
    if annotations and random.random() < 0.3:
        stated = annotations[simplesigning.SIGNATURE_ANNOTATION].encode()
        annotations[simplesigning.SIGNATURE_ANNOTATION] = mutated(stated, random).decode("utf-8", "replace")
    return evolve(evidence, content=content, layer=evolve(layer, annotations=annotations))


@frozen(kw_only=True)
class Case:
    """An authority, and evidence that it accepts at a time."""

    name: str
    authority: Authority
    subject: Subject
    evidence: Evidence
    at: datetime


MADE_TRUST = NotationTrust(name="tests", roots=(ROOT.certificate,), timestamp_roots=(ROOT.certificate,))
MADE = [
    Case(name="simple signing", authority=KEY, subject=SIGNED, evidence=simple(payload()), at=NOW),
    Case(name="dsse", authority=KEY, subject=SIGNED, evidence=attestation(statement()), at=NOW),
    Case(
        name="bundle of a message",
        authority=KEY,
        subject=SIGNED,
        evidence=message_bundle(SIGNED_BY_KEY(b'{"schemaVersion":2}')),
        at=NOW,
    ),
    Case(name="bundle of a statement", authority=KEY, subject=SIGNED, evidence=dsse_bundle(statement()), at=NOW),
    Case(name="jws", authority=MADE_TRUST, subject=SUBJECT, evidence=signature(jws(), JOSE), at=MADE_AT),
    Case(name="cose", authority=MADE_TRUST, subject=SUBJECT, evidence=signature(cose(), COSE), at=MADE_AT),
]


@pytest.mark.parametrize("case", MADE, ids=lambda case: case.name)
def test_envelopes_that_are_made_here(case: Case) -> None:
    assert judged(case.authority, case.subject, case.evidence, case.at)
    random = Random(11)
    for _ in range(COUNT):
        judged(case.authority, case.subject, changed(case.evidence, random), case.at)


def stamped_case(file: str, folder: Path) -> Case:
    """An envelope of notation with a time stamp of a real authority."""
    content = (STAMPED / file).read_bytes()
    media_type = JOSE if file.startswith("jws") else COSE
    stores = {"timestamp-stores": [str(STORES / "tsa/test-timestamp/globalsignRoot.cer")]}
    judge = trust(own_root(content, media_type, folder), folder=folder, **stores)
    return Case(
        name=file,
        authority=judge,
        subject=target_of(content, media_type),
        evidence=signature(content, media_type),
        at=IN_2024,
    )


@needs_shared
@pytest.mark.parametrize("file", ["jwsWithTimestamp.sig", "coseWithTimestamp.sig", "jwsExpiredWithTimestamp.sig"])
def test_envelopes_of_notation_with_time_stamps(file: str, tmp_path: Path) -> None:
    case, random = stamped_case(file, tmp_path), Random(12)
    assert judged(case.authority, case.subject, case.evidence, case.at)
    for _ in range(COUNT):
        judged(case.authority, case.subject, changed(case.evidence, random), case.at)


@needs_shared
@pytest.mark.parametrize("file", ["jwsWithTimestamp.sig", "coseWithTimestamp.sig"])
def test_time_stamps_by_themselves(file: str) -> None:
    from transload.trust.doubt import Doubt
    from transload.trust.notation.cose import read_cose
    from transload.trust.notation.jws import read_jws
    from transload.trust.notation.timestamp import check_timestamp

    envelope = (read_jws if file.startswith("jws") else read_cose)((STAMPED / file).read_bytes())
    roots = store_in((STORES / "tsa/test-timestamp/globalsignRoot.cer").read_bytes(), "root")
    assert envelope.timestamp
    assert check_timestamp(envelope.timestamp, envelope.signature, roots).source
    random = Random(13)
    for _ in range(COUNT):
        token = mutated(envelope.timestamp, random)
        assert refused(lambda raw: check_timestamp(raw, envelope.signature, roots), token, Doubt).isprintable()


@pytest.mark.skipif(not NAMES, reason="the signatures to test with are not beside the checkout")
def test_bundles_of_sigstore() -> None:
    random = Random(14)
    for name in [name for name in NAMES if not name.endswith("_fail")]:
        content = (CASES / name / "bundle.sigstore.json").read_bytes()
        artifact = first(CASES / name / "artifact", CASES / "a.txt").read_bytes()
        subject = Subject(descriptor=Descriptor("text/plain", Digest.of(artifact), len(artifact)))
        judge = authority(CASES / name, predicate_type_in(content))
        assert judged(judge, subject, bundle_evidence(content), NOW)
        for _ in range(max(1, COUNT // 30)):
            judged(judge, subject, bundle_evidence(mutated(content, random)), NOW)


def trusted_root(tmp_path: Path) -> tuple[bytes, Reader]:
    content = (SIGSTORE / "trusted_root_pgi.json").read_bytes()

    def read(raw: bytes) -> object:
        (tmp_path / "root.json").write_bytes(raw)
        given = options(identity="x", issuer="y", trusted_root="root.json")
        return read_sigstore(given, PolicyFolder(tmp_path))

    return content, read


def files(tmp_path: Path) -> dict[str, tuple[bytes, Reader]]:
    """Every file that a policy may name, and what reads it."""
    pem = (STORES / "ca/valid-trust-store/wabbit-networks.io.crt").read_bytes()
    der = (STORES / "ca/valid-trust-store/GlobalSign.der").read_bytes()
    return {
        "public key": (PUBLIC, lambda raw: read_verifying_key(raw, "key.pub")),
        "trust store in PEM": (pem, lambda raw: store_in(raw, "store.crt")),
        "trust store in DER": (der, lambda raw: store_in(raw, "store.der")),
        "trusted root": trusted_root(tmp_path),
        "list of revoked certificates": (crl(SIGNER), lambda raw: lists_in(raw, "site.crl")),
    }


@needs_shared
@pytest.mark.parametrize(
    "kind", ["public key", "trust store in PEM", "trust store in DER", "trusted root", "list of revoked certificates"]
)
def test_files_of_a_policy(kind: str, tmp_path: Path) -> None:
    valid, read = files(tmp_path)[kind]
    read(valid)
    random = Random(15)
    for _ in range(COUNT):
        raw = mutated(valid, random)
        if b"-----BEGIN" in valid and random.random() < 0.5:  # in the certificate or key itself
            label, body = valid.split(b"-----")[1].removeprefix(b"BEGIN "), b"".join(valid.splitlines()[1:-1])
            inner = base64.b64encode(mutated(base64.b64decode(body), random))
            raw = b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label, inner, label)
        problem = refused(read, raw, TransloadError)
        assert problem.isprintable()
        assert len(problem) < 1000
