"""Sizes that people write, and where a place of the stream lies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.bundle.format.volumes import Cut, parse_volume_size, split_file_name
from transload.errors import UsageError

GIB = 1 << 30


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GiB", 4 * GIB),
        ("4G", 4 * GIB),
        (" 4 gib ", 4 * GIB),
        ("4GB", 4 * 10**9),
        ("700MiB", 700 << 20),
        ("1.5GiB", 3 * GIB // 2),
        ("1048576", 1 << 20),
        ("2TiB", 2048 * GIB),
        ("none", None),
    ],
)
def test_sizes_as_people_write_them(text: str, size: int | None) -> None:
    assert parse_volume_size(text) == size


def test_media_have_room_for_their_file_system() -> None:
    fat32, dvd, disc = (parse_volume_size(name) or 0 for name in ("fat32", "DVD", "bd"))
    assert 4 * GIB - (2 << 20) < fat32 < 4 * GIB - 1
    assert 4_600_000_000 < dvd < 4_700_372_992
    assert 24_000_000_000 < disc < 24_220_008_448
    assert all(size % 4096 == 0 for size in (fat32, dvd, disc))


@pytest.mark.parametrize("text", ["", "4", "-1GiB", "4XB", "GiB", "1023KiB", "0", "4 GiB x", "1e9", "9" * 30, "١GiB"])
def test_what_is_no_size_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_volume_size(text)
    assert "fat32" in (caught.value.hint or "")


@given(st.integers(1, 5000), st.none() | st.integers(1, 6000), st.data())
def test_spans_cover_exactly_what_was_asked_for(size: int, volume_bytes: int | None, data: st.DataObject) -> None:
    cut = Cut(size, volume_bytes)
    offset = data.draw(st.integers(0, size))
    length = data.draw(st.integers(0, size - offset))
    covered = [
        cut.start_of(span.volume) + span.offset + place
        for span in cut.spans(offset, length)
        for place in range(span.length)
    ]
    assert covered == list(range(offset, offset + length))
    assert all(span.offset + span.length <= cut.size_of(span.volume) for span in cut.spans(offset, length))
    assert sum(map(cut.size_of, cut.numbers)) == size
    assert all(cut.size_of(number) > 0 for number in cut.numbers)


def test_names_of_files() -> None:
    assert Cut(100, None).file_name("a", 1) == "a.tar"
    assert Cut(100, 100).file_name("a", 1) == "a.tar"
    assert [Cut(101, 50).file_name("a.b", number) for number in (1, 3)] == ["a.b.001.tar", "a.b.003.tar"]
    assert Cut(5000, 1).file_name("a", 7) == "a.0007.tar"


@given(st.text("ab.1-", min_size=1, max_size=8), st.integers(1, 9999), st.integers(1001, 9999))
def test_a_name_comes_back_from_its_files(name: str, volume: int, count: int) -> None:
    split = split_file_name(Cut(count, 1).file_name(name, volume))
    assert split == (name, volume)
