"""Room on the disk of a layout, asked before anything is fetched."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from transload.errors import DiskFull
from transload.layout import LayoutStore
from transload.testing.contract import blob

LARGE = blob("large", 300_000)


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LayoutStore:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(1 << 20, 0, 200_000))
    return LayoutStore(tmp_path, create=True)


def test_too_little_room_is_told_with_the_numbers(store: LayoutStore) -> None:
    with pytest.raises(DiskFull) as caught:
        store.check_space([LARGE.descriptor])
    assert "(300000 bytes)" in caught.value.message
    assert "(200000 bytes)" in caught.value.message
    assert "make room for 98 KiB" in (caught.value.hint or "")


def test_what_is_parked_needs_no_room_again(store: LayoutStore) -> None:
    with store.begin("", LARGE.descriptor) as ingest:
        ingest.write([LARGE.read()[:150_000]])
    store.check_space([LARGE.descriptor])


def test_one_blob_is_counted_once_and_nothing_needs_nothing(store: LayoutStore) -> None:
    small = blob("small", 150_000).descriptor
    store.check_space([small, small])
    store.check_space([])
    with pytest.raises(DiskFull):
        store.check_space([small, blob("other", 60_000).descriptor])


def test_what_is_there_needs_no_room_again(store: LayoutStore) -> None:
    with store.begin("", LARGE.descriptor) as ingest:
        ingest.write([LARGE.read()])
        ingest.commit()
    store.check_space([LARGE.descriptor])
