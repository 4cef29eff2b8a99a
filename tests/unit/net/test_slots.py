"""Slots: small requests never starve, and nobody waits for himself."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from transload.errors import Interrupted
from transload.net.slots import Busyness, Lane, NoSlot, Slots, admits
from transload.threads import Cancellation


def test_bodies_leave_room_for_small_requests() -> None:
    for slots in (16, 32):
        assert admits("read", Busyness(read=13), slots)
        assert not admits("read", Busyness(read=14), slots)
    assert admits("small", Busyness(small=1, read=2), 4)
    assert not admits("small", Busyness(small=2, read=2), 4)
    assert admits("small", Busyness(small=17, read=14), 32)
    assert not admits("small", Busyness(small=18, read=14), 32)
    assert admits("small", Busyness(small=31), 32)
    assert not admits("small", Busyness(small=32), 32)


def test_connections_that_give_way_do_not_count_for_other_bodies() -> None:
    assert admits("read", Busyness(read=20, extra=8), 32)
    assert not admits("read", Busyness(read=32, extra=20), 32), "but there is a limit"
    assert not admits("read", Busyness(read=14), 32)


def test_small_requests_leave_room_for_bodies() -> None:
    assert admits("read", Busyness(small=18, read=13), 32)
    assert not admits("read", Busyness(small=31, read=1), 32)


def test_reading_does_not_keep_from_writing() -> None:
    assert admits("write", Busyness(read=14), 16)
    assert not admits("write", Busyness(write=14), 16)


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_few_slots_still_let_everybody_through(slots: int) -> None:
    assert all(admits(lane, Busyness(), slots) for lane in ("small", "read", "write"))
    assert admits("small", Busyness(read=1), slots) == (slots > 1)
    assert admits("write", Busyness(read=1), slots), "a copy within one registry"


@pytest.mark.parametrize("slots", range(1, 40))
@pytest.mark.parametrize(("body", "extra"), [("read", False), ("write", False), ("read", True)])
def test_in_one_direction_there_are_never_more_than_the_slots(slots: int, body: Lane, extra: bool) -> None:
    """Whatever comes in whichever order: a walk through all that may be under way."""
    reached, waiting = {(0, 0)}, [(0, 0)]
    while waiting:
        small, bodies = waiting.pop()
        busy = Busyness(small, **{body: bodies})
        following: dict[Lane, tuple[int, int]] = {"small": (small + 1, bodies), body: (small, bodies + 1)}
        for lane, state in following.items():
            if admits(lane, busy, slots, extra=extra) and state not in reached:
                reached.add(state)
                waiting.append(state)
    assert max(map(sum, reached)) == slots
    assert max(bodies for _, bodies in reached) == (slots if extra else max(1, min(slots - 2, 14), slots // 2 - 2))


def test_a_thread_that_sends_a_body_gets_its_next_slot_at_once() -> None:
    slots, others, token = Slots(1), Slots(1), Cancellation()
    with others.hold("write", token), others.hold("read", token), slots.hold("read", token), slots.hold("small", token):
        pass


READING: list[tuple[str, Lane]] = [("there", "read"), ("there", "small"), ("there", "read"), ("here", "write")]
WITHIN: list[tuple[str, Lane]] = [("here", "read"), ("here", "small")]  # a copy in one registry opens its upload


@pytest.mark.parametrize("lanes", [READING, WITHIN])
def test_a_thread_that_reads_a_body_waits_for_a_slot_to_send_it(lanes: list[tuple[str, Lane]]) -> None:
    """But not for a small request to another host that it reads from, nor to read on there."""
    slots, others, token = Slots(1), Slots(1), Cancellation()
    entered = threading.Event()

    def copy() -> None:
        with contextlib.ExitStack() as held:
            for at, lane in lanes:
                held.enter_context((others if at == "there" else slots).hold(lane, token))
            entered.set()

    with slots.hold("write", token):
        thread = threading.Thread(target=copy)
        thread.start()
        assert not entered.wait(0.05)
    assert entered.wait(60)
    thread.join()


def test_a_host_that_has_too_much_to_do_gets_half_and_slowly_more_again() -> None:
    slots, token = Slots(16), Cancellation()
    with contextlib.ExitStack() as held:
        for _ in range(8):
            held.enter_context(slots.hold("small", token))
        slots.halve()
        assert slots.at_a_time == 4
        slots.halve()
        assert slots.at_a_time == 2
        for _ in range(5):
            slots.halve()
        assert slots.at_a_time == 1
    allowed = []
    for _ in range(600):
        slots.grow()
        allowed.append(slots.at_a_time)
    assert [allowed.index(count) + 1 for count in (2, 3, 4, 8, 16)] == [6, 16, 30, 125, 509]
    assert allowed[-1] == 16


def test_what_is_under_way_is_halved_not_what_would_be_allowed() -> None:
    slots, token = Slots(64), Cancellation()
    with slots.hold("read", token), slots.hold("write", token), slots.hold("small", token):
        slots.halve()
    assert slots.at_a_time == 1


@contextlib.contextmanager
def held_elsewhere(slots: Slots, lane: Lane, ends: threading.Event, **options: Any) -> Iterator[None]:
    """Another thread has a slot, until `ends` or the end of the block."""
    began = threading.Event()

    def hold() -> None:
        with slots.hold(lane, Cancellation(), **options):
            began.set()
            ends.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert began.wait(60)
        yield
    finally:
        ends.set()
        thread.join()


def test_an_extra_connection_uses_what_is_kept_for_small_requests_and_gives_way_to_them() -> None:
    slots, asked, ends, never = Slots(4), list[str](), threading.Event(), threading.Event()

    def give_way() -> None:
        asked.append("give way")
        ends.set()

    with (
        held_elsewhere(slots, "read", never),
        held_elsewhere(slots, "read", never),
        held_elsewhere(slots, "small", never),
        held_elsewhere(slots, "read", ends, give_way=give_way),
    ):
        with pytest.raises(NoSlot), slots.hold("read", Cancellation(), give_way=give_way):
            pass
        assert asked == []
        with slots.hold("small", Cancellation()):
            assert asked == ["give way"]


def test_it_gives_way_to_another_body_too_but_only_where_that_helps() -> None:
    asked, ends, never = list[str](), threading.Event(), threading.Event()

    def give_way() -> None:
        asked.append("give way")
        ends.set()

    slots = Slots(3)
    with (
        held_elsewhere(slots, "read", ends, give_way=give_way),
        held_elsewhere(slots, "read", never, give_way=give_way),
        held_elsewhere(slots, "small", never),
        slots.hold("read", Cancellation()),
    ):
        assert asked == ["give way"]
    with (
        held_elsewhere(slots, "write", threading.Event()),
        held_elsewhere(slots, "read", threading.Event(), give_way=give_way),
        pytest.raises(NoSlot),
        slots.hold("write", Cancellation(), queues=False),
    ):
        pass
    assert asked == ["give way"], "the end of a reading connection lets nobody write"


def test_another_thread_waits_until_the_slot_is_free() -> None:
    slots, token = Slots(3), Cancellation()
    entered = threading.Event()

    def enter() -> None:
        with slots.hold("read", token):
            entered.set()

    with slots.hold("read", token):
        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.05)
    assert entered.wait(60)
    thread.join()


def test_waiting_ends_with_a_cancellation() -> None:
    slots, token = Slots(3), Cancellation()
    failures: list[BaseException] = []

    def enter() -> None:
        try:
            with slots.hold("read", token):
                pass
        except Interrupted as error:
            failures.append(error)

    with slots.hold("read", token):
        thread = threading.Thread(target=enter)
        thread.start()
        token.cancel()
        thread.join()
    assert len(failures) == 1


def test_idle_connections_count_towards_the_room_for_one_more() -> None:
    slots, token = Slots(3), Cancellation()
    with slots.hold("small", token):
        assert slots.has_room(2)
        assert not slots.has_room(3)
