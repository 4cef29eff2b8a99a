"""A ledger is written and parsed entry by entry: its text is that of the plain writer, and no entry gets lost."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from tests.unit.bundle.packing import contents_of
from transload.bundle import Contents, lay_out
from transload.bundle.format import piecewise
from transload.bundle.format.blueprint import listed
from transload.bundle.format.entries import StoredBlob, blob_in, blob_out, blob_text
from transload.bundle.format.ledger import Ledger
from transload.bundle.format.piecewise import LISTS, taken_apart
from transload.documents.value import Document, Value
from transload.errors import BundleInvalid, LedgerTampered, LimitExceeded
from transload.linedjson import lined
from transload.oci import Descriptor, Digest, Name, Platform, mediatype
from transload.testing.images import image

DIGEST = Digest.of(b"x")
MADE = {Name(f"app{number}", "v1"): image(f"app{number}", [10, 20]) for number in range(7)}
BLOBS = [
    StoredBlob(Descriptor(mediatype.OCI_LAYER_GZIP, DIGEST, 5), 1024),
    StoredBlob(Descriptor(mediatype.OCI_LAYER, DIGEST, 0), 0),
    StoredBlob(Descriptor('a/"quoted"\\', DIGEST, 5), 1),
    StoredBlob(Descriptor(mediatype.OCI_MANIFEST, DIGEST, 5), 1024, Digest.of(b"subject", "sha512")),
    StoredBlob(Descriptor(mediatype.OCI_MANIFEST, DIGEST, 5, platform=Platform("linux", "arm")), 1024),
    StoredBlob(Descriptor(mediatype.OCI_MANIFEST, DIGEST, 5, annotations={"a": "b"}, artifact_type="c/d"), 1024),
]


@pytest.mark.parametrize("blob", BLOBS)
def test_a_blob_is_written_as_any_object_is_and_read_as_it_was(blob: StoredBlob) -> None:
    whole = lined({"blobs": [json.loads(json.dumps(blob_out(blob)))]}).decode()
    assert whole == f'{{\n "blobs": [\n  {blob_text(blob)}\n ]\n}}\n'
    assert blob_in(Value(json.loads(blob_text(blob)), Document("ledger"))) == blob


def test_pieces_of_any_size_give_the_same_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = lay_out(contents_of(MADE), None).ledger
    raw = ledger.encode()
    for size in (1, 100, 1000, 1 << 20):
        monkeypatch.setattr(piecewise, "_PIECE_BYTES", size)
        assert Ledger.decode(raw) == ledger
        apart, whole = taken_apart(raw), json.loads(raw)
        assert {key: list(apart.entries(key)) for key in apart.spans} == {key: whole[key] for key in apart.spans}
        assert apart.spans.keys() == {key for key in LISTS if whole[key]}
        assert all(apart.count(key) == len(whole[key]) for key in apart.spans)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n  },\n  {", b"\n  }],[\n  {"),
        (b"\n  },\n  {", b"\n  },\n\n  {"),
        (b"\n ],", b"\n  ],"),
        (b'\n "images": [', b'\n "images": [\n  ],\n "images": ['),
        (b'\n "extras": []', b'\n "extras": [\n  {}\n ]'),
        (b'"name": "app0:v1"', b'"name": "app0:v1\n  },\n  {"'),
    ],
)
def test_a_text_that_comes_apart_in_another_way_is_refused(old: bytes, new: bytes) -> None:
    raw = lay_out(contents_of(MADE), None).ledger.encode()
    assert old in raw
    with pytest.raises((LedgerTampered, BundleInvalid)):
        Ledger.decode(raw.replace(old, new, 1))


def test_what_is_parsed_at_once_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = lay_out(contents_of(MADE), None).ledger.encode()
    monkeypatch.setattr(piecewise, "LEDGER_PIECE_VALUES", 39)
    with pytest.raises(LimitExceeded, match="more than 39 values"):
        Ledger.decode(raw)


def test_reading_a_ledger_takes_no_memory_for_its_parsed_text() -> None:
    raw = listed(_many(400)).encode()
    Ledger.decode(raw)
    tracemalloc.start()
    try:
        ledger = Ledger.decode(raw)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(ledger.blobs) == 4000
    assert kept < 2.5 * len(raw)
    assert most - kept < 700_000, "ten times the text, when all of it was parsed at once"


def _many(images: int) -> Contents:
    """Images with nine blobs each that no other one has."""
    made = {Name(f"app{number}", "v1"): image(f"app{number}", [1] * 8) for number in range(images)}
    return contents_of(made)
