"""Blobs that begin to move before their plan is known: taken over, counted once, noted, parked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.unit.planning.scene import SOURCE, TARGET, Scene
from tests.unit.planning.test_ahead import Far
from transload.errors import AccessDenied, DigestMismatch
from transload.events import Event, RunStarted, StepDone, StepMoved, StepRetried
from transload.oci import Descriptor
from transload.planning import Plan
from transload.ports import Chunk
from transload.testing.faults import fails
from transload.testing.images import image
from transload.threads import Cancellation
from transload.transfer import Journal, Outcome
from transload.transfer.headstart import HeadStart


class Gated(Far):
    """A source that gives a blob only when it may."""

    def __init__(self, locator: str) -> None:
        super().__init__(locator)
        self.asked, self.may = threading.Semaphore(0), threading.Event()

    @contextmanager
    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[Chunk]]:
        self.asked.release()
        self.may.wait(60)
        with super().open(repository, descriptor, offset, length) as chunks:
            yield chunks


def made(source: Far | None = None) -> tuple[Scene, Plan]:
    scene = Scene(source=source or Far(SOURCE), target=Far(TARGET))
    scene.publish(image("one", (300, 400)), "one:1")
    return scene, scene.plan("one:1")


def begun(scene: Scene, plan: Plan, journal: Journal | None = None, bodies: int = 2) -> HeadStart:
    """A head start of everything in the plan."""
    journal = journal or Journal()
    head = HeadStart(scene.sources, scene.target, journal, bodies=bodies, cancellation=Cancellation())
    head.begin([step for step in plan.blob_steps() if step.origin is None])
    return head


def all_well(outcome: Outcome) -> bool:
    return all(ended.done and ended.error is None for ended in outcome.images)


def test_what_is_under_way_is_taken_over_and_counted_once() -> None:
    source = Gated(SOURCE)
    scene, plan = made(source)
    head = begun(scene, plan, bodies=3)
    for _ in range(3):
        assert source.asked.acquire(timeout=60)
    told: list[Event] = []

    def listen(event: Event) -> None:
        told.append(event)
        if isinstance(event, RunStarted):
            source.may.set()

    assert all_well(scene.run(plan, listen=listen, head_start=head))
    head.close()
    assert not [subject for subject in scene.source.subjects if subject[0] == "open"], "the run itself read nothing"
    copied = [event for event in told if isinstance(event, StepDone) and event.how == "copied"]
    assert sum(event.size for event in copied) == plan.copied.bytes
    assert {event.step for event in told if isinstance(event, StepMoved)} == {step.id for step in plan.blob_steps()}


def test_what_has_not_begun_is_left_to_the_engine() -> None:
    source = Gated(SOURCE)
    scene, plan = made(source)
    head = begun(scene, plan, bodies=1)
    assert source.asked.acquire(timeout=60)
    assert len(head.hand_over()) == 1
    source.may.set()
    assert all_well(scene.run(plan, head_start=head))
    head.close()


def test_what_failed_is_done_by_the_engine() -> None:
    source = Gated(SOURCE)
    scene, plan = made(source)
    scene.script(fails("open", lambda: AccessDenied("not now", side="source")))
    head = begun(scene, plan, bodies=3)
    for _ in range(3):
        assert source.asked.acquire(timeout=60)
    source.may.set()
    assert [head.finished(step, lambda _: None) for step in plan.blob_steps()].count(False) == 1
    assert all_well(scene.run(plan, head_start=head))
    head.close()


def test_attempts_are_counted_on_after_the_head_start() -> None:
    """Two retries of a blob in a row were both told as attempt 2."""
    source = Gated(SOURCE)
    scene, plan = made(source)
    largest = max(plan.blob_steps(), key=lambda step: step.descriptor.size)
    scene.script(fails("open", lambda: DigestMismatch("damaged"), subject=largest.descriptor.digest, times=3))
    head = begun(scene, plan, bodies=3)
    for _ in range(3):
        assert source.asked.acquire(timeout=60)
    told: list[Event] = []

    def listen(event: Event) -> None:
        told.append(event)
        if isinstance(event, StepMoved) and event.step == largest.id:  # the engine has taken it over
            source.may.set()

    assert all_well(scene.run(plan, listen=listen, head_start=head))
    head.close()
    attempts = [event.attempt for event in told if isinstance(event, StepRetried)]
    assert len(attempts) == 2
    assert attempts == list(range(1, 1 + len(attempts)))


def test_what_arrived_is_noted_for_a_later_run(tmp_path: Path) -> None:
    """If the run never comes to its plan, the next one must find what is there."""
    source = Gated(SOURCE)
    scene, plan = made(source)
    journal = Journal(tmp_path / "journal")
    head = begun(scene, plan, journal, bodies=3)
    for _ in range(3):
        assert source.asked.acquire(timeout=60)
    source.may.set()
    for step in plan.blob_steps():
        head.finished(step, lambda _: None)
    head.close()
    noted = Journal(tmp_path / "journal")
    assert all(noted.knows(step.repository, step.descriptor.digest) for step in plan.blob_steps())


def test_the_end_does_not_wait_for_what_has_not_begun() -> None:
    source = Gated(SOURCE)
    scene, plan = made(source)
    head = begun(scene, plan, bodies=1)
    assert source.asked.acquire(timeout=60)
    source.may.set()
    head.close()
    head.begin(list(plan.blob_steps()))  # a survey that is still at work
    assert head.hand_over() <= {step.id for step in plan.blob_steps()}
