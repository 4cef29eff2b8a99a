"""Slots: small requests never starve, and nobody waits for himself."""

from __future__ import annotations

import threading

import pytest

from transload.errors import Interrupted
from transload.net.slots import Busyness, Slots, admits
from transload.threads import Cancellation


def test_bodies_leave_room_for_small_requests() -> None:
    assert admits("read", Busyness(read=13), 16)
    assert not admits("read", Busyness(read=14), 16)
    assert admits("small", Busyness(small=1, read=14), 16)
    assert not admits("small", Busyness(small=2, read=14), 16)
    assert admits("small", Busyness(small=15), 16)
    assert not admits("small", Busyness(small=16), 16)


def test_reading_does_not_keep_from_writing() -> None:
    assert admits("write", Busyness(read=14), 16)
    assert not admits("write", Busyness(write=14), 16)


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_few_slots_still_let_everybody_through(slots: int) -> None:
    assert all(admits(lane, Busyness(), slots) for lane in ("small", "read", "write"))
    assert admits("small", Busyness(read=1), slots)


def test_a_thread_that_holds_a_body_gets_its_next_slot_at_once() -> None:
    slots, token = Slots(3), Cancellation()
    with slots.hold("read", token), slots.hold("read", token), slots.hold("write", token), slots.hold("small", token):
        pass


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
