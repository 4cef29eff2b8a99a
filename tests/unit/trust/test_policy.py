"""Verdicts: which rule decides, what it takes for signed, and what is said of an image that is not."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve, frozen
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.trust.evidences import evidence
from tests.unit.trust.notation.making import NOW as VALID
from tests.unit.trust.notation.making import ROOT, SHA1_ROOT, headers, issued, made
from tests.unit.trust.notation.making import payload as notation_payload
from tests.unit.trust.test_cosignkey import (
    IMAGE,
    SUBJECT,
    attestation,
    dsse_bundle,
    payload,
    pem,
    signing,
    simple,
    statement,
)
from transload.oci import Digest
from transload.trust import simplesigning
from transload.trust.cosignkey import CosignKey
from transload.trust.evidence import Authority, Evidence, Finding, Form, Subject
from transload.trust.notation import NotationTrust
from transload.trust.notation.identity import read_identities
from transload.trust.policy import Mode, Policy, Rule, Verdict, verdict
from transload.trust.prefixes import plain
from transload.trust.verifyingkey import read_verifying_key

NOT_MADE = "it was not made with this key, or what it signs was changed"
FORMS = frozenset({Form.COSIGN_TAG, Form.SIGSTORE_BUNDLE})


def keyed(file: str, kind: str = "p256") -> tuple[CosignKey, Any]:
    public, sign = signing(kind)
    return CosignKey(file, read_verifying_key(public, file)), sign


ANN, BY_ANN = keyed("ann.pub")
BOB, BY_BOB = keyed("bob.pub", "ed25519")
SITE = NotationTrust(name="notation with site.crt", roots=(ROOT.certificate,))
BY_SITE = made("jws", content=notation_payload(IMAGE))
STRANGER = issued("stranger")


def said(authorities: Sequence[Authority], *found: Evidence, all_of: bool = False, at: datetime = VALID) -> Verdict:
    rule = Rule(prefix="", mode=Mode.REQUIRE, authorities=tuple(authorities), all_of=all_of)
    return verdict(rule, SUBJECT, found, at)


@frozen
class Says:
    """An authority that always says the same."""

    name: str
    problem: str | None
    forms: frozenset[Form] = frozenset({Form.NOTATION})

    def judge(self, subject: Subject, evidence: Evidence, at: datetime) -> Finding:
        """As `Authority` wants it."""
        return Finding(evidence=evidence, problem=self.problem)


# --- which rule


NAMES = st.lists(st.sampled_from(["r.example", "a", "b", "ab"]), min_size=1, max_size=5).map("/".join)


@given(prefixes=st.sets(NAMES | st.just("")), name=NAMES)
def test_the_rule_is_that_of_the_longest_prefix_that_fits(prefixes: set[str], name: str) -> None:
    policy = Policy(file="p", rules=tuple(Rule(prefix=prefix, mode=Mode.SKIP) for prefix in prefixes))
    fitting = [prefix for prefix in prefixes if not prefix or name == prefix or name.startswith(f"{prefix}/")]
    decided = policy.rule_for(name)
    assert (decided.prefix if decided else None) == max(fitting, key=len, default=None)
    assert {rule.prefix for rule in policy.without_use([name])} == prefixes - set(fitting)


@given(st.text(max_size=40))
def test_any_name_finds_a_rule_or_none(name: str) -> None:
    policy = Policy(file="p", rules=(Rule(prefix="r.example", mode=Mode.SKIP),))
    decided = policy.rule_for(name)
    assert (decided is not None) == (plain(name) == "r.example" or plain(name).startswith("r.example/"))


def test_no_rule_refuses() -> None:
    judged = verdict(None, SUBJECT, [], VALID)
    assert judged.refuses
    assert judged.problem == "no rule of the policy fits its name"


@pytest.mark.parametrize(
    ("mode", "refuses", "problem"), [("require", True, True), ("warn", False, True), ("skip", False, False)]
)
def test_modes(mode: str, refuses: bool, problem: bool) -> None:
    judged = verdict(Rule(prefix="", mode=Mode(mode), authorities=(ANN,)), SUBJECT, [], VALID)
    assert (judged.refuses, judged.problem is not None) == (refuses, problem)
    holding = verdict(Rule(prefix="", mode=Mode(mode), authorities=(ANN,)), SUBJECT, [simple(payload(), BY_ANN)], VALID)
    assert (holding.refuses, holding.problem) == (False, None)


# --- who must have signed


@pytest.mark.parametrize("found", [simple(payload(), BY_ANN), dsse_bundle(statement(), BY_ANN)])
def test_one_of_several_suffices_or_each_must_have_signed(found: Evidence) -> None:
    choices: list[list[Authority]] = [[BOB, SITE], []]
    for others in choices:
        judged = said([*others, ANN], found)
        assert judged.problem is None
        assert judged.signers == (f"key {ANN.key.key_id}",)
    assert said([ANN, SITE], found, BY_SITE, all_of=True).problem is None
    assert said([ANN, SITE], found, all_of=True).refuses
    assert said([ANN, SITE], BY_SITE, all_of=True).refuses
    assert said([ANN, BOB], simple(payload(), BY_BOB), found, all_of=True).problem is None


def test_of_two_signatures_one_that_holds_suffices() -> None:
    for order in ([BY_ANN, BY_BOB], [BY_BOB, BY_ANN]):
        judged = said([ANN], *(simple(payload(), sign) for sign in order))
        assert judged.problem is None
        assert sorted(finding.holds for finding in judged.findings) == [False, True]
    assert said([ANN], simple(payload(), BY_ANN), simple(payload(digest=Digest.of(b"x")), BY_ANN)).problem is None


@pytest.mark.parametrize("problems", [("no", None), (None, "no")])
@pytest.mark.parametrize("all_of", [True, False])
def test_two_authorities_with_one_name_are_two(problems: tuple[str | None, ...], all_of: bool) -> None:
    both = tuple(Says("notation with site.crt", problem) for problem in problems)
    assert said(both, BY_SITE, all_of=all_of).refuses == all_of


def test_a_signature_that_could_not_be_read_is_shown_to_nobody() -> None:
    unread = evolve(simple(payload(), BY_ANN), problem="it has 2 GiB, the limit is 16 MiB", content=b"")
    assert (
        said([ANN], unread).problem
        == "the key ann.pub does not accept its signature: it has 2 GiB, the limit is 16 MiB"
    )
    assert said([ANN], unread, simple(payload(), BY_ANN)).problem is None


def test_a_finding_is_on_each_piece_and_the_one_that_holds_if_there_is_one() -> None:
    pieces = [simple(payload(), BY_ANN), simple(payload(), BY_BOB), BY_SITE]
    judged = said([BOB, ANN], *pieces)
    assert [(finding.evidence, finding.holds) for finding in judged.findings] == [(pieces[0], True), (pieces[1], True)]
    assert judged.signed is None


# --- what is said


@pytest.mark.parametrize(
    ("authorities", "found", "problem"),
    [
        ([ANN], [], "no signature was found (looked for: signatures under tags of cosign, Sigstore bundles)"),
        (
            [Says("the identity a of b", None, frozenset({Form.SIGSTORE_BUNDLE}))],
            [],
            "no signature was found (looked for: Sigstore bundles)",
        ),
        (
            [ANN, SITE],
            [],
            (
                "no signature was found "
                "(looked for: signatures under tags of cosign, Sigstore bundles, signatures of notation)"
            ),
        ),
        (
            [SITE],
            [simple(payload(), BY_ANN), simple(payload(), BY_BOB)],
            (
                "no signature was found (looked for: signatures of notation; "
                "found: 2 signatures under tags of cosign, which nobody in the rule can judge)"
            ),
        ),
        (
            [Says("the identity a of b", None, frozenset({Form.SIGSTORE_BUNDLE}))],
            [simple(payload(), BY_ANN)],
            (
                "no signature was found (looked for: Sigstore bundles; "
                "found: 1 signature under tags of cosign, which cannot be checked by identity)"
            ),
        ),
        ([BOB], [simple(payload(), BY_ANN)], f"the key bob.pub does not accept its signature: {NOT_MADE}"),
        (
            [BOB],
            [simple(payload(), BY_ANN), simple(payload(), BY_ANN)],
            f"the key bob.pub accepts none of its 2 signatures: {NOT_MADE}",
        ),
        (
            [BOB, SITE],
            [simple(payload(), BY_ANN)],
            (
                f"the key bob.pub does not accept its signature: {NOT_MADE}; "
                "nothing was found that notation with site.crt could have signed"
            ),
        ),
        (
            [BOB, SITE, Says("the identity a of b", None, frozenset({Form.NOTATION}))],
            [simple(payload(), BY_ANN)],
            (
                f"the key bob.pub does not accept its signature: {NOT_MADE}; "
                "nothing was found that notation with site.crt or the identity a of b could have signed"
            ),
        ),
        (
            [ANN],
            [simple(payload(), BY_BOB), simple(payload(reference="r.example/test"), BY_ANN)],
            (
                f"the key ann.pub accepts none of its 2 signatures: {NOT_MADE}; "
                "it signs this content under another name: 'r.example/test'"
            ),
        ),
        (
            [ANN],
            [attestation(statement("https://spdx.dev/Document"), BY_ANN)],
            (
                "the key ann.pub signed only attestations of it (https://spdx.dev/Document), "
                "which a rule takes under attestations"
            ),
        ),
        (
            [Says(f"somebody {number}", f"not {number}", FORMS) for number in range(5)],
            [simple(payload(), BY_ANN)],
            (
                "somebody 0 does not accept its signature: not 0; somebody 1 does not accept its signature: not 1; "
                "somebody 2 does not accept its signature: not 2; and 2 more reasons"
            ),
        ),
        (
            [*(Says(f"somebody {number}", "not mine", FORMS) for number in range(5)), Says("the last", "old", FORMS)],
            [simple(payload(), BY_ANN)],
            (
                "the last does not accept its signature: old; each of somebody 0, somebody 1, somebody 2 and 2 others "
                "does not accept its signature: not mine"
            ),
        ),
    ],
)
def test_what_is_said_of_an_image_that_is_not_signed(
    authorities: list[Authority], found: list[Evidence], problem: str
) -> None:
    judged = said(authorities, *found)
    assert judged.refuses
    assert judged.problem == problem


def test_types_of_attestations_are_not_printed_raw() -> None:
    odd = said([ANN], attestation(statement("\x1b[31m" + "x" * 5000), BY_ANN))
    assert str(odd.problem).isprintable()
    assert len(str(odd.problem)) < 400


def test_what_is_said_if_all_must_have_signed() -> None:
    assert said([ANN, BOB], simple(payload(), BY_ANN), all_of=True).problem == (
        f"the rule wants 2 signatures, and the key bob.pub does not accept its signature: {NOT_MADE}"
    )


def test_a_signature_by_a_certificate_is_not_taken_for_a_wrong_key() -> None:
    annotations = {simplesigning.SIGNATURE_ANNOTATION: "AAAA", simplesigning.CERTIFICATE_ANNOTATION: "-----BEGIN"}
    found = evidence(Form.COSIGN_TAG, simplesigning.MEDIA_TYPE, payload(), annotations)
    assert str(said([ANN], found).problem).endswith("it was signed with a certificate, not with a key")


# --- bad input


def rsa_sha1() -> tuple[CosignKey, Evidence]:
    """A signature that holds, but for its hash."""
    key = rsa.generate_private_key(65537, 2048)
    own = base64.b64encode(key.sign(payload(), padding.PKCS1v15(), hashes.SHA1())).decode()
    return CosignKey("rsa.pub", read_verifying_key(pem(key), "rsa.pub")), simple(payload(), signature=own)


def without_algorithm() -> Evidence:
    document = json.loads(BY_SITE.content)
    protected = json.loads(base64.urlsafe_b64decode(document["protected"] + "=="))
    changed = json.dumps(protected | {"alg": "none"}).encode()
    document |= {"protected": base64.urlsafe_b64encode(changed).decode().rstrip("="), "signature": ""}
    return evolve(BY_SITE, content=json.dumps(document).encode())


OTHER = Digest.of(b"another image")
WEAK = issued("weak", kind="1024", by=ROOT)
SIGNED_WITH_SHA1 = made("jws", content=notation_payload(IMAGE), chain=[issued("signer", by=ROOT).der, SHA1_ROOT])


@pytest.mark.parametrize("others", [[], [simple(payload(), BY_BOB)]], ids=["alone", "beside a stranger's"])
@pytest.mark.parametrize(
    ("authority", "found", "why"),
    [
        (ANN, simple(payload(digest=OTHER), BY_ANN), f"it signs another image: '{OTHER}'"),
        (ANN, simple(payload(reference="registry.example/vendor/test"), BY_ANN), "under another name"),
        (ANN, evolve(simple(payload(), BY_ANN), content=payload(digest=OTHER)), NOT_MADE),
        (ANN, dsse_bundle(statement(digest="0" * 64), BY_ANN), "it signs another image: 'sha256:000"),
        (ANN, attestation(statement(digest="0" * 64), BY_ANN), "it signs another image: 'sha256:000"),
        (*rsa_sha1(), NOT_MADE),
        (SITE, made("jws"), "it is the signature of another image: its digest is sha256:"),
        (SITE, made("cose"), "it is the signature of another image: its digest is sha256:"),
        (SITE, made("jws", STRANGER, [STRANGER.der], content=notation_payload(IMAGE)), "stranger"),
        (SITE, made("jws", WEAK, content=notation_payload(IMAGE)), "its key is RSA 1024"),
        (SITE, SIGNED_WITH_SHA1, "SHA1"),
        (SITE, without_algorithm(), "its algorithm is none, and its key signs with ES256"),
        (
            evolve(SITE, identities=read_identities(["x509.subject: C=US, ST=WA, O=Other"])),
            BY_SITE,
            "whom identities does not list",
        ),
        (
            SITE,
            made("jws", content=notation_payload(IMAGE), protected=headers(expiry=VALID + timedelta(seconds=1))),
            None,
        ),
    ],
)
def test_what_no_rule_takes(authority: Authority, found: Evidence, why: str | None, others: list[Evidence]) -> None:
    judged = said([authority], found, *others)
    assert judged.refuses == (why is not None)
    assert (why or "") in (judged.problem or "")
    assert (judged.problem or "").isprintable()
    assert judged.held == () or why is None


@pytest.mark.parametrize("years", [-30, -1, 1, 30])
def test_a_clock_that_is_years_off(years: int) -> None:
    judged = said([SITE], BY_SITE, at=VALID + timedelta(days=365 * years))
    assert judged.refuses
    assert "the clock of this machine is wrong" in str(judged.problem)
    assert (
        said([ANN], simple(payload(), BY_ANN), at=datetime(1970, 1, 1, tzinfo=UTC)).problem is None
    )  # a key has no time


@given(
    content=st.binary(max_size=80),
    form=st.sampled_from(list(Form)),
    kind=st.sampled_from(["application/jose+json", "x"]),
)
def test_any_bytes_give_a_verdict(content: bytes, form: Form, kind: str) -> None:
    judged = said([ANN, SITE], evidence(form, kind, content))
    assert judged.refuses
    assert str(judged.problem).isprintable()
