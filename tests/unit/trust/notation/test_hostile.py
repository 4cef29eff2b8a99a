"""Envelopes that nobody honest makes: each gives a finding with one printable sentence, and no error."""

import base64
import json

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.trust.notation.making import NOW, ROOT, SUBJECT, cose, jws
from tests.unit.trust.notation.signatures import COSE, JOSE, signature
from transload.limits import NOTATION_BYTES
from transload.trust.notation import NotationTrust

TRUST = NotationTrust(name="tests", roots=(ROOT.certificate,), timestamp_roots=(ROOT.certificate,))
MEDIA_TYPES = [JOSE, COSE]


def refused(content: bytes, media_type: str) -> str:
    problem = TRUST.judge(SUBJECT, signature(content, media_type), NOW).problem
    assert problem is not None
    assert problem.isprintable()
    assert len(problem) < 500
    return problem


def test_json_that_is_read_in_two_ways() -> None:
    fine = jws()
    for content, words in [
        (fine.replace(b'"payload"', b'"payload": "", "payload"', 1), "has the key 'payload' twice"),
        (fine.replace(b'"header"', b'"Header"', 1), "does not have exactly payload"),
        (fine.replace(b'"payload"', b'"signatures": [], "payload"', 1), "does not have exactly payload"),
        (b"\xef\xbb\xbf" + fine, "byte order mark"),
        (fine + b"{}", "cannot be read as JSON"),
        (fine.replace(b'"signature": "', b'"signature": "==', 1), "its signature is not base64url"),
        (fine.replace(b'"signature": "', b'"signature": "A', 1), "its signature has 65 bytes, not 64"),
        (fine.replace(b'"x5c": ["', b'"x5c": ["*', 1), "its header x5c is not base64"),
        (fine.replace(b'"x5c"', b'"x5t"', 1), "it has no chain of certificates (x5c)"),
        (b"[" * 100_000, "is too large"),
        (b" " * (NOTATION_BYTES + 1), "is too large"),
        (b"", "it is empty"),
    ]:
        assert words in refused(content, JOSE), content[:60]


def test_a_protected_header_with_a_key_twice() -> None:
    document = json.loads(jws())
    document["protected"] = base64.urlsafe_b64encode(b'{"alg":"none","alg":"ES256"}').decode().rstrip("=")
    assert "its protected header cannot be read as JSON" in refused(json.dumps(document).encode(), JOSE)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "cannot be read as CBOR"),
        (cose() + b"\0", "its envelope has bytes after its end"),
        (cose()[1:], "its envelope is not a tagged COSE_Sign1"),
        (b"\xd3" + cose()[1:], "its envelope is not a tagged COSE_Sign1"),
        (b"\xd2\x80", "does not have four parts"),
        (b"\xd2\x84\x01\x02\x03\x04", "lacks protected headers, payload or signature"),
        (b"\xd2\x84\x40\xa0\x40\x40", "its protected header cannot be read as CBOR"),
        (b"\xd2\x84\x41\x80\xa0\x40\x40", "its headers are not a map"),
        (b"\xd2\x84\x43\xa2\x01\x01\xa0\x40\x40", "its protected header cannot be read as CBOR"),
        (b"\xd2\x84\x45\xa2\x01\x01\x01\x02\xa0\x40\x40", "its protected header cannot be read as CBOR"),
        (b"\x81" * 100_000, "maximum container nesting depth"),
        (b"\xd2" * 100_000, "cannot be read as CBOR"),
        (b"\x9b" + b"\xff" * 8, "cannot be read as CBOR"),
        (b"\x5b\x00\x00\xff" + b"\xff" * 5, "cannot be read as CBOR"),
        (b"\xd2\x9f\xff", "cannot be read as CBOR"),
        (b"\xd8\x1c\x81\xd8\x1d\x00", "cannot be read as CBOR"),  # a list within itself
        (b"\xc2\x5a\x00\x0f\x00\x00" + b"\xff" * 0xF0000, "cannot be read as CBOR"),  # a number of a million bytes
        (b"\xd8\x23\x6a(a+)+(a+)+", "cannot be read as CBOR"),  # a regular expression
        (b"\0" * (NOTATION_BYTES + 1), "is too large"),
    ],
)
def test_cbor(content: bytes, problem: str) -> None:
    assert problem in refused(content, COSE)


def test_times_that_are_none() -> None:
    for time in [1e300, -1e300, float("nan"), 1 << 70, "now", None, b"", []]:
        scheme = "io.cncf.notary.signingScheme"
        headers = {
            1: -7,
            2: [scheme],
            3: "application/vnd.cncf.notary.payload.v1+json",
            scheme: "notary.x509",
            "io.cncf.notary.signingTime": cbor2.CBORTag(1, time),
        }
        content = cbor2.dumps(cbor2.CBORTag(18, [cbor2.dumps(headers), {33: [ROOT.der]}, b"{}", b""]))
        words = refused(content, COSE)
        assert "its header io.cncf.notary.signingTime is not a time" in words or "cannot be read as CBOR" in words


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(MEDIA_TYPES))
def test_any_bytes(content: bytes, media_type: str) -> None:
    refused(content, media_type)


def damaged(content: bytes, position: int, change: bytes) -> bytes:
    position %= len(content)
    return content[:position] + change + content[position + len(change) :]


@settings(max_examples=100, deadline=None)
@given(st.booleans(), st.integers(0, 1 << 20), st.binary(min_size=1, max_size=4))
def test_one_place_is_other(is_jws: bool, position: int, change: bytes) -> None:
    content = JWS if is_jws else COSE_SIGN1
    media_type = JOSE if is_jws else COSE
    altered = damaged(content, position, change)
    finding = TRUST.judge(SUBJECT, signature(altered, media_type), NOW)
    assert finding.problem is None or finding.problem.isprintable()
    if finding.holds and is_jws:  # only what is not signed can have been altered
        before, after = json.loads(content), json.loads(altered)
        assert all(after[part] == before[part] for part in ("payload", "protected"))


JWS, COSE_SIGN1 = jws(), cose()

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = ["alg", "cty", "crit", "io.cncf.notary.signingScheme", "io.cncf.notary.signingTime", "io.cncf.notary.expiry"]


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), json_values), st.sampled_from(["protected", "header", "payload"]))
def test_any_headers(headers: dict[str, object], part: str) -> None:
    document = json.loads(JWS)
    encoded = base64.urlsafe_b64encode(json.dumps(headers).encode()).decode().rstrip("=")
    document[part] = headers if part == "header" else encoded
    refused(json.dumps(document).encode(), JOSE)


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=200) | st.integers(0, 1 << 16).map(lambda at: damaged(ROOT.der, at, b"\xff")))
def test_any_certificate_and_any_time_stamp(content: bytes) -> None:
    refused(jws(chain=[content]), JOSE)
    refused(cose(chain=[content, ROOT.der]), COSE)
    refused(jws(stamp=content), JOSE)
