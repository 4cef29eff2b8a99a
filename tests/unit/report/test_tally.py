"""The tally's numbers agree with the plan, with the engine, and with what an engine may do wrong."""

from __future__ import annotations

import pytest

from tests.unit.report.replay import MIB, SOURCE, Replay, StoppedClock, Trouble, Wanted, planned
from transload.errors import ServerTrouble
from transload.events import Event, RunStarted, StepDone, StepFailed, StepMoved, StepRetried, StepStarted
from transload.memory import MemoryStore
from transload.oci import Name
from transload.planning import Item, Plan, Request, make_plan
from transload.report.sentences import facts
from transload.report.tally import Tally, owners, together
from transload.testing.images import fill, image
from transload.testing.layers import layer
from transload.transfer import run


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


def bodies(plan: Plan) -> list[int]:
    return [step.id for step in plan.blob_steps() if step.origin is None]


def started(clock: StoppedClock, *wanted: Wanted) -> tuple[Tally, int, int]:
    """A tally whose largest blob has started: with that step's id and size."""
    plan = planned(wanted or (Wanted("arc-sqlmi", (500 * MIB,)),))
    tally = Tally(plan, clock)
    step = max(plan.blob_steps(), key=lambda step: step.descriptor.size)
    tally(RunStarted(len(plan.images), len(plan.steps), plan.copied.bytes))
    tally(StepStarted(step.id, "", step.label, step.descriptor.size))
    return tally, step.id, step.descriptor.size


def test_a_run_without_trouble_comes_to_what_was_planned(clock: StoppedClock) -> None:
    plan = planned()
    tally = Tally(plan, clock)
    for event in Replay(plan, clock, troubles=()):
        tally(event)
    now = tally.snapshot()
    assert (now.position, now.moved, now.total) == (plan.copied.bytes,) * 3
    assert now.images_done == now.images == len(plan.images)
    assert now.images_failed == 1  # the missing one; the optional one is excused
    assert now.finished
    assert now.left_s is None
    assert not now.running
    assert [counted.copied for counted in tally.images] == [one.copied for one in plan.images]
    assert [counted.mounted for counted in tally.images] == [one.mounted for one in plan.images]
    assert tally.steps["copied"] == plan.copied.blobs
    assert tally.steps["mounted"] == plan.mounted.blobs


def test_at_every_moment_the_numbers_make_sense(clock: StoppedClock) -> None:
    plan = planned()
    tally = Tally(plan, clock)
    moved = 0
    for event in Replay(plan, clock):
        tally(event)
        now = tally.snapshot()
        assert 0 <= now.position <= now.total
        assert now.moved >= moved
        assert now.left_s is None or now.left_s >= 0
        assert list(now.running) == sorted(now.running, key=lambda one: (-one.size, one.step))
        moved = now.moved
    assert moved > plan.copied.bytes  # one blob began anew
    assert tally.retries == 3
    assert tally.steps_failed == 1


def test_a_position_that_goes_back_is_taken_back_but_stays_moved(clock: StoppedClock) -> None:
    tally, step, _ = started(clock)
    for position in (0, 4 * MIB, 100 * MIB, 1 * MIB, 3 * MIB):
        tally(StepMoved(step, position))
    now = tally.snapshot()
    assert now.position == 3 * MIB
    assert now.moved == 103 * MIB


def test_what_an_earlier_run_left_is_progress_but_did_not_move(clock: StoppedClock) -> None:
    tally, step, _ = started(clock)
    tally(StepMoved(step, 300 * MIB))
    tally(StepMoved(step, 301 * MIB))
    now = tally.snapshot()
    assert now.position == 301 * MIB
    assert now.moved == 1 * MIB


def test_the_rate_is_that_of_the_last_seconds(clock: StoppedClock) -> None:
    tally, step, size = started(clock)
    for second in range(1, 21):
        clock.now_s += 1
        tally(StepMoved(step, second * MIB if second <= 10 else (10 + 5 * (second - 10)) * MIB))
    now = tally.snapshot()
    assert now.rate_bytes_per_s == pytest.approx(5 * MIB)
    assert now.left_s == pytest.approx((tally.total - 60 * MIB) / (59 * MIB / 20)), "by all of it so far"
    clock.now_s += 60
    assert tally.snapshot().rate_bytes_per_s == 0
    assert tally.snapshot().left_s is None


