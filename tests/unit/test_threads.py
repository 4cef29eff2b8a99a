"""Threads end before their parent, whatever happens to them or to it."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator

import pytest

from transload.errors import Interrupted
from transload.threads import Cancellation, TaskGroup, in_parallel


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert not [thread for thread in threading.enumerate() if thread not in before]


def waits_to_be_cancelled(cancellation: Cancellation) -> None:
    assert cancellation.wake.wait(60)


def fails() -> None:
    raise ZeroDivisionError


# --- Cancellation


def test_a_cancelled_token_raises_at_safe_points() -> None:
    token = Cancellation()
    token.check()
    token.cancel()
    assert token.cancelled
    with pytest.raises(Interrupted):
        token.check()


def test_cancelling_the_whole_cancels_the_parts_but_not_the_other_way_round() -> None:
    whole = Cancellation()
    part, other = Cancellation.within(whole), Cancellation.within(whole)
    part.cancel()
    assert not whole.cancelled
    assert not other.cancelled
    whole.cancel()
    assert other.cancelled


def test_a_part_of_what_was_cancelled_is_cancelled() -> None:
    whole = Cancellation()
    whole.cancel()
    assert Cancellation.within(Cancellation.within(whole)).cancelled


def test_parts_that_are_over_are_forgotten() -> None:
    whole = Cancellation()
    kept = [Cancellation.within(whole) for _ in range(1000)][::100]
    assert len(whole._within) == 10
    whole.cancel()
    assert all(part.cancelled for part in kept)


def test_a_part_of_a_part_is_reached_though_nobody_holds_what_is_between() -> None:
    whole = Cancellation()
    part = Cancellation.within(Cancellation.within(whole))
    whole.cancel()
    assert part.cancelled


def test_many_parts_may_begin_while_the_whole_is_cancelled() -> None:
    whole, parts = Cancellation(), []
    start = threading.Barrier(5)

    def begin() -> None:
        start.wait(60)
        parts.extend([Cancellation.within(whole) for _ in range(200)])

    with TaskGroup() as group:
        for _ in range(4):
            group.start(begin)
        start.wait(60)
        whole.cancel()
    assert len(parts) == 800
    assert all(part.cancelled for part in parts)


# --- TaskGroup


def test_leaving_waits_for_every_thread() -> None:
    gate, done = threading.Event(), []

    def work(number: int) -> None:
        gate.wait(60)
        done.append(number)

    with TaskGroup() as group:
        for number in range(5):
            group.start(work, number)
        gate.set()
    assert sorted(done) == [0, 1, 2, 3, 4]


def test_an_error_of_a_child_cancels_the_others_and_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        _in_group(waits_to_be_cancelled, lambda _: fails())


def test_an_error_of_the_block_cancels_the_children_and_is_raised() -> None:
    group = TaskGroup()
    with pytest.raises(KeyError), group:  # noqa: PT012 - the block is what is tested
        group.start(waits_to_be_cancelled, group.cancellation)
        raise KeyError


def test_the_first_error_is_the_one_that_is_raised() -> None:
    def second(cancellation: Cancellation) -> None:
        cancellation.wake.wait(60)
        raise KeyError

    with pytest.raises(ZeroDivisionError):
        _in_group(second, lambda _: fails())


def _in_group(*works: Callable[[Cancellation], None]) -> None:
    with TaskGroup() as group:
        for work in works:
            group.start(work, group.cancellation)


def test_an_error_inside_is_no_affair_of_the_whole() -> None:
    whole = Cancellation()
    with pytest.raises(ZeroDivisionError), TaskGroup(whole) as group:
        group.start(fails)
    assert not whole.cancelled


def test_cancelling_from_outside_reaches_the_children() -> None:
    whole = Cancellation()
    with TaskGroup(whole) as group:
        group.start(waits_to_be_cancelled, group.cancellation)
        whole.cancel()


def test_a_child_may_start_children() -> None:
    done = []
    with TaskGroup() as group:
        group.start(lambda: group.start(lambda: done.append(1)))
    assert done == [1]


@pytest.mark.skipif(os.name == "nt", reason="Windows delivers no signal to a process of its own choosing")
def test_ctrl_c_while_waiting_cancels_the_children_and_still_waits_for_them() -> None:
    ended = []
    waiting = threading.main_thread().ident
    assert waiting is not None

    def work(cancellation: Cancellation) -> None:
        while not any(frame.name == "_join" for frame in traceback.extract_stack(sys._current_frames()[waiting])):
            pass
        os.kill(os.getpid(), signal.SIGINT)
        assert cancellation.wake.wait(60)
        ended.append(True)

    with pytest.raises(KeyboardInterrupt), TaskGroup() as group:
        group.start(work, group.cancellation)
    assert ended == [True]


@pytest.mark.skipif(os.name == "nt", reason="Windows delivers no signal to a process of its own choosing")
def test_ctrl_c_ends_what_waits_for_a_peer_further_out() -> None:
    class Peer:
        over = threading.Event()

        def cut(self) -> None:
            self.over.set()

    whole, peer, waiting = Cancellation(), Peer(), threading.main_thread().ident
    whole.on_silence(peer.cut)
    assert waiting is not None

    def work() -> None:
        while not any(frame.name == "_join" for frame in traceback.extract_stack(sys._current_frames()[waiting])):
            pass
        os.kill(os.getpid(), signal.SIGINT)
        assert peer.over.wait(60)

    with pytest.raises(KeyboardInterrupt), TaskGroup(whole) as group:
        group.start(work)
    assert peer.over.is_set()
    assert whole.cancelled


# --- in_parallel


@pytest.mark.parametrize("threads", [1, 3, 50])
def test_results_come_in_the_order_given(threads: int) -> None:
    assert in_parallel(lambda number: number * number, range(20), threads) == [number * number for number in range(20)]


def test_nothing_given_is_nothing_done() -> None:
    assert in_parallel(lambda _: fails(), [], 4) == []


def test_work_is_done_side_by_side() -> None:
    barrier = threading.Barrier(4)
    assert len(in_parallel(lambda _: barrier.wait(60), range(8), 4)) == 8


def test_the_first_error_stops_the_taking_of_work() -> None:
    done = []

    def work(number: int) -> None:
        done.append(number)
        if number == 3:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_parallel(work, range(100), 1)
    assert done == [0, 1, 2, 3]


def test_cancelled_work_is_interrupted() -> None:
    whole, done = Cancellation(), []

    def work(number: int) -> None:
        done.append(number)
        if number == 5:
            whole.cancel()

    with pytest.raises(Interrupted):
        in_parallel(work, range(100), 1, whole)
    assert len(done) == 6


def test_a_stop_after_the_last_piece_comes_too_late() -> None:
    whole = Cancellation()
    assert in_parallel(lambda _: whole.cancel(), [1], 1, whole) == [None]


def test_what_waits_out_of_reach_is_roused_once_the_work_is_cancelled() -> None:
    class Peer:
        """Says nothing until it is cut off."""

        def __init__(self) -> None:
            self.over = threading.Event()

        def cut(self) -> None:
            self.over.set()

    whole, peer, other = Cancellation(), Peer(), Peer()
    whole.on_silence(peer.cut)
    with TaskGroup(whole) as group:
        group.cancellation.on_silence(other.cut)
        group.start(peer.over.wait, 20)
        whole.cancel()
    assert peer.over.is_set()
    assert other.over.is_set()


def test_a_part_that_fails_rouses_nobody_outside() -> None:
    cut: list[str] = []

    class Peer:
        def cut(self) -> None:
            cut.append("roused")

    whole, peer = Cancellation(), Peer()
    whole.on_silence(peer.cut)
    part = Cancellation.within(whole)
    part.cancel()
    part.end_silence()
    assert cut == []
    whole.cancel()
    part.end_silence()
    assert cut == ["roused"]


def test_a_thread_that_is_just_starting_is_not_taken_for_one_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a number before it says that it is alive; on a busy machine somebody looks between the two."""
    names = threading.Thread._set_native_id  # type: ignore[attr-defined]  # what CPython calls between them

    with TaskGroup() as group:

        def looked_at(thread: threading.Thread) -> None:
            assert thread.ident is not None
            assert not thread.is_alive()
            group._bury()
            names(thread)

        monkeypatch.setattr(threading.Thread, "_set_native_id", looked_at)
        done: list[int] = []
        group.start(done.append, 1)
    assert done == [1]
    assert not group.cancellation.cancelled
