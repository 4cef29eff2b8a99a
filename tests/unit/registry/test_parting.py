"""A run that is asked to end while a blob comes on several connections: what has come early is not lost."""

from __future__ import annotations

import contextlib

import pytest

from tests.unit.registry.slowwire import Act, Request, SlowServer, real_time, slow_server
from tests.unit.registry.test_together import BLOB, SIZE, assert_free, same
from transload.errors import Interrupted
from transload.registry.room import BLOCK
from transload.registry.segments import Block, Segment, Segments
from transload.registry.store import RegistryStore

MIB = 1 << 20


def read_until_asked_to_end(server: SlowServer, at: int) -> bytes:
    """What is handed on of the blob if the run is asked to end when `at` bytes have been."""
    content = bytearray()
    with real_time() as http:
        store = RegistryStore(server.host, http)

        def read_on() -> None:
            with store.open("a/b", server.descriptor) as chunks:
                for chunk in chunks:
                    content.extend(chunk)
                    if len(content) >= at:
                        http.cancellation.cancel()

        with contextlib.suppress(Interrupted):  # or all of it has come
            read_on()
        assert_free(http, store)
    assert same(bytes(content), BLOB[: len(content)])
    return bytes(content)


def test_bytes_that_came_early_are_handed_on_when_the_gaps_before_them_close() -> None:
    """A segment that was just asked for is not waited for, and it may be any: so the middle of three counts."""
    lost = []
    for share in (0.3, 0.4, 0.5):
        with slow_server(BLOB, lambda _: Act(rate=8e6)) as server:
            got = read_until_asked_to_end(server, int(share * SIZE))
            assert server.peak >= 3, "several were reading"
            lost.append(server.sent - len(got))
    assert sorted(lost)[1] <= 2 * MIB, "what the first one brought too much, and what was on its way"


def test_a_gap_that_does_not_close_is_waited_for_only_for_a_moment() -> None:
    def silent(request: Request) -> Act:
        return Act(rate=8e6, stops_at=MIB // 2) if request.part and request.part[0] > SIZE // 3 else Act(rate=8e6)

    with slow_server(BLOB, silent) as server:
        got = read_until_asked_to_end(server, SIZE // 4)
        assert len(got) < SIZE
        asked = len(server.asked)
        assert server.peak >= 3
    assert len(server.asked) == asked, "nothing more is asked for"


def part(start: int, came: int, end: int, *, claimed: bool = True) -> Segment:
    """A segment of which `came` blocks are here; its end is in blocks, too."""
    blocks = [Block(bytearray(), BLOCK) for _ in range(came)]
    made = Segment(start * BLOCK, end * BLOCK, at=(start + came) * BLOCK, claimed=claimed)
    made.blocks.extend(blocks)
    return made


@pytest.mark.parametrize(
    ("parts", "before", "worth"),
    [
        ([part(0, 2, 4)], 0, None),
        ([part(0, 2, 4), part(4, 0, 8)], 0, None),
        ([part(0, 2, 4), part(4, 1, 8)], 0, 4),
        ([part(0, 2, 4), part(4, 1, 6), part(6, 1, 7)], 0, 6),
        ([part(0, 4, 4), part(4, 4, 4)], 0, None),
        ([part(0, 0, 9), part(9, 5, 14)], 0, None),
        ([part(0, 2, 4), part(4, 1, 20), part(20, 5, 25)], 0, 4),
        ([part(0, 2, 4, claimed=False), part(4, 4, 8)], 0, None),
        ([part(0, 2, 4)], 3, 0),
        ([part(0, 2, 4)], 9, None),
    ],
)
def test_what_is_worth_waiting_for(parts: list[Segment], before: int, worth: int | None) -> None:
    """In a second, each connection brings eight blocks. Only gaps with something behind them are waited for."""
    made = Segments(0, 100 * BLOCK)
    made._queue.extend(parts)
    expected = None if worth is None else worth * BLOCK
    assert made.worth_waiting_for(1.0, 8 * BLOCK, before=before * BLOCK) == expected
