"""Who reads which bytes of a blob: whatever readers do, each byte is handed on once, and in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transload.registry.room import BLOCK
from transload.registry.segments import Block, Segment, Segments

SIZE = 8 << 20
_STEPS = st.lists(
    st.tuples(st.sampled_from(["claim", "read", "leave", "split", "take"]), st.integers(0, 9)), max_size=300
)


def arrive(part: Segment, content: memoryview) -> None:
    """The next bytes of a segment come, at most a block."""
    piece = content[part.at : min(part.at + BLOCK, part.end)]
    while piece:
        if not part.blocks or part.blocks[-1].used == BLOCK:
            part.blocks.append(Block(bytearray(BLOCK)))
        piece = part.pack(piece)


@given(_STEPS, st.integers(1, 9))
def test_each_byte_comes_once_and_in_order(steps: list[tuple[str, int]], readers: int) -> None:
    content = memoryview(bytes(number % 251 for number in range(4096)) * (SIZE // 4096))
    segments, reading, got = Segments(100, SIZE), list[Segment](), bytearray()

    def hand_on() -> None:
        while (block := segments.next_block()) is not None:
            got.extend(memoryview(block.memory)[: block.used])

    for what, which in steps:
        part = reading[which % len(reading)] if reading else None
        if what in {"claim", "split"}:
            claimed = segments.split(4 * BLOCK, BLOCK) if what == "split" else segments.claim(1 << 20, SIZE, readers)
            reading += [claimed] if claimed else []
        elif what == "take":
            hand_on()
        elif part is not None and what == "read" and not part.is_whole:
            arrive(part, content)
        elif part is not None and (what == "leave" or part.is_whole):
            reading.remove(part)
            segments.put_back(part)
    for part in reading:
        segments.put_back(part)
    while (rest := segments.claim(1 << 20, SIZE, readers)) is not None:
        while not rest.is_whole:
            arrive(rest, content)
    hand_on()
    assert bytes(got) == bytes(content[100:SIZE])
    assert segments.position == SIZE


def test_the_longest_segment_is_split_so_that_both_readers_end_together() -> None:
    segments = Segments(0, 10 << 20)
    short, long = segments.claim(2 << 20, 99 << 20, 1), segments.claim(9 << 20, 99 << 20, 1)
    assert short is not None
    assert long is not None
    half = segments.split(1 << 20, 2 << 20)
    assert half is not None
    assert (long.end - long.start, half.end - half.start) == (5 << 20, 3 << 20)
    assert segments.split(6 << 20, 0) is None, "no rest is so long"
