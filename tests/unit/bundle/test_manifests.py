"""Manifests of a bundle share memory with its ledger, and most need not be parsed to find what refers to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.bundle.packing import contents_of, pack
from transload.bundle import BundleStore, lay_out
from transload.bundle.format.entries import StoredBlob
from transload.bundle.reading.manifests import referring
from transload.errors import DigestMismatch
from transload.oci import Descriptor, Digest, Name
from transload.testing.images import image, signature
from transload.values import evolve

BUILT = image("app", [10, 20])
SIGNED = signature(BUILT)
MADE = {Name("app", "1"): BUILT, Name("app", None, SIGNED.digest): SIGNED}


def test_a_manifest_has_the_descriptors_of_the_ledger(tmp_path: Path) -> None:
    pack(tmp_path / "b", MADE)
    store = BundleStore(tmp_path / "b")
    manifest = store.fetch(Name("app", "1"))
    assert manifest == BUILT.manifest
    assert manifest.blobs == BUILT.manifest.blobs
    for blob in manifest.blobs:
        assert blob is store.ledger.by_digest[blob.digest].descriptor


def test_a_manifest_is_parsed_for_its_subject_only_if_it_may_have_one() -> None:
    raw = b"no JSON at all"
    stored = StoredBlob(Descriptor(BUILT.manifest.media_type, Digest.of(raw), len(raw)), 0)
    ledger = evolve(lay_out(contents_of(MADE), None).ledger, blobs=(stored,))
    assert not referring(ledger, lambda _stored: raw, "b").unread


@pytest.mark.parametrize(("key", "code"), [("\\u0073ubject", None), ("Subject", "manifest-invalid")])
def test_a_subject_is_found_however_its_key_is_written(key: str, code: str | None) -> None:
    """JSON may write any letter by its number; a key in other letters is an error, which must not be hidden."""
    raw = SIGNED.manifest.raw.replace(b'"subject"', f'"{key}"'.encode())
    assert raw != SIGNED.manifest.raw
    stored = StoredBlob(Descriptor(SIGNED.manifest.media_type, Digest.of(raw), len(raw)), 0)
    ledger = evolve(lay_out(contents_of(MADE), None).ledger, blobs=(stored,))
    found = referring(ledger, lambda _stored: raw, "b")
    assert [error.code for _, error in found.unread] == ([code] if code else [])
    assert list(found.referrers) == ([] if code else [BUILT.digest])


def test_a_manifest_that_is_not_parsed_is_still_verified() -> None:
    ledger = lay_out(contents_of({Name("app", "1"): BUILT}), None).ledger
    found = referring(ledger, lambda stored: bytes(stored.size), "b")
    assert [type(error) for _, error in found.unread] == [DigestMismatch]
