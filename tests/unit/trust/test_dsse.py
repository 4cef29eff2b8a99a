"""DSSE envelopes: the bytes that are signed, and which envelopes are refused."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from transload.errors import DocumentInvalid
from transload.limits import ENVELOPE_SIGNATURES
from transload.trust.dsse import Envelope, EnvelopeSignature, decode, pae


def written(**changes: Any) -> bytes:
    whole = {"payload": "aGVsbG8=", "payloadType": "text/plain", "signatures": [{"keyid": "a", "sig": "AQI="}]}
    return json.dumps({key: value for key, value in {**whole, **changes}.items() if value is not None}).encode()


def test_the_signed_bytes_are_those_of_the_protocol() -> None:
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("ä", b"") == b"DSSEv1 2 \xc3\xa4 0 "  # lengths are bytes, not letters


@given(some.binary(max_size=200), some.binary(min_size=1, max_size=80), some.text(max_size=20))
def test_what_is_encoded_is_decoded(payload: bytes, signature: bytes, key_id: str) -> None:
    envelope = Envelope("application/x", payload, (EnvelopeSignature(signature, key_id),))
    assert decode(envelope.encode()) == envelope


def test_both_alphabets_and_unknown_keys_are_taken() -> None:
    content = b"\xfb\xff\xfe"
    text = base64.urlsafe_b64encode(content).decode()
    assert decode(written(payload=text, more=1, signatures=[{"sig": "AQI=", "cert": "x"}])) == Envelope(
        "text/plain", content, (EnvelopeSignature(b"\x01\x02"),)
    )


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "it is empty"),
        (b"[]", "is not a JSON object"),
        (written(payload=None), "'payload' is missing"),
        (written(payload="a"), "not base64"),
        (written(payload="a\u00e9=="), "not base64"),
        (written(payloadType=7), "expected text"),
        (written(payloadType="a\nb"), "printable text"),
        (written(signatures=[]), "has 0 signatures"),
        (written(signatures=[{"sig": "AQI="}] * (ENVELOPE_SIGNATURES + 1)), "has 33 signatures"),
        (written(signatures=[{"keyid": "a"}]), "'sig' is missing"),
        (written(signatures=[{"keyid": 1, "sig": "AQI="}]), "expected text"),
        (written(signatures="none"), "expected a list"),
        (b'{"payload":"","payload":""}', "twice"),
        (b"[" * 100_000, "more than 1000 values"),
    ],
)
def test_other_envelopes_are_refused(raw: bytes, message: str) -> None:
    with pytest.raises(DocumentInvalid, match=message):
        decode(raw)


def test_an_envelope_over_the_limit_is_refused() -> None:
    with pytest.raises(DocumentInvalid, match="too large"):
        decode(written(payload="a" * 4000), limit=4000)


@given(some.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(raw: bytes) -> None:
    with contextlib.suppress(DocumentInvalid):
        decode(raw)
