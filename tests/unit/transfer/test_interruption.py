"""Stopped in the middle: nothing half done is visible, what can be parked is, and the next run does the rest."""

import threading
from pathlib import Path

import pytest

from tests.unit.planning.scene import Scene
from tests.unit.transfer.recorder import FakeClock, Recorder
from transload.errors import NotFound
from transload.events import Event, ImageDone, StepDone, StepMoved
from transload.layout import LayoutStore
from transload.oci import Name
from transload.testing import faults
from transload.testing.images import image
from transload.testing.layers import layer
from transload.threads import Cancellation

BIG = layer("big", 300_000)
IMAGE = image("a", (BIG, 100))


class Stopping(Recorder):
    """Cancels when `when` says so of an event."""

    def __init__(self, when) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.cancellation = Cancellation()
        self._when = when

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if self._when(event):
            self.cancellation.cancel()


def in_the_middle(event: Event) -> bool:
    return isinstance(event, StepMoved) and event.position >= 131_072


@pytest.mark.parametrize("kind", ["memory", "layout"])
def test_an_interrupted_blob_is_parked_and_taken_up_again(kind: str, tmp_path: Path) -> None:
    scene = Scene(target=LayoutStore(tmp_path / "layout", create=True) if kind == "layout" else None)
    scene.publish(IMAGE, "a:1")
    plan, stopping = scene.plan("a:1"), Stopping(in_the_middle)
    outcome = scene.run(plan, listen=stopping, cancellation=stopping.cancellation, bodies=1, small=0)
    stopping.check(plan, outcome)
    assert outcome.interrupted
    assert [(each.done, each.error) for each in outcome.images] == [(False, None)]
    assert not scene.target.store.exists("a", BIG.descriptor)
    with pytest.raises(NotFound):
        scene.target.store.fetch(Name("a", "1"))
    again = scene.plan("a:1")
    recorder = Recorder()
    assert scene.run(again, listen=recorder).images[0].error is None
    positions = [each.position for each in recorder.of(StepMoved)]
    assert all(position >= 131_072 for position in positions if position > 50_000)
    assert scene.target.store.fetch(Name("a", "1")).digest == IMAGE.digest


def test_what_was_finished_stays_finished() -> None:
    scene = Scene()
    for name in ("a", "b", "c"):
        scene.publish(image(name, (100,)), f"{name}:1")
    plan = scene.plan("a:1", "b:1", "c:1")
    stopping = Stopping(lambda event: isinstance(event, ImageDone))
    outcome = scene.run(plan, listen=stopping, cancellation=stopping.cancellation, bodies=1, small=0)
    stopping.check(plan, outcome)
    done = [planned.label for planned, each in zip(plan.images, outcome.images, strict=True) if each.done]
    assert len(done) == 1
    assert scene.plan("a:1", "b:1", "c:1").count("unchanged") == 1


def test_stopping_before_the_first_step_does_nothing() -> None:
    scene, stopping = Scene(), Stopping(lambda _: True)
    scene.publish(IMAGE, "a:1")
    outcome = scene.run(scene.plan("a:1"), listen=stopping, cancellation=stopping.cancellation)
    assert outcome.interrupted
    assert not scene.source.calls
    assert not scene.target.calls


def test_a_stop_after_the_last_step_comes_too_late_to_interrupt() -> None:
    scene, stopping = Scene(), Stopping(lambda event: isinstance(event, StepDone) and event.how == "tagged")
    scene.publish(IMAGE, "a:1")
    plan = scene.plan("a:1")
    outcome = scene.run(plan, listen=stopping, cancellation=stopping.cancellation)
    stopping.check(plan, outcome)
    assert not outcome.interrupted
    assert outcome.images[0].done


def test_waiting_for_the_next_attempt_is_cut_short() -> None:
    class StopsWhileSleeping(FakeClock):
        def sleep_s(self, seconds: float, wake: threading.Event | None = None) -> None:
            super().sleep_s(seconds, wake)
            assert wake is not None
            cancellation.cancel()
            assert wake.is_set(), "the sleeper is woken"

    scene, cancellation, clock = Scene(), Cancellation(), StopsWhileSleeping()
    scene.publish(IMAGE, "a:1")
    plan = scene.plan("a:1")
    scene.script(faults.fails("open", times=9))
    outcome = scene.run(plan, cancellation=cancellation, clock=clock, bodies=1, small=0)
    assert outcome.interrupted
    assert len(clock.slept_s) == 1


def test_stopping_one_run_is_no_affair_of_the_next() -> None:
    """The token of the whole program outlives a run; a bug in one part must not cancel it."""
    scene, cancellation = Scene(), Cancellation()
    scene.publish(IMAGE, "a:1")
    plan = scene.plan("a:1")
    scene.script(faults.fails("open", _breaks))
    with pytest.raises(ZeroDivisionError):
        scene.run(plan, cancellation=cancellation)
    assert not cancellation.cancelled
    scene.script()
    assert scene.run(plan, cancellation=cancellation).images[0].error is None


def _breaks():  # type: ignore[no-untyped-def]
    raise ZeroDivisionError
