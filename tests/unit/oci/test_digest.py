"""Digests are exactly what the specification registers and this program can prove."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.errors import DigestInvalid, DigestMismatch, SizeMismatch
from transload.oci import Digest, Verifier

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ALGORITHMS = st.sampled_from(["sha256", "sha512"])


@given(st.binary(max_size=200), ALGORITHMS)
def test_digest_of_content(content: bytes, algorithm: str) -> None:
    digest = Digest.of(content, algorithm)
    assert digest == f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
    assert (digest.algorithm, digest.encoded) == tuple(digest.split(":"))
    assert Digest(str(digest)) == digest
    assert digest.encoded.startswith(digest.short)
    assert len(digest.short) == 12


def test_digest_is_a_text_and_a_value() -> None:
    digest = Digest(EMPTY)
    assert digest == EMPTY
    assert {EMPTY: 1}[digest] == 1
    assert json.dumps([digest]) == f'["{EMPTY}"]'
    assert Digest(digest) is digest
    for twin in (copy.deepcopy(digest), pickle.loads(pickle.dumps(digest))):
        assert (twin, type(twin)) == (digest, Digest)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a digest"),
        ("sha256", "is not a digest"),
        ("sha256:", "is not a digest"),
        (EMPTY.removeprefix("sha256:"), "is not a digest"),
        (EMPTY + "\n", "is not a digest"),
        (" " + EMPTY, "is not a digest"),
        ("sha256:" + EMPTY, "is not a digest"),
        ("sha256:../../etc/passwd", "is not a digest"),
        ("SHA256" + EMPTY[6:], "is not a digest"),
        (EMPTY[:-1], "64 lower-case"),
        (EMPTY + "0", "64 lower-case"),
        (EMPTY.upper().replace("SHA256", "sha256"), "64 lower-case"),
        (EMPTY.replace("e3", "g3"), "64 lower-case"),
        (EMPTY.replace("sha256", "sha512"), "128 lower-case"),
        ("md5:d41d8cd98f00b204e9800998ecf8427e", "cannot be verified"),
        ("blake3:af1349b9f5f9a1a6a0404dea36dcc949", "cannot be verified"),
        ("sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564", "cannot be verified"),
    ],
)
def test_texts_that_are_no_digest(text: str, said: str) -> None:
    with pytest.raises(DigestInvalid, match=said):
        Digest(text)


@given(st.text() | st.from_regex(r"sha(256|512):[0-9a-f]{60,130}"))
def test_any_text_is_a_digest_or_refused(text: str) -> None:
    with contextlib.suppress(DigestInvalid):
        digest = Digest(text)
        assert len(digest.encoded) == {"sha256": 64, "sha512": 128}[digest.algorithm]
        assert bytes.fromhex(digest.encoded)


@given(st.lists(st.binary(max_size=40), max_size=8), ALGORITHMS, st.sampled_from([bytes, bytearray, memoryview]))
def test_verifier_takes_what_was_promised(parts: list[bytes], algorithm: str, kind: type) -> None:
    whole = b"".join(parts)
    verifier = Verifier(Digest.of(whole, algorithm), len(whole))
    for part in parts:
        verifier.update(kind(part))
    verifier.check()
    assert verifier.seen == len(whole)


@given(st.binary(min_size=1, max_size=40), st.data())
def test_verifier_refuses_anything_else(content: bytes, data: st.DataObject) -> None:
    verifier = Verifier(Digest.of(content), len(content))
    place = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    verifier.update(changed)
    with pytest.raises(DigestMismatch) as caught:
        verifier.check()
    assert caught.value.subject == verifier.digest


def test_verifier_counts() -> None:
    short = Verifier(Digest.of(b"abc"), 3)
    short.update(b"ab")
    with pytest.raises(SizeMismatch, match="has 2 bytes, its descriptor says 3"):
        short.check()
    with pytest.raises(SizeMismatch, match="longer than the promised 3"):
        short.update(b"cd")
