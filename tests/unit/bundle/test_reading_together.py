"""Small blobs of a bundle are read with its volumes open; what is wrong is told as if each were read alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.bundle.packing import blobs_of, joined, named, pack
from transload.bundle import BundleStore
from transload.bundle.format.blueprint import starts
from transload.testing.releases import release

MADE = named(release(images=5, size=300_000))


@pytest.mark.parametrize("volume_bytes", [None, 50_000])
def test_what_is_read_together_is_what_was_packed(tmp_path: Path, volume_bytes: int | None) -> None:
    pack(tmp_path / "b", MADE, volume_bytes)
    many = BundleStore(tmp_path / "b").reads_many
    assert many is not None
    packed = list(blobs_of(MADE).values())
    contents = list(many.contents([content.descriptor for content in packed]))
    assert contents == [content.read() for content in packed]


def test_what_is_not_as_it_should_be_has_to_be_opened(tmp_path: Path) -> None:
    blueprint, files = pack(tmp_path / "b", MADE)
    stream = bytearray(joined(files))
    wrong_header, foreign, last = blueprint.ledger.blobs[-3], blueprint.ledger.blobs[-2], blueprint.ledger.blobs[-1]
    stream[starts(wrong_header)] ^= 1
    files[0].write_bytes(stream)
    store = BundleStore(tmp_path / "b")
    assert store.reads_many is not None
    absent = BundleStore(pack(tmp_path / "c", named(release("other", images=1, size=9_000)))[1][0]).ledger.blobs[-1]
    wanted = [wrong_header.descriptor, absent.descriptor, foreign.descriptor, last.descriptor]
    wrong, none, right, end = store.reads_many.contents(wanted)
    assert (wrong, none) == (None, None)
    assert right is not None
    assert end is not None
    assert (len(right), len(end)) == (foreign.size, last.size)


def test_a_volume_that_is_missing_gives_nothing(tmp_path: Path) -> None:
    blueprint, files = pack(tmp_path / "b", MADE, 50_000)
    store = BundleStore(tmp_path / "b")
    files[-2].unlink()
    assert store.reads_many is not None
    last = blueprint.ledger.blobs[-1]
    first = blueprint.ledger.blobs[0]
    gone, there = store.reads_many.contents([last.descriptor, first.descriptor])
    assert gone is None
    assert there is not None
