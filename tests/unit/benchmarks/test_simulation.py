"""The simulation: virtual time, wires that share, and runs that are as fast there as they can be."""

from __future__ import annotations

from functools import partial

import pytest

from benchmarks.simulation.copying import copied
from benchmarks.simulation.optimum import optimum_s
from benchmarks.simulation.topologies import MB, End, Topology, alike, grid, quick
from benchmarks.simulation.virtual import Stuck, Virtual
from benchmarks.simulation.wires import Flow, Link, Payload, size_of
from benchmarks.simulation.world import simulated
from transload.transfer.bodyorder import in_order_of_images


def test_time_moves_only_when_all_wait() -> None:
    with simulated() as virtual:
        order: list[tuple[str, float]] = []

        def sleeper(name: str, seconds: float) -> None:
            virtual.sleep_s(seconds)
            order.append((name, virtual.now_s))

        threads = [virtual.threading.Thread(target=sleeper, args=each) for each in (("b", 3600.0), ("a", 60.0))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert order == [("a", 60.0), ("b", 3600.0)]


def test_a_condition_wakes_in_order_and_a_lock_goes_to_who_waited_longest() -> None:
    with simulated() as virtual:
        changed, order = virtual.threading.Condition(), list[int]()

        def waiter(number: int) -> None:
            with changed:
                assert changed.wait(100)
                virtual.sleep_s(1)
                order.append(number)

        threads = [virtual.threading.Thread(target=waiter, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        virtual.sleep_s(10)
        with changed:
            changed.notify_all()
        for thread in threads:
            thread.join()
        assert order == [0, 1, 2]
        assert virtual.now_s == 13


def test_a_wait_without_end_is_an_error() -> None:
    with pytest.raises(Stuck, match="main"), simulated() as virtual:
        virtual.threading.Event().wait()


def _carried(virtual: Virtual, rates: list[float], shared: float, seconds: float) -> list[int]:
    link, counts = Link(virtual, shared), [0] * len(rates)

    def deliver(at: int, payload: Payload) -> None:
        counts[at] += size_of(payload)
        flows[at].take(size_of(payload))

    flows = [Flow(virtual, (Link(virtual, rate), link), 0.01, partial(deliver, at)) for at, rate in enumerate(rates)]
    for flow in flows:
        flow.push(1000 * MB)
    virtual.sleep_s(seconds)
    return counts


def test_a_link_is_shared_evenly_and_what_one_cannot_use_goes_to_the_others() -> None:
    with simulated() as virtual:
        slow, *fast = _carried(virtual, [1 * MB, 50 * MB, 50 * MB], 9 * MB, 10)
        assert slow == pytest.approx(10 * MB, rel=0.05)
        assert fast == pytest.approx([40 * MB, 40 * MB], rel=0.05)


def test_a_connection_carries_a_window_in_a_round_trip() -> None:
    with simulated() as virtual:
        (count,) = _carried(virtual, [1000 * MB], 1000 * MB, 2)
        assert count == pytest.approx(2 / 0.02 * (4 << 20), rel=0.05)


@pytest.mark.parametrize("topology", quick(), ids=lambda each: f"{each.kind}: {each.name}")
def test_a_copy_is_about_as_fast_as_it_can_be(topology: Topology) -> None:
    result = copied(topology)
    assert not result.error
    assert result.is_good, f"{result.took_s} s, where {result.optimum_s} s are possible"


@pytest.mark.parametrize("order", ["as it is", "reversed", "image after image only"])
def test_a_wrong_order_of_bodies_is_noticed(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = in_order_of_images
    wrong = {
        "as it is": real,
        "reversed": lambda *plan, **most: tuple(reversed(real(*plan, **most))),
        "image after image only": lambda plan, *_, **__: real(plan, 1),
    }
    monkeypatch.setattr("transload.transfer.engine.in_order_of_images", wrong[order])
    cases = [each for each in grid() if each.kind == "order of bodies" and each.bytes < 120 * MB]
    assert [copied(each).is_good for each in cases] == [order == "as it is"] * len(cases)
    assert len(cases) == 3


def test_readers_of_parts_that_find_no_slot_are_not_replaced_at_once() -> None:
    """The slots were fewer than the connections that the level allowed: thousands of threads began and ended."""
    (topology,) = (each for each in grid() if each.kind == "few connections" and each.name == "8 at the source, 50 ms")
    assert copied(topology).threads < 200


def test_a_connection_that_starts_slowly_is_not_given_up_as_slow() -> None:
    """Others took over after half a second, started as slowly, and were given up as well: 7 s instead of 4.6."""
    name = "200 ms at the source, 25 MB/s, 60 MB"
    (topology,) = (each for each in grid() if each.kind == "slow start" and each.name == name)
    assert copied(topology).is_good


@pytest.mark.parametrize("topology", [each for each in grid() if each.kind == "bytes of a run"], ids=lambda it: it.name)
def test_with_a_budget_of_bytes_no_more_runs_are_needed_than_the_bytes_ask_for(topology: Topology) -> None:
    assert copied(topology).runs == topology.runs


def test_slow_start_doubles_what_a_connection_carries_in_each_round_trip() -> None:
    with simulated() as virtual:
        came: list[int] = []

        def deliver(payload: Payload) -> None:
            came.append(size_of(payload))
            flow.take(came[-1])

        flow = Flow(virtual, (), 0.5, deliver, slow_start=True)
        flow.push(100 * MB)
        virtual.sleep_s(3.9)
        assert came == [14_600, 29_200, 58_400, 116_800]


def test_a_simulation_comes_out_the_same_each_time() -> None:
    topology = quick()[0]
    first, second = copied(topology), copied(topology)
    assert (first.took_s, first.requests) == (second.took_s, second.requests)


def test_the_optimum_is_the_narrowest_place() -> None:
    topology = Topology(kind="", name="", images=alike(10, 10 * MB), source=End(), targets=(End(),))
    assert optimum_s(topology) < 0.2
