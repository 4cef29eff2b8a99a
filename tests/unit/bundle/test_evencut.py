"""Volumes of one size, and recovery volumes that fit the same medium."""

import random

import pytest

from transload.bundle.format.evencut import even_volume_bytes
from transload.bundle.format.recovery import planned
from transload.bundle.format.volumes import Cut
from transload.errors import UsageError
from transload.oci import Digest

MIB = 1 << 20


def sizes(size: int, volume_bytes: int | None, rows: int) -> list[int]:
    """The sizes of all files."""
    cut = Cut(size, volume_bytes)
    recovery = planned(cut, Digest.of(b""), rows).file_bytes if rows else 0
    return [*map(cut.size_of, cut.numbers), *([recovery] * rows)]


def test_volumes_are_alike_and_no_more_than_needed() -> None:
    assert even_volume_bytes(100 * MIB, most_bytes=60 * MIB, count=None, rows=0) == 50 * MIB + 4096
    assert even_volume_bytes(100 * MIB, most_bytes=None, count=4, rows=0) == 25 * MIB + 4096
    assert even_volume_bytes(10 * MIB, most_bytes=60 * MIB, count=None, rows=3) is None
    assert even_volume_bytes(10 * MIB, most_bytes=None, count=None, rows=1) is None
    assert even_volume_bytes(10 * MIB, most_bytes=None, count=1, rows=1) is None
    assert even_volume_bytes(3 * MIB, most_bytes=None, count=10, rows=1) == MIB


@pytest.mark.parametrize("seed", range(100))
def test_recovery_volumes_fit_too(seed: int) -> None:
    chance = random.Random(seed)
    size, rows = chance.randrange(1, 3000 * MIB), chance.randrange(0, 9)
    most = chance.randrange(50 * MIB, 800 * MIB)
    volume_bytes = even_volume_bytes(size, most_bytes=most, count=None, rows=rows)
    files = sizes(size, volume_bytes, rows)
    assert max(files) <= most
    data = files[: len(files) - rows]
    assert min(data) >= data[0] - 4096 * (len(data) + 1)
    assert len(data) <= -(-size // most) + 1 + (rows > 0)


def test_a_bundle_that_just_fits_leaves_no_room_for_its_recovery_volume() -> None:
    volume_bytes = even_volume_bytes(60 * MIB, most_bytes=60 * MIB, count=None, rows=1)
    assert volume_bytes == 30 * MIB + 4096


@pytest.mark.parametrize(
    ("most_bytes", "count", "rows", "message"),
    [
        (None, 0, 0, "0 volumes"),
        (None, 10_000, 0, "10000 volumes"),
        (2 * MIB, None, 1, "together"),
        (100 * MIB, None, 253, "together|not possible"),
    ],
)
def test_what_is_not_possible(most_bytes: int | None, count: int | None, rows: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        even_volume_bytes(3000 * MIB, most_bytes=most_bytes, count=count, rows=rows)
