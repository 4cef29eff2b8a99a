"""A plan on a cluster: a cluster in this process, whose tasks are done by the engine as workers do them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.planning.scene import SOURCE, Scene
from tests.unit.transfer.recorder import FakeClock, Recorder
from transload.distributed.coordinator import Coordinator, Ended
from transload.distributed.grouping import GROUP_STEPS
from transload.distributed.messages import Message, Told, shortened, told
from transload.errors import CredentialsRejected, LocalError, Unreachable
from transload.events import Event, StepDone, StepRetried
from transload.net.traffic import Traffic
from transload.oci import Digest, Name
from transload.planning import Plan
from transload.planning.planfile import dump_plan, load_plan
from transload.testing.faults import Fault
from transload.testing.images import image
from transload.testing.releases import release
from transload.threads import Cancellation
from transload.transfer import Journal, Outcome, run


class Hall:
    """Does each task when news are asked for. `deadly` are blobs on which a worker dies, before it does anything."""

    def __init__(self, scene: Scene, *, workers: int = 2, deadly: tuple[Digest, ...] = ()) -> None:
        self.scene = scene
        self.workers = workers
        self.deadly = deadly
        self.given: list[tuple[str, Plan]] = []
        self.stopped = False
        self.before: Callable[[str, Plan], None] = lambda task, part: None
        self._waiting: list[tuple[str, Plan]] = []

    def at_a_time(self) -> int:
        return self.workers

    def submit(self, task: str, part: Plan) -> None:
        part = load_plan(dump_plan(part))  # as it reaches a worker
        self.given.append((task, part))
        self._waiting.append((task, part))
        assert len(self._waiting) <= self.workers

    def news(self, timeout_s: float) -> list[Message | Ended]:
        if not self._waiting:
            return []
        task, part = self._waiting.pop(0)
        self.before(task, part)
        if {step.descriptor.digest for step in part.blob_steps()} & set(self.deadly):
            return [Ended(task, was_fatal=True)]
        heard: list[Told] = []

        def hear(event: Event) -> None:
            if (known := told(event)) is not None:
                heard.append(known)

        run(part, self.scene.sources, self.scene.target, listen=hear, recheck=True, by_size=True)
        ends = tuple(event for event in heard if isinstance(event, StepDone))
        first = Message.from_text(Message(task=task, events=shortened(heard)).to_text())
        return [first, Ended(task, Message(task=task, events=ends))]  # what has ended is told twice

    def stop(self) -> None:
        self.stopped = True


def carried(hall: Hall, plan: Plan, recorder: Recorder, **more: Any) -> Outcome:
    for store in (*hall.scene.sources.values(), hall.scene.target):
        store.subjects.clear()
    means: dict[str, Any] = {
        "journal": Journal(),
        "cancellation": Cancellation(),
        "give_up_after_s": 10.0,
        "traffic": Traffic(),
        "notice": lambda _: None,
    }
    coordinator = Coordinator(plan, hall, name="run", listen=recorder, **means | more)
    outcome = coordinator.run()
    recorder.check(plan, outcome)
    return outcome


def all_well(outcome: Outcome) -> bool:
    return not outcome.interrupted and all(each.done and each.error is None for each in outcome.images)


def test_a_release_arrives_whole_and_every_blob_is_read_once() -> None:
    scene, made = Scene(), release(images=20, size=400_000)
    for name, built in made.images.items():
        scene.publish(built, f"{name}:1")
    plan = scene.plan(*(f"{name}:1" for name in made.images))
    hall = Hall(scene, workers=3)
    assert all_well(carried(hall, plan, Recorder()))
    opened = Counter(subject for on, subject in scene.source.subjects if on == "open")
    assert opened == dict.fromkeys((content.descriptor.digest for content in made.contents()), 1)
    assert scene.plan(*(f"{name}:1" for name in made.images)).count("unchanged") == 20
    assert sum(len(part.steps) for _, part in hall.given) == len(plan.steps)


def test_small_blobs_share_a_task_and_the_biggest_goes_first_and_alone() -> None:
    scene = Scene()
    scene.publish(image("many", [*(300 + number for number in range(600)), 40 << 20]), "app:1")
    hall = Hall(scene, workers=1)
    assert all_well(carried(hall, scene.plan("app:1"), Recorder()))
    sizes = [[step.descriptor.size for step in part.blob_steps()] for _, part in hall.given]
    assert len(sizes[0]) == 1
    assert sizes[0][0] > 40 << 20
    assert len(sizes) <= 10
    assert max(map(len, sizes)) <= GROUP_STEPS
    assert all(not part.manifests for _, part in hall.given[:-1])  # what a task does not need does not travel in it


def test_what_kills_its_workers_fails_alone() -> None:
    scene = Scene()
    bad, good = image("bad", [5000]), image("good", [4000])
    scene.publish(bad, "bad:1")
    scene.publish(good, "good:1")
    plan = scene.plan("bad:1", "good:1")
    hall = Hall(scene, workers=1, deadly=(bad.manifest.layers[0].digest,))
    outcome = carried(hall, plan, Recorder())
    assert [type(each.error) for each in outcome.images] == [LocalError, type(None)]
    assert scene.target.store.fetch(Name("good", "1")).raw == good.manifest.raw
    assert len([part for _, part in hall.given if len(part.steps) == 1 and next(part.blob_steps(), None)]) >= 1


def test_a_task_that_told_nothing_of_a_step_is_given_out_again() -> None:
    scene, recorder = Scene(), Recorder()
    scene.publish(image("one", [5000]), "app:1")
    hall = Hall(scene, workers=1)
    news = hall.news
    lost: list[list[Message | Ended]] = []

    def losing(timeout_s: float) -> list[Message | Ended]:
        heard = news(timeout_s)
        if heard and not lost:
            lost.append(heard)
            first = next(each for each in heard if isinstance(each, Message))
            begun = tuple(event for event in first.events if not isinstance(event, StepDone))
            return [Message(task=first.task, events=begun), Ended(first.task)]
        return heard

    hall.news = losing  # type: ignore[method-assign]  # a worker whose result is lost with it
    told_once: list[str] = []
    assert all_well(carried(hall, scene.plan("app:1"), recorder, notice=told_once.append))
    assert {str(event.error) for event in recorder.of(StepRetried)} == {
        "the worker was lost, and another one begins anew"
    }
    assert told_once == ["a worker was lost: the figures of requests and bytes leave out what it did last"]
    assert len([subject for on, subject in scene.source.subjects if on == "open"]) == 2


def test_a_refused_login_ends_the_work_with_the_target() -> None:
    scene = Scene()
    for number in range(30):
        scene.publish(image(f"i{number}", [1000 + number]), f"app{number}:1")
    plan = scene.plan(*(f"app{number}:1" for number in range(30)))
    scene.script(Fault(on="begin", error=lambda: CredentialsRejected("no"), times=999), at="target")
    hall = Hall(scene, workers=1)
    outcome = carried(hall, plan, Recorder())
    assert {type(each.error) for each in outcome.images} == {CredentialsRejected}
    assert len(hall.given) <= 2


def test_without_workers_the_run_ends() -> None:
    scene, clock = Scene(), FakeClock()
    scene.publish(image("one", [5000]), "app:1")
    hall = Hall(scene)

    def leave(task: str, part: Plan) -> None:
        hall.workers = 0

    hall.before, news = leave, hall.news

    def waiting(timeout_s: float) -> list[Message | Ended]:
        clock.sleep_s(timeout_s)
        return [] if not hall.workers else news(timeout_s)

    hall.news = waiting  # type: ignore[method-assign]  # time passes
    hall.workers = 1
    plan = scene.plan("app:1")
    outcome = carried(hall, plan, Recorder(), clock=clock)
    assert {type(each.error) for each in outcome.images} == {Unreachable}
    assert re.match("all workers have gone", str(outcome.images[0].error))


class Deserted(Hall):
    """A hall whose only worker is lost when the run is cancelled: a task ends when the workers are looked for."""

    def __init__(self, scene: Scene, cancellation: Cancellation) -> None:
        super().__init__(scene, workers=1)
        self.heard = 0
        self._cancellation = cancellation
        self._lost: list[Message | Ended] = []

    def at_a_time(self) -> int:
        if self.stopped:
            self._lost = [Ended(task, was_fatal=True) for task, _ in self.given]
        return super().at_a_time()

    def news(self, timeout_s: float) -> list[Message | Ended]:
        self.heard += 1
        assert self.heard < 1000
        self._cancellation.cancel()
        return self._lost


def test_a_cancelled_run_does_not_wait_for_a_worker_that_is_lost() -> None:
    scene, cancellation = Scene(), Cancellation()
    scene.publish(image("one", [5000]), "app:1")
    hall = Deserted(scene, cancellation)
    outcome = carried(hall, scene.plan("app:1"), Recorder(), cancellation=cancellation)
    assert outcome.interrupted
    assert hall.heard == 3  # the last of what was under way, then what was lost


def test_a_cancelled_run_stops_the_workers() -> None:
    scene, cancellation = Scene(), Cancellation()
    scene.publish(image("one", [5000]), "app:1")
    hall = Hall(scene, workers=1)
    hall.before = lambda task, part: cancellation.cancel()
    outcome = carried(hall, scene.plan("app:1"), Recorder(), cancellation=cancellation)
    assert outcome.interrupted
    assert hall.stopped
    assert not outcome.images[0].done


def test_a_bug_of_a_worker_is_raised() -> None:
    scene = Scene()
    scene.publish(image("one", [5000]), "app:1")
    hall = Hall(scene, workers=1)
    hall.news = lambda timeout_s: [Ended(hall.given[0][0], error=ZeroDivisionError("a bug"))]  # type: ignore[method-assign]  # a worker's bug
    with pytest.raises(ZeroDivisionError):
        Coordinator(
            scene.plan("app:1"),
            hall,
            name="run",
            listen=lambda event: None,
            notice=print,
            journal=Journal(),
            cancellation=Cancellation(),
            give_up_after_s=10.0,
            traffic=Traffic(),
        ).run()
    assert SOURCE in scene.sources
