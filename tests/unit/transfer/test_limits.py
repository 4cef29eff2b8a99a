"""A run that may move only so many bytes, or only at some hours: it stops cleanly, and goes on where it stopped."""

from __future__ import annotations

import doctest
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.planning.scene import Scene
from tests.unit.transfer.recorder import FakeClock, Recorder
from transload.errors import UsageError
from transload.events import Event, ImageDone, RunPaused, RunResumed, StepMoved
from transload.testing.images import image
from transload.testing.layers import layer
from transload.threads import Cancellation
from transload.transfer import Limits, hours
from transload.transfer.hours import Hours
from transload.transfer.limits import ByteBudget, Paused

NOON_S = 1_768_305_600  # 2026-01-13T12:00:00Z


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def in_zone(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()


def moved(recorder: Recorder) -> int:
    """How many bytes moved: all steps of these positions, without those that were there before."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for event in recorder.of(StepMoved):
        first.setdefault(event.step, event.position)
        last[event.step] = event.position
    return sum(last[step] - first[step] for step in last)


# --- hours


def test_examples() -> None:
    assert doctest.testmod(hours).failed == 0


@pytest.mark.parametrize(
    ("text", "hour", "minute", "on"),
    [
        ("08:00-17:00", 7, 59, False),
        ("08:00-17:00", 8, 0, True),
        ("8:00-17:00", 16, 59, True),
        ("08:00-17:00", 17, 0, False),
        ("22:00-05:00", 23, 0, True),
        ("22:00-05:00", 4, 59, True),
        ("22:00-05:00", 5, 0, False),
        ("22:00-24:00", 23, 59, True),
        ("22:00-24:00", 0, 0, False),
        ("00:00-24:00", 0, 0, True),
        ("01:00-02:00,12:00-13:00", 12, 30, True),
        ("01:00-02:00,12:00-13:00", 3, 0, False),
    ],
)
def test_a_moment_is_inside_or_outside(text: str, hour: int, minute: int, on: bool) -> None:
    midnight_s = NOON_S - 12 * 3600
    assert Hours.parse(text).are_on(midnight_s + 3600 * hour + 60 * minute) is on


@pytest.mark.parametrize("text", ["22:00-05:00", "22:00-24:00", "00:00-24:00", "01:00-02:00,12:00-24:00"])
def test_hours_are_written_as_they_are_read(text: str) -> None:
    assert str(Hours.parse(text)) == text
    assert Hours.parse(str(Hours.parse(text))) == Hours.parse(text)


def test_when_the_next_hours_begin() -> None:
    several = Hours.parse(["01:00-02:00", "20:15-21:00"])
    assert several.next_begin(NOON_S) == "20:15"
    assert several.next_begin(NOON_S + 10 * 3600) == "01:00"


def test_the_clock_on_the_wall_decides_when_the_clocks_change(monkeypatch: pytest.MonkeyPatch) -> None:
    in_zone(monkeypatch, "Europe/Berlin")
    night = Hours.parse("02:00-03:00")
    spring_s = 1_774_746_000  # 2026-03-29T01:00:00Z: 02:00 becomes 03:00
    assert [night.are_on(spring_s + shift) for shift in (-60, 0, 3599)] == [False, False, False]
    autumn_s = 1_792_886_400  # 2026-10-25T00:00:00Z: 02:00, and at 01:00Z it is 02:00 again
    assert [night.are_on(autumn_s + shift) for shift in (-60, 0, 3599, 3600, 7199, 7200)] == [False, *[True] * 4, False]


@pytest.mark.parametrize(
    "text",
    ["", "22", "22-5", "22:00", "25:00-05:00", "22:60-05:00", "22:00-24:01", "24:00-01:00", "-", "٢٢:00-05:00", "a"],
)
def test_what_is_no_time_of_the_day(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time of the day"):
        Hours.parse(text)


def test_hours_that_are_empty() -> None:
    with pytest.raises(UsageError, match="begins and ends at the same time"):
        Hours.parse("05:00-05:00")


# --- bytes


def test_a_blob_begins_only_if_all_of_it_fits() -> None:
    budget = ByteBudget(100)
    assert budget.begin(1, 60)
    assert not budget.begin(2, 50)
    assert budget.spent
    assert budget.begin(3, 40)


def test_the_first_blob_begins_even_if_it_is_larger_and_stops_at_the_limit() -> None:
    budget = ByteBudget(100)
    assert budget.begin(1, 1000)
    budget.move(1, 100)
    with pytest.raises(Paused):
        budget.move(1, 1)
    assert budget.spent


def test_what_is_sent_again_counts_again() -> None:
    budget = ByteBudget(100)
    assert budget.begin(1, 60)
    budget.move(1, 60)
    budget.move(1, 40)
    with pytest.raises(Paused):
        budget.move(1, 20)


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError):
        Limits(max_bytes=0)


# --- a run with so many bytes


def release(scene: Scene) -> tuple[str, ...]:
    """Three images of a layer each; `c` is the smallest."""
    for name, size in (("a", 600_000), ("b", 500_000), ("c", 300_000)):
        scene.publish(image(name, (layer(name, size),)), f"{name}:1")
    return ("a:1", "b:1", "c:1")


def test_it_stops_between_blobs_and_the_next_run_does_the_rest() -> None:
    scene, recorder = Scene(), Recorder()
    names = release(scene)
    outcome = scene.run(scene.plan(*names), listen=recorder, limits=Limits(max_bytes=850_000), bodies=4)
    assert (outcome.out_of_bytes, outcome.interrupted) == (True, False)
    assert [(image.done, image.error) for image in outcome.images] == [(False, None), (True, None), (True, None)]
    assert moved(recorder) <= 850_000
    again, second = scene.plan(*names), Recorder()
    assert [image.status for image in again.images] == ["new", "unchanged", "unchanged"]
    outcome = scene.run(again, listen=second, limits=Limits(max_bytes=850_000))
    assert not outcome.out_of_bytes
    assert all(image.done and image.error is None for image in outcome.images)
    assert moved(second) == again.copied.bytes


def test_a_blob_that_is_larger_than_all_the_bytes_comes_in_parts() -> None:
    scene = Scene()
    names = ("x:1",)
    scene.publish(image("x", (layer("x", 900_000),)), "x:1")
    total, runs = scene.plan(*names).copied.bytes, 0
    counted = 0
    while scene.plan(*names).images[0].status != "unchanged":
        recorder = Recorder()
        outcome = scene.run(scene.plan(*names), listen=recorder, limits=Limits(max_bytes=400_000))
        assert moved(recorder) <= 400_000
        counted, runs = counted + moved(recorder), runs + 1
        assert outcome.out_of_bytes is (scene.plan(*names).images[0].status != "unchanged")
        assert runs < 6
    assert runs in {3, 4}  # each run ends before the piece that would be too much
    assert counted == total


def test_less_than_a_piece_at_a_time_arrives_too() -> None:
    scene, counted = Scene(), 0
    scene.publish(image("x", (layer("x", 5000),)), "x:1")
    total = scene.plan("x:1").copied.bytes
    while scene.plan("x:1").images[0].status != "unchanged":
        recorder = Recorder()
        scene.run(scene.plan("x:1"), listen=recorder, limits=Limits(max_bytes=1000))
        assert 0 < moved(recorder) <= 1000
        counted += moved(recorder)
    assert counted == total


def test_without_a_journal_no_blob_moves_twice() -> None:
    """The plan does not know what an earlier run brought, as without a state folder: the target is asked."""
    scene, counted = Scene(), 0
    scene.publish(image("x", tuple(layer(name, 600_000) for name in "abcd")), "x:1")
    plan = scene.plan("x:1")
    left = []
    for _ in "abcd":
        recorder = Recorder()
        outcome = scene.run(plan, listen=recorder, limits=Limits(max_bytes=700_000), bodies=4)
        counted += moved(recorder)
        left.append(outcome.out_of_bytes)
    assert (left, counted) == ([True, True, True, False], plan.copied.bytes)


def test_enough_bytes_change_nothing() -> None:
    scene, recorder = Scene(), Recorder()
    plan = scene.plan(*release(scene))
    outcome = scene.run(plan, listen=recorder, limits=Limits(max_bytes=plan.copied.bytes))
    recorder.check(plan, outcome)
    assert not outcome.out_of_bytes


# --- a run at some hours


class Wall(FakeClock):
    """A clock whose time of the day is set by hand."""

    def __init__(self, wall_s: float) -> None:
        super().__init__()
        self.wall = wall_s

    def wall_s(self) -> float:
        return self.wall


class Hourly(Recorder):
    """Closes the hours in the middle of the first large blob, and opens them when the run has paused."""

    def __init__(self, clock: Wall) -> None:
        super().__init__()
        self._clock = clock
        self._closed = False

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if isinstance(event, StepMoved) and event.position > 60_000 and not self._closed:
            self._closed = True
            self._clock.wall += 12 * 3600
            self._clock.now_s += 2
        if isinstance(event, RunPaused):
            threading.Timer(0.05, self._open).start()

    def _open(self) -> None:
        self._clock.wall += 12 * 3600
        self._clock.now_s += 12 * 3600


def test_it_pauses_in_the_middle_of_a_blob_and_goes_on_there() -> None:
    scene, clock = Scene(), Wall(NOON_S)
    plan = scene.plan(*release(scene))
    recorder = Hourly(clock)
    outcome = scene.run(plan, listen=recorder, limits=Limits(between="08:00-17:00"), clock=clock, bodies=1)
    assert all(image.done and image.error is None for image in outcome.images)
    assert [type(event) for event in recorder.events if isinstance(event, (RunPaused, RunResumed))] == [
        RunPaused,
        RunResumed,
    ]
    assert recorder.of(RunPaused) == [RunPaused("08:00")]
    assert recorder.of(RunResumed)[0].paused_s >= 12 * 3600
    assert moved(recorder) == plan.copied.bytes
    at = recorder.events.index(recorder.of(RunPaused)[0])
    resumed = recorder.events.index(recorder.of(RunResumed)[0])
    meanwhile = recorder.events[at:resumed]
    # A blob may begin at the moment of the pause, with no byte.
    assert not [event for event in meanwhile if isinstance(event, StepMoved) and event.position]
    assert not [event for event in meanwhile if isinstance(event, ImageDone)]


def test_outside_its_hours_it_waits_until_it_is_cancelled() -> None:
    scene, clock = Scene(), Wall(NOON_S)
    plan = scene.plan(*release(scene))

    class Leaving(Recorder):
        def __call__(self, event: Event) -> None:
            super().__call__(event)
            if isinstance(event, RunPaused):
                cancellation.cancel()

    cancellation, recorder = Cancellation(), Leaving()
    limits = Limits(between="22:00-05:00")
    outcome = scene.run(plan, listen=recorder, limits=limits, clock=clock, cancellation=cancellation)
    assert (outcome.interrupted, outcome.out_of_bytes) == (True, False)
    assert not recorder.of(StepMoved)
    assert os.environ["TZ"] == "UTC"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"max_bytes": 1.5}, "max_bytes must be int or str, not float"),
        ({"max_bytes": True}, "max_bytes must be int or str, not bool"),
        ({"between": 5}, "between must be str, not int"),
        ({"between": ["22:00-05:00", 5]}, "between must be str, not int"),
        ({"between": b"22:00-05:00"}, "between must be str, not int"),
    ],
)
def test_limits_of_a_wrong_type(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        Limits(**wrong)
