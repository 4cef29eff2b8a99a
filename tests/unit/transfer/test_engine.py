"""A run does what the plan says: each blob fetched once, content before names, all of it side by side."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.unit.planning.scene import OTHER_SOURCE, SOURCE, Scene, item
from tests.unit.transfer.recorder import Recorder
from transload.errors import UsageError
from transload.events import Event, ImageDone, StepDone, StepMoved
from transload.memory import MemoryStore
from transload.oci import Descriptor, Digest, Name
from transload.planning import Plan, Referrers
from transload.ports import Chunk, RequestCosts
from transload.testing import faults
from transload.testing.images import image, multi_platform, signature
from transload.testing.layers import layer
from transload.testing.releases import release
from transload.transfer import Outcome, run
from transload.transfer.agenda import LIGHT_BYTES

SHARED = layer("shared", 5000)
BIG = layer("big", 300_000)


def all_well(outcome: Outcome) -> bool:
    return not outcome.interrupted and all(each.done and each.error is None for each in outcome.images)


def opened(store: faults.FaultyStore) -> Counter[str]:
    return Counter(subject for on, subject in store.subjects if on == "open")


def test_a_release_arrives_whole_and_every_blob_is_fetched_once() -> None:
    scene, recorder = Scene(), Recorder()
    made = release(images=20, size=400_000)
    for name, built in made.images.items():
        scene.publish(built, f"{name}:1")
    plan = scene.plan(*(f"{name}:1" for name in made.images))
    outcome = scene.run(plan, listen=recorder)
    assert all_well(outcome)
    recorder.check(plan, outcome)
    assert opened(scene.source) == dict.fromkeys((content.descriptor.digest for content in made.contents()), 1)
    for name, built in made.images.items():
        assert scene.target.store.fetch(Name(name, "1")).raw == built.manifest.raw
        for descriptor, raw in built.walk_blobs():
            with scene.target.store.open(name, descriptor) as chunks:
                assert b"".join(chunks) == raw
    assert sum(event.size for event in recorder.of(StepDone)) == plan.copied.bytes == made.size
    assert scene.plan(*(f"{name}:1" for name in made.images)).count("unchanged") == 20


def test_no_manifest_before_its_content_and_the_tag_last() -> None:
    scene = Scene()
    built = scene.publish(multi_platform("many"), "app:1")
    signed = scene.publish(signature(built), "app")
    scene.run(scene.plan("app:1", referrers=Referrers.NEW))
    order = {call: place for place, call in enumerate(scene.target.subjects)}
    for each in (*built.children, signed):
        named = order["put_manifest", f"app@{each.digest}"]
        assert all(order["commit", digest] < named < order["put_manifest", "app:1"] for digest in each.blobs)
    assert scene.target.subjects[-1] == ("put_manifest", "app:1")


def test_shared_blobs_are_mounted_in_the_other_repositories() -> None:
    scene, recorder = Scene(), Recorder()
    for name in ("a", "b", "c"):
        scene.publish(image(name, (SHARED,)), f"{name}:1")
    plan = scene.plan("a:1", "b:1", "c:1")
    assert all_well(scene.run(plan, listen=recorder))
    assert scene.target.calls["mount"] == 2
    assert Counter(event.how for event in recorder.of(StepDone)) == {"copied": 4, "mounted": 2, "tagged": 3}


def test_refused_mounts_are_copied_within_the_target_and_never_fetched_again() -> None:
    scene = Scene()
    scene.source.request_costs = RequestCosts()  # far away
    for name in ("a", "b", "c"):
        scene.publish(image(name, (SHARED,)), f"{name}:1")
    plan = scene.plan("a:1", "b:1", "c:1")
    scene.script(faults.refuses_mount(), at="target")
    assert all_well(scene.run(plan))
    assert opened(scene.source)[SHARED.descriptor.digest] == 1
    assert opened(scene.target)[SHARED.descriptor.digest] == 2


def test_refused_mounts_are_read_again_from_a_local_source() -> None:
    scene = Scene()
    for name in ("a", "b"):
        scene.publish(image(name, (SHARED,)), f"{name}:1")
    plan = scene.plan("a:1", "b:1")
    scene.script(faults.refuses_mount(), at="target")
    assert all_well(scene.run(plan))
    assert opened(scene.source)[SHARED.descriptor.digest] == 2
    assert not opened(scene.target)


def test_images_of_two_sources_come_each_from_its_own() -> None:
    scene = Scene()
    scene.publish(image("a", (100,)), "a:1")
    scene.publish_elsewhere(image("b", (200,)), "b:1")
    assert all_well(scene.run(scene.plan("a:1", item("b:1", store=OTHER_SOURCE))))
    assert len(opened(scene.source)) == len(opened(scene.other)) == 2


def test_an_unchanged_plan_runs_without_a_single_question() -> None:
    scene, recorder = Scene(), Recorder()
    scene.publish(image("a"), "a:1")
    scene.deliver(image("a"), "a:1")
    plan = scene.plan("a:1")
    outcome = scene.run(plan, listen=recorder)
    assert all_well(outcome)
    recorder.check(plan, outcome)
    assert not scene.source.calls
    assert not scene.target.calls


def test_what_an_earlier_run_parked_is_not_fetched_again() -> None:
    scene, recorder = Scene(), Recorder()
    scene.publish(image("a", (BIG,)), "a:1")
    with scene.target.store.begin("a", BIG.descriptor) as ingest:
        ingest.write([BIG.read()[:100_000]])
    plan = scene.plan("a:1")
    assert all_well(scene.run(plan, listen=recorder))
    big = next(step.id for step in plan.blob_steps() if step.descriptor == BIG.descriptor)
    assert min(event.position for event in recorder.of(StepMoved) if event.step == big) == 100_000


def test_a_blob_that_is_parked_whole_is_committed_without_opening_the_source() -> None:
    scene = Scene()
    scene.publish(image("a", (BIG,)), "a:1")
    with scene.target.store.begin("a", BIG.descriptor) as ingest:
        ingest.write([BIG.read()])
    assert all_well(scene.run(scene.plan("a:1")))
    assert BIG.descriptor.digest not in opened(scene.source)


def test_a_blob_that_the_target_forgot_since_the_plan_is_brought() -> None:
    scene, recorder = Scene(), Recorder()
    scene.deliver(image("old", (SHARED,)), "app:0")
    scene.publish(image("new", (SHARED, 100)), "app:1")
    plan = scene.plan("app:1")
    assert plan.present.blobs == 1
    _forget(scene.target.store, "app", SHARED.descriptor.digest)
    outcome = scene.run(plan, listen=recorder)
    assert all_well(outcome)
    recorder.check(plan, outcome)
    wanted = image("new", (SHARED, 100)).blobs
    assert opened(scene.source) == dict.fromkeys(wanted, 1), "what was not forgotten is not sent again"


def test_a_mount_from_a_repository_that_forgot_the_blob_copies_it() -> None:
    scene = Scene()
    scene.source.request_costs = RequestCosts()
    scene.deliver(image("old", (SHARED,)), "a:0")
    scene.publish(image("new a", (SHARED,)), "a:1")
    scene.publish(image("new b", (SHARED,)), "b:1")
    plan = scene.plan("a:1", "b:1")
    _forget(scene.target.store, "a", SHARED.descriptor.digest)
    assert all_well(scene.run(plan))


def test_as_many_bodies_as_allowed_move_at_once_and_no_more() -> None:
    """A body moves from when it is opened until its last byte is handed on: then the next one may begin."""
    barrier = threading.Barrier(3)
    running: list[int] = []
    most: list[int] = []

    class Counted(MemoryStore):
        @contextmanager
        def open(
            self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
        ) -> Iterator[Iterator[Chunk]]:
            heavy = descriptor.size > LIGHT_BYTES
            if heavy:
                running.append(1)
                most.append(len(running))
                barrier.wait(60)
            with super().open(repository, descriptor, offset, length) as chunks:
                yield until_the_last(chunks, descriptor.size) if heavy else chunks

    def until_the_last(chunks: Iterator[Chunk], left: int) -> Iterator[Chunk]:
        for chunk in chunks:
            left -= len(chunk)
            if not left:
                running.pop()
            yield chunk

    scene = Scene()
    scene.source.store = Counted(SOURCE)
    for name in ("a", "b", "c"):
        scene.publish(image(name, (LIGHT_BYTES, LIGHT_BYTES + 1)), f"{name}:1")
    assert all_well(scene.run(scene.plan("a:1", "b:1", "c:1"), bodies=3, small=2))
    assert len(most) == 6
    assert max(most) == 3


def test_small_steps_go_past_large_bodies() -> None:
    gate = threading.Event()
    scene = Scene()
    scene.publish(image("large", (100, 200)), "large:1")
    scene.publish(multi_platform("known"), "known:1", "known:2")
    scene.deliver(multi_platform("known"), "known:1")
    plan = scene.plan("large:1", "known:2")
    scene.script(faults.waits("open", gate, times=9))

    def listen(event: Event) -> None:
        if event == ImageDone(1, None):
            gate.set()  # only when the small image got past does anything else move

    assert all_well(scene.run(plan, bodies=2, small=1, listen=listen))


@pytest.mark.parametrize(("bodies", "small"), [(1, 0), (1, 1), (16, 4)])
def test_any_number_of_threads_does_the_same(bodies: int, small: int) -> None:
    scene, recorder = Scene(), Recorder()
    for name in ("a", "b", "c"):
        scene.publish(image(name, (SHARED, 100)), f"{name}:1")
    plan = scene.plan("a:1", "b:1", "c:1")
    outcome = scene.run(plan, bodies=bodies, small=small, listen=recorder)
    assert all_well(outcome)
    recorder.check(plan, outcome)


def _forget(store: object, repository: str, digest: Digest) -> None:
    """As a registry's garbage collection does to a blob that no manifest refers to any more."""
    del store._repositories[repository].blobs[digest]  # type: ignore[attr-defined]


def test_a_plan_made_earlier_sends_only_what_has_not_arrived_meanwhile() -> None:
    scene, recorder = Scene(), Recorder()
    scene.publish(image("a", (BIG,)), "a:1")
    scene.publish(image("b", (BIG,)), "b:1")
    plan = scene.plan("a:1", "b:1")
    assert all_well(scene.run(plan))
    outcome = scene.run(plan, listen=recorder, recheck=True)
    assert all_well(outcome)
    assert not [on for on, _ in scene.source.subjects if on == "open"]
    assert {event.how for event in recorder.of(StepDone)} == {"present", "tagged"}


@pytest.mark.parametrize("bodies", [0, -1])
def test_at_least_one_blob_moves_at_a_time(bodies: int) -> None:
    with pytest.raises(UsageError, match=f"bodies must be at least 1, not {bodies}"):
        run(Plan(target="memory:", images=(), steps=(), manifests={}), {}, MemoryStore(), bodies=bodies)
