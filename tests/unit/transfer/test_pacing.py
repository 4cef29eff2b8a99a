"""A chunk goes on in pieces that are done with soon, however slow whoever takes them is."""

from __future__ import annotations

import pytest

from tests.unit.registry.wire import HastyClock
from transload.errors import Interrupted
from transload.threads import Cancellation
from transload.transfer.blobs import paced

MIB = 1 << 20


def taken(
    bytes_per_s: float, chunks: list[bytes], cancellation: Cancellation | None = None
) -> tuple[bytes, list[float]]:
    """What arrives, and how long each piece takes."""
    clock, content, waits = HastyClock(), b"", []
    for piece in paced(chunks, clock, cancellation or Cancellation()):
        content += piece
        waits.append(len(piece) / bytes_per_s)
        clock.sleep_s(waits[-1])
    return content, waits


@pytest.mark.parametrize("bytes_per_s", [10_000, 30_000, 1_000_000, 1e9])
def test_the_bytes_are_the_same_and_no_piece_takes_long(bytes_per_s: float) -> None:
    chunks = [bytes([number]) * MIB for number in range(6)]
    content, waits = taken(bytes_per_s, chunks)
    assert content == b"".join(chunks)
    assert all(wait <= 1.0 for wait in waits[4:])


def test_on_a_fast_line_chunks_soon_pass_whole() -> None:
    _, waits = taken(1e9, [bytes(MIB)] * 20)
    assert len(waits) < 30


@pytest.mark.parametrize(("swift", "handed_on"), [(True, MIB), (False, 64 << 10)])
def test_when_all_is_to_end_what_has_arrived_is_handed_on_if_that_is_quick(swift: bool, handed_on: int) -> None:
    clock, cancellation, handed = HastyClock(), Cancellation(), 0
    pieces = paced([bytes(MIB), bytes(MIB)], clock, cancellation)

    def hand_on() -> None:
        nonlocal handed
        for piece in pieces:
            handed += len(piece)
            cancellation.cancel()
            clock.sleep_s(0.01 if swift else 0.6)

    with pytest.raises(Interrupted):
        hand_on()
    assert handed == handed_on


def test_what_a_reading_that_ends_by_itself_still_gives_is_handed_on() -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    pieces = paced([bytes(MIB), bytes(MIB)], HastyClock(), cancellation, lambda: cancellation.cancelled)
    assert sum(map(len, pieces)) == 2 * MIB
