"""How many bodies move at a time is found on simulated lines, without real time, so that all of it is repeatable."""

from __future__ import annotations

import json

import pytest

from tests.unit.registry.lines import Line, Simulated, SimulatedClock, simulated
from transload.registry.capabilities import Capabilities
from transload.registry.climbing import Climb
from transload.registry.level import AT_FIRST, FAR_AT_FIRST, Level

NOISES = [(noise, seed) for noise in (0.0, 0.3) for seed in (1, 2, 3)]


def lan(noise: float = 0.0, seed: int = 1) -> Line:
    """1 Gbit and 1 ms, which one connection fills."""
    return Line(each=125e6, whole=125e6, delay_s=0.001, body=7e6, noise=noise, seed=seed)


def settled(simulation: Simulated) -> int:
    """The number that was in force most of the second half of the time."""
    half = [level for _, level in simulation.history[len(simulation.history) // 2 :]]
    return max(set(half), key=half.count)


@pytest.mark.parametrize(("noise", "seed"), NOISES)
def test_a_long_line_that_limits_each_connection_gets_more_within_the_first_moments(noise: float, seed: int) -> None:
    simulation = simulated(Line(noise=noise, seed=seed))
    simulation.run(0.4)
    assert simulation.level.at_a_time == 14
    simulation.run(5)
    assert settled(simulation) == 14


@pytest.mark.parametrize(("noise", "seed"), NOISES)
def test_bodies_that_end_do_not_hide_what_more_connections_carry(noise: float, seed: int) -> None:
    simulation = simulated(Line(noise=noise, seed=seed, body=7e6))
    simulation.run(2)
    assert simulation.level.at_a_time == 14


@pytest.mark.parametrize(("noise", "seed"), NOISES)
def test_a_full_line_is_no_slower_than_with_a_fixed_number(noise: float, seed: int) -> None:
    simulation = simulated(lan(noise, seed))
    fixed = simulated(lan(noise, seed), most=AT_FIRST)
    assert simulation.run(10) >= 0.99 * fixed.run(10)
    assert settled(simulation) <= 10


def test_it_grows_step_by_step_as_long_as_the_line_carries_more() -> None:
    simulation = simulated(Line(whole=500e6, noise=0.1, body=10e6), most=60)
    simulation.run(20)
    assert 20 <= settled(simulation) <= 40  # 25 fill it while all of them carry; some are always between two bodies


def test_a_slow_line_of_600_ms_gets_more_too() -> None:
    simulation = simulated(Line(each=2e6, delay_s=0.6, noise=0.3))
    simulation.run(10)
    assert simulation.level.at_a_time == 14


@pytest.mark.parametrize("bearable", [4, 10])
def test_it_stays_below_the_number_that_was_refused(bearable: int) -> None:
    simulation = simulated(Line(refuses=bearable + 1, noise=0.1, body=5e6))
    simulation.run(30)
    assert bearable // 2 < settled(simulation) <= bearable
    assert simulation.refusals < 20


def test_a_server_that_is_slower_with_more_gets_fewer() -> None:
    slower = Line(each=1e9, serves=lambda count: 200e6 * max(0.1, 1 - 0.07 * count), noise=0.1, body=5e6)
    simulation = simulated(slower)
    simulation.run(30)
    assert settled(simulation) < AT_FIRST


def test_answers_that_come_late_mean_fewer() -> None:
    line = Line(each=50e6, whole=100e6, delay_s=0.02, body=5e6)
    simulation = simulated(line, at_first=3)
    simulation.run(3)
    line.answers_after_s = lambda count: 2.0 if count > 2 else 0.0
    simulation.level._climb._fall_to(12)  # as if it had been useful until now
    simulation.run(60)
    assert settled(simulation) < 12


def test_what_did_not_help_is_tried_again_later_and_less_and_less_often() -> None:
    simulation = simulated(lan())
    simulation.run(60)
    starts = [
        at_s
        for (at_s, level), (_, before) in zip(simulation.history[1:], simulation.history, strict=False)
        if level > before and level > AT_FIRST
    ]
    gaps = [later - earlier for earlier, later in zip(starts, starts[1:], strict=False)]
    assert len(gaps) >= 2
    assert gaps[-1] > 2 * gaps[0]


def test_a_number_that_first_filled_buffers_does_not_hide_that_more_carry_more() -> None:
    """The target's connections take megabytes at the speed of the source, before anybody has carried them."""
    climb = Climb(level=8)
    climb.measured(80e6, 14)
    assert climb.level == 14
    climb.measured(14e6, 14)
    assert climb.level == 8, "it looks as if more carried less"
    climb.measured(8e6, 14)
    assert climb.level == climb.useful == 14, "now the number before carries less, too"
    climb.measured(14e6, 14)
    assert climb.level == 14


def test_more_that_carried_a_little_more_is_not_taken_for_more() -> None:
    climb = Climb(level=8)
    for rate in (10e6, 10e6, 9e6, 9e6):
        climb.measured(rate, 14)
    assert climb.level == 8


def test_a_line_that_becomes_wider_is_noticed() -> None:
    line = Line(whole=160e6, body=5e6)
    simulation = simulated(line)
    simulation.run(5)
    line.whole = float("inf")
    simulation.run(30)
    assert simulation.level.at_a_time == 14


def test_what_is_remembered_is_where_it_starts_and_what_is_found_is_told() -> None:
    clock, found = SimulatedClock(), list[int]()
    level = Level(clock, 14, at_first=12, found=found.append)
    assert level.at_a_time == 12
    Simulated(Line(), level, clock).run(1)
    assert found[-1] == 14


def test_over_a_long_wire_more_bodies_begin_at_a_time() -> None:
    level = Level(SimulatedClock(), 20)
    level.heard(0.6)
    assert level.at_a_time == FAR_AT_FIRST
    level.heard(0.02)
    assert level.at_a_time == AT_FIRST, "the first answer was late for another reason"
    known = Level(SimulatedClock(), 20, at_first=5)
    known.heard(0.6)
    assert known.at_a_time == 5, "what was found by an earlier run counts more"


def test_without_enough_bodies_nothing_is_learnt() -> None:
    clock, found = SimulatedClock(), list[int]()
    level = Level(clock, 14, found=found.append)
    Simulated(Line(noise=0.2, body=5e6), level, clock, wanted=5).run(5)
    assert (level.at_a_time, found) == (AT_FIRST, [])


# --- counting


def test_extra_connections_are_given_only_if_no_body_wants_them() -> None:
    level = Level(SimulatedClock(), 14, at_first=4)
    with level.claim(14, lambda: None) as claim:
        claim.want(1, 1)
        level.enter()
        assert [level.take() for _ in range(4)] == [True, True, True, False]
        assert not level.gives_way
        claim.want(3, 3)
        assert level.gives_way
        assert claim.has_room(1)
        level.leave(taken=True)
        level.leave(taken=True)
        assert not level.gives_way
        assert not level.take()
    assert level.in_use == 2


def test_what_a_run_allows_is_never_exceeded_not_even_by_extra_connections() -> None:
    level = Level(SimulatedClock(), 14)
    with level.claim(4, lambda: None) as claim:
        claim.want(1, 1)
        level.enter()
        assert [level.take() for _ in range(5)] == [True, True, True, False, False]
        assert not claim.has_room(1), "the three extra connections have not ended yet"
        level.leave(taken=True)
        assert claim.has_room(1)
    assert level.most == 14


def test_a_body_need_not_wait_for_extra_connections_that_are_not_called_back() -> None:
    level = Level(SimulatedClock(), 14, at_first=14, beyond=6)
    with level.claim(20, lambda: None) as claim:
        claim.want(9, 9)
        for _ in range(5):
            level.enter()
        assert [level.take() for _ in range(12)] == [True] * 11 + [False], "nine of twenty are for bodies"
        assert not level.gives_way
        assert claim.has_room(5)
        assert claim.has_room(8)


def test_beyond_the_most_there_are_extra_connections_until_they_are_needed_elsewhere() -> None:
    clock = SimulatedClock()
    level = Level(clock, 4, beyond=2)
    level.enter()
    assert [level.take() for _ in range(6)] == [True] * 5 + [False]
    assert not level.gives_way
    level.gave_way()
    assert level.gives_way
    level.leave(taken=True)
    level.leave(taken=True)
    assert not level.gives_way
    assert not level.take()
    clock.now_s += 6
    assert level.take()
    with level.claim(3, lambda: None):
        assert level.gives_way, "what a run allows counts for them too"


def test_a_run_is_told_when_there_is_room() -> None:
    told = list[str]()
    level = Level(SimulatedClock(), 14)
    with level.claim(4, lambda: told.append("room")):
        level.enter()
        assert level.take()
        level.leave(taken=True)
        assert told == ["room"]
        level.leave()
    assert told == ["room"], "a run knows by itself when its own bodies end"


def test_the_other_side_of_a_copy_only_asks_for_fewer() -> None:
    clock = SimulatedClock()
    level = Level(clock, 14)
    with level.claim(16, lambda: None, leads=False) as claim:
        assert claim.at_a_time == 14
        for _ in range(10):
            level.enter()
        level.crowded()
        assert claim.at_a_time == 5
        clock.now_s += 0.5
        level.crowded()
        assert claim.at_a_time == 5, "refusals that come together count as one"
        for _ in range(7):
            level.leave()
        for _ in range(500):
            clock.now_s += 0.01
            level.moved(1 << 16)
        assert 5 < claim.at_a_time <= 9


def test_when_a_registry_refuses_large_bodies_are_halved_however_many_small_ones_there_were() -> None:
    level = Level(SimulatedClock(), 14)
    with level.claim(14, lambda: None) as claim:
        for _ in range(AT_FIRST + 10):
            level.enter()
        level.crowded()
        assert claim.at_a_time == AT_FIRST // 2


@pytest.mark.parametrize("odd", [True, 0, -1, 65, 2.5, "8", None])
def test_only_a_useful_number_is_taken_from_what_is_remembered(odd: object) -> None:
    assert Capabilities.from_json({"reads_at_a_time": odd}).at_a_time("reads") is None


def test_a_number_is_remembered_for_each_direction() -> None:
    known = Capabilities()
    known.reads_well(14)
    known.writes_well(5)
    again = Capabilities.from_json(json.loads(json.dumps(known.to_json())))
    assert (again.at_a_time("reads"), again.at_a_time("writes")) == (14, 5)