def test_the_time_left_is_told_only_while_it_can_be_known(clock: StoppedClock) -> None:
    tally, step, _ = started(clock)
    tally(StepMoved(step, 0))
    for second in range(1, 7):
        clock.now_s += 1
        tally(StepMoved(step, second * MIB))
        assert (tally.snapshot().left_s is None) is (second < 4)  # three seconds after the first bytes
    clock.now_s += 2
    assert tally.snapshot().left_s is not None
    clock.now_s += 2
    now = tally.snapshot()
    assert (now.left_s, now.still_s) == (None, 4.0)
    clock.now_s += 2
    assert "nothing new for 6.0 s" in facts(tally.snapshot())


def test_a_line_that_crawls_promises_no_end(clock: StoppedClock) -> None:
    tally, step, _ = started(clock)
    tally(StepMoved(step, 0))
    for second in range(1, 31):
        clock.now_s += 1
        tally(StepMoved(step, second * 32))
    assert tally.snapshot().left_s is None
    assert facts(tally.snapshot())[1:] == ["under 1 KiB/s", "0 of 1 image"]


def test_a_retry_shows_as_waiting_until_bytes_move_again(clock: StoppedClock) -> None:
    tally, step, _ = started(clock)
    tally(StepMoved(step, 5 * MIB))
    tally(StepRetried(step, ServerTrouble("502"), 1, 4.0))
    clock.now_s += 1
    assert tally.snapshot().running[0].waiting_s == pytest.approx(3.0)
    tally(StepMoved(step, 6 * MIB))
    assert tally.snapshot().running[0].waiting_s is None
    assert tally.images[0].retries == 1


def test_a_failed_blob_is_no_longer_waited_for(clock: StoppedClock) -> None:
    tally, step, size = started(clock)
    tally(StepMoved(step, 5 * MIB))
    tally(StepFailed(step, ServerTrouble("502")))
    now = tally.snapshot()
    assert now.position == 0
    assert tally.lost == size
    assert not now.running


def test_the_bytes_of_a_refused_mount_join_the_total(clock: StoppedClock) -> None:
    plan = planned((Wanted("a", (MIB,)), Wanted("b", (MIB,))))
    tally = Tally(plan, clock)
    mount = next(step for step in plan.blob_steps() if step.origin is not None)
    size = mount.descriptor.size
    tally(StepStarted(mount.id, "", mount.label, size))
    assert not tally.snapshot().running
    tally(StepMoved(mount.id, size))
    assert tally.snapshot().total == plan.copied.bytes + size
    tally(StepDone(mount.id, "copied", size, 1.0))
    assert tally.snapshot().position == size
    assert sum(counted.copied.bytes for counted in tally.images) == size


def test_a_step_belongs_to_the_first_image_that_needs_it() -> None:
    plan = planned()
    found = owners(plan)
    assert set(found) == {step.id for step in plan.steps}
    for number, one in enumerate(plan.images):
        own = [step for step in plan.blob_steps() if found[step.id] == number and step.origin is None]
        assert sum(step.descriptor.size for step in own) == one.copied.bytes


def test_the_engine_itself_is_tallied_right() -> None:
    source, target = MemoryStore(SOURCE), MemoryStore("registry.example")
    shared = layer("base", 300_000)
    for name in ("a", "b", "c"):
        fill(source, image(name, (shared, 40_000)), f"team/{name}", "1")
    items = tuple(Item(SOURCE, Name(f"team/{name}", "1"), Name(f"mirror/{name}", "1")) for name in "abc")
    plan = make_plan(Request(items), {SOURCE: source}, target)
    tally = Tally(plan)
    seen: list[Event] = []
    outcome = run(plan, {SOURCE: source}, target, listen=together(tally, seen.append))
    now = tally.snapshot()
    assert all(one.done and one.error is None for one in outcome.images)
    assert (now.position, now.moved) == (plan.copied.bytes, plan.copied.bytes)
    assert [counted.copied for counted in tally.images] == [one.copied for one in plan.images]
    assert tally.steps["mounted"] == 2
    assert len(seen) > len(plan.steps)


def test_an_image_lasts_from_its_first_step_to_its_end(clock: StoppedClock) -> None:
    plan = planned((Wanted("a", (45 * MIB,)), Wanted("b", (), "same")))
    tally = Tally(plan, clock)
    for event in Replay(plan, clock, (Trouble("a", retries=1),)):
        tally(event)
    assert tally.images[0].duration_s == pytest.approx(clock.now_s - 1000.0, abs=0.1)
    assert tally.images[1].duration_s is None
