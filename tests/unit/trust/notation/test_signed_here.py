"""Signatures made here: every algorithm holds; every wrong certificate, header and payload is refused by name."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

from tests.unit.trust.notation.making import (
    DAY,
    ISSUES,
    MIDDLE,
    NOW,
    ROOT,
    SHA1_ROOT,
    SIGNER,
    SIGNS,
    SUBJECT,
    Holder,
    headers,
    issued,
    made,
    name,
    payload,
    usage,
)
from transload.oci import Descriptor, Digest
from transload.trust.evidence import Evidence
from transload.trust.notation import NotationTrust
from transload.trust.notation.identity import read_identities

FORMS = ["jws", "cose"]
both = pytest.mark.parametrize("form", FORMS)


def problem_of(evidence: Evidence, *roots: Holder, **options: Any) -> str | None:
    trusted = tuple(root.certificate for root in roots or (ROOT,))
    return NotationTrust(name="tests", roots=trusted, **options).judge(SUBJECT, evidence, NOW).problem


@both
@pytest.mark.parametrize("kind", ["2048", "3072", "4096", "P-256", "P-384", "P-521"])
def test_each_algorithm_by_an_authority_and_by_itself(form: str, kind: str) -> None:
    signer = issued(f"signer {kind}", by=ROOT, kind=kind)
    assert problem_of(made(form, signer)) is None
    alone = issued(f"alone {kind}", kind=kind)
    assert problem_of(made(form, alone, [alone.der]), alone) is None
    assert "which is not in trust-stores" in str(problem_of(made(form, alone, [alone.der])))


@both
@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("1024", "its key is RSA 1024; keys that sign are RSA 2048"),
        ("2560", "its key is RSA 2560"),
        ("P-224", "its key is EC secp224r1"),
        ("Ed25519", "its key is Ed25519"),
    ],
)
def test_keys_that_may_not_sign(form: str, kind: str, problem: str) -> None:
    assert problem in str(problem_of(made(form, issued(f"signer {kind}", by=ROOT, kind=kind))))


@both
@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256", "ES384", "PS256", 5, None, ["ES256"], "\x1b[31m"])
def test_algorithms_that_are_not_those_of_the_key(form: str, algorithm: object) -> None:
    problem = str(problem_of(made(form, protected=headers() | {"alg": algorithm})))
    assert "its algorithm is " in problem
    assert "its key signs with ES256" in problem
    assert problem.isprintable()


STRANGE_ROOT = issued("strange root", ISSUES)
SHORT_ROOT = issued("short root", ISSUES, kind="1024")
CRITICAL_ONLY_ROOT = issued("lax root", ((x509.BasicConstraints(True, None), False), ISSUES[1]))
PLAIN_ROOT = issued("plain root", (ISSUES[1],))
NO_ISSUER = issued("no issuer", (ISSUES[0], (usage("digital_signature"), True)))
NEAR_ROOT = issued("near root", ((x509.BasicConstraints(True, 0), True), ISSUES[1]))
NEAR_MIDDLE = issued("near middle", ISSUES, by=NEAR_ROOT)


def chained(*above: Holder, extensions: Any = SIGNS, **options: Any) -> tuple[Holder, list[bytes]]:
    signer = issued("signer", extensions, by=above[0], **options)
    return signer, [signer.der, *(holder.der for holder in above)]


@both
@pytest.mark.parametrize(
    ("chain", "problem"),
    [
        (chained(MIDDLE, ROOT), None),
        (chained(ROOT, extensions=SIGNS[:1]), None),
        ((SIGNER, [SIGNER.der, SHA1_ROOT]), "CN=sha1 root,O=Example,ST=WA,C=US is signed with SHA1"),
        (chained(SHORT_ROOT), "has a key of RSA 1024, which is too short"),
        (chained(MIDDLE), "CN=middle,O=Example,ST=WA,C=US, which is not a root"),
        (chained(MIDDLE, MIDDLE), "is not issued by the next one, CN=middle"),
        (chained(MIDDLE, STRANGE_ROOT, ROOT), "is not issued by the next one, CN=strange root"),
        (chained(ROOT, ROOT), "its chain goes on after the root CN=root"),
        (chained(CRITICAL_ONLY_ROOT), "may not issue others (basic constraints)"),
        (chained(PLAIN_ROOT), "it has no basic constraints"),
        (chained(NO_ISSUER), "may not issue others (key usage)"),
        (chained(NEAR_MIDDLE, NEAR_ROOT), "allows 0 authorities below it, there are 1"),
        (chained(ROOT, days=(-10, -2)), "expired on 2026-01-13 at 12:00:00 UTC"),
        (chained(ROOT, days=(2, 9)), "is valid from 2026-01-17 on"),
        (chained(ROOT, extensions=()), "does not say what its key is for"),
        (chained(ROOT, extensions=((usage("digital_signature"), False),)), "is not marked as critical"),
        (chained(ROOT, extensions=((usage("content_commitment"), True),)), "is not for digital signatures"),
        (chained(ROOT, extensions=((usage("digital_signature", "crl_sign"), True),)), "is also for crl sign"),
        (chained(ROOT, extensions=(ISSUES[0], SIGNS[0])), "signs, and may issue certificates too"),
        *(
            (chained(ROOT, extensions=(SIGNS[0], (x509.ExtendedKeyUsage([Usage.CODE_SIGNING, wrong]), False))), words)
            for wrong, words in [
                (Usage.SERVER_AUTH, "is for server authentication, not for code signing"),
                (Usage.CLIENT_AUTH, "is for client authentication, not for code signing"),
                (Usage.TIME_STAMPING, "is for time stamping, not for code signing"),
                (Usage.ANY_EXTENDED_KEY_USAGE, "is for any use, not for code signing"),
            ]
        ),
    ],
)
def test_chains(form: str, chain: tuple[Holder, list[bytes]], problem: str | None) -> None:
    roots = (ROOT, STRANGE_ROOT, SHORT_ROOT, CRITICAL_ONLY_ROOT, PLAIN_ROOT, NO_ISSUER, NEAR_ROOT)
    found = problem_of(made(form, *chain), *roots)
    assert found is None if problem is None else problem in str(found)


@both
def test_chains_that_are_empty_too_long_or_no_certificates(form: str) -> None:
    assert "its chain of certificates is empty" in str(problem_of(made(form, chain=[])))
    assert "it has 11 certificates, 10 are allowed" in str(problem_of(made(form, chain=[SIGNER.der] * 11)))
    many = str(problem_of(made(form, chain=[SIGNER.der] * 1000)))
    assert many.endswith(("it has more than 1000 values", "it has 1000 certificates, 10 are allowed"))
    broken = str(problem_of(made(form, chain=[b"\x30\x03\x02\x01\x1b", ROOT.der])))
    assert "one of its certificates cannot be read" in broken
    assert broken.isprintable()


@both
def test_another_key_than_that_of_the_certificate(form: str) -> None:
    stranger = Holder(SIGNER.certificate, issued("stranger").key)
    assert "does not fit its content" in str(problem_of(made(form, stranger)))


@both
@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"size": 6}, "its size is 6, not 5"),
        ({"size": 5.0}, "its size is 5.0, not 5"),
        ({"size": True}, "its size is True, not 5"),
        ({"digest": str(Digest.of(b"other"))}, "its digest is sha256:"),
        ({"mediaType": "text/plain"}, "its mediaType is text/plain"),
        ({"mediaType": None}, "its mediaType is None"),
    ],
)
def test_payloads_of_another_image(form: str, changes: dict[str, Any], problem: str) -> None:
    found = str(problem_of(made(form, content=payload(**changes))))
    assert found.startswith("it is the signature of another image: ")
    assert problem in found


@both
def test_payloads_that_are_none(form: str) -> None:
    twice = payload().replace(b'"size"', b'"digest": "sha256:0", "size"')
    for content, words in [
        (b"", "it is empty"),
        (b"[]", "names no artifact"),
        (b"{}", "names no artifact"),
        (b"\xff", "not UTF-8"),
        (b"[" * 5000, "it has more than 1000 values"),
        (b"[" * 100 + b"]" * 100, "nested more than 64 deep"),
        (twice, "has the key 'digest' twice"),
    ]:
        assert words in str(problem_of(made(form, content=content))), content[:20]
    assert problem_of(made(form, content=payload(annotations={"build": "1"}))) is None


CRITICAL = "io.cncf.notary.signingScheme"


@both
@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"cty": "text/plain"}, "its content type is text/plain"),
        ({CRITICAL: "notary.x510"}, "its signing scheme is notary.x510"),
        ({CRITICAL: None}, "its signing scheme is None"),
        ({CRITICAL: ["a"]}, "its signing scheme is ["),
        ({"crit": []}, "does not say which of its headers are critical"),
        ({"crit": None}, "does not say which of its headers are critical"),
        ({"crit": [CRITICAL, "b64"]}, "its critical header b64 is not known here"),
        ({"crit": [CRITICAL, ["nested"]]}, "its critical header ["),
        ({"crit": ["io.cncf.notary.signingTime"]}, "its critical header io.cncf.notary.signingTime"),
        ({"io.cncf.notary.expiry": NOW + DAY}, "its header io.cncf.notary.expiry is not marked as critical"),
        ({"crit": [CRITICAL, "io.cncf.notary.expiry"]}, "its critical header io.cncf.notary.expiry is not known here"),
        ({"io.cncf.notary.signingTime": "yesterday"}, "its header io.cncf.notary.signingTime is not a time"),
        ({"io.cncf.notary.signingTime": 5}, "its header io.cncf.notary.signingTime is not a time"),
        ({CRITICAL: "notary.x509.signingAuthority"}, "it must have the header io.cncf.notary.authenticSigningTime"),
    ],
)
def test_headers(form: str, changes: dict[str, object], problem: str) -> None:
    assert problem in str(problem_of(made(form, protected=headers() | changes)))


@both
def test_expiry(form: str) -> None:
    assert problem_of(made(form, protected=headers(signed=NOW - DAY, expiry=NOW + DAY))) is None
    late = problem_of(made(form, protected=headers(signed=NOW - DAY, expiry=NOW)))
    assert "its signer let it expire on 2026-01-15 at 12:00:00 UTC; and now is" in str(late)
    assert "the clock of this machine is wrong" in str(late)
    assert "it expired before it was made" in str(problem_of(made(form, protected=headers(expiry=NOW))))


@both
def test_a_signing_authority_is_believed_about_the_time(form: str) -> None:
    signer, chain = chained(ROOT, days=(-9, -5))
    authority = NotationTrust(name="tests", roots=(), signing_authorities=(ROOT.certificate,))
    for days, problem in [(-6, None), (-2, "and the signing authority signed on 2026-01-13"), (-10, "is valid from")]:
        signed = headers("notary.x509.signingAuthority", signed=NOW + days * DAY)
        finding = authority.judge(SUBJECT, made(form, signer, chain, signed), NOW)
        assert finding.problem is None if problem is None else problem in str(finding.problem)
        if finding.holds:
            assert (finding.signed_at, finding.time_from) == (NOW - 6 * DAY, "the signing authority")
    assert "is not in trust-stores" in str(authority.judge(SUBJECT, made(form), NOW).problem)


@both
def test_an_identity_that_is_not_listed(form: str) -> None:
    identities = read_identities(["x509.subject: C=US, ST=WA, O=Example, CN=signer"])
    assert problem_of(made(form), identities=identities) is None
    other = issued("other", by=ROOT)
    assert "whom identities does not list" in str(problem_of(made(form, other), identities=identities))
    units = read_identities(["x509.subject: C=US, ST=WA, O=Example, OU=Releases"])
    two = issued(name("signer", "Releases", "Tests"), by=ROOT)
    assert "whom identities does not list" in str(problem_of(made(form, two), identities=units))
    assert problem_of(made(form, issued(name("signer", "Releases"), by=ROOT)), identities=units) is None


def test_an_envelope_of_another_kind() -> None:
    evidence = made("jws")
    layer = Descriptor("application/pkcs7\x1b-signature", evidence.layer.digest, evidence.layer.size)
    other = Evidence(form=evidence.form, manifest=evidence.manifest, layer=layer, content=evidence.content)
    assert problem_of(other) == "its envelope is of an unknown kind, application/pkcs7\\x1b-signature"
    cose = made("cose")
    mixed = Evidence(form=cose.form, manifest=cose.manifest, layer=evidence.layer, content=cose.content)
    assert "cannot be read as JSON" in str(problem_of(mixed))


def test_a_pinned_authority_between() -> None:
    """The specification takes any certificate of the chain that is in a trust store."""
    signer, chain = chained(MIDDLE, ROOT)
    assert problem_of(made("jws", signer, chain), MIDDLE) is None
