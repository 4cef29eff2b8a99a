"""Failure is normal: what is tried again, what is given up, and whom it concerns."""

from collections.abc import Callable

import pytest

from tests.unit.planning.scene import OTHER_SOURCE, SOURCE, TARGET, Scene, item
from tests.unit.transfer.recorder import FakeClock, Recorder
from transload.errors import (
    AccessDenied,
    BlobUnknown,
    CredentialsRejected,
    DigestMismatch,
    DiskFull,
    HostGivenUp,
    Interrupted,
    MediumLost,
    ReadOnly,
    Refused,
    ServerTrouble,
    SizeMismatch,
    Stalled,
    TooManyRequests,
    TransloadError,
    Truncated,
    Unreachable,
)
from transload.events import ImageDone, StepFailed, StepMoved, StepRetried, StepStarted
from transload.memory import MemoryStore
from transload.oci import Manifest, Name
from transload.planning import Narrowing, Plan
from transload.ports import RequestCosts
from transload.testing import faults
from transload.testing.faults import ALWAYS, Fault
from transload.testing.images import AMD64, image, multi_platform
from transload.testing.layers import layer
from transload.transfer import Outcome

SHARED = layer("shared", 300_000)
DIGEST = SHARED.descriptor.digest


def names(plan: Plan, outcome: Outcome, failed: bool = True) -> list[str]:
    """Labels of the images that failed, or of those that did not."""
    pairs = zip(plan.images, outcome.images, strict=True)
    return [planned.label for planned, image in pairs if (image.error is not None) is failed]


def struck(*script: Fault, at: str = "source", **more: object) -> tuple[Scene, Plan, Outcome, Recorder, FakeClock]:
    """A run of one image with a blob of 300 KB, with faults."""
    scene, recorder, clock = Scene(), Recorder(), FakeClock()
    scene.publish(image("a", (SHARED,)), "a:1")
    plan = scene.plan("a:1")
    scene.script(*script, at=at)
    outcome = scene.run(plan, listen=recorder, clock=clock, **more)
    recorder.check(plan, outcome)
    return scene, plan, outcome, recorder, clock


@pytest.mark.parametrize(
    "fault",
    [
        faults.fails("open", times=3, subject=DIGEST),
        faults.fails("open", after=100_000, times=3, subject=DIGEST),
        faults.truncates(70_000, times=3, subject=DIGEST),
        faults.fails("open", lambda: ServerTrouble("503"), times=3, subject=DIGEST),
    ],
)
def test_trouble_that_passes_is_sat_out(fault: Fault) -> None:
    _, _, outcome, recorder, clock = struck(fault)
    assert outcome.images[0].error is None
    assert [event.attempt for event in recorder.of(StepRetried)] == [1, 2, 3]
    assert clock.slept_s == [event.wait_s for event in recorder.of(StepRetried)]
    assert all(0 <= wait <= 30 for wait in clock.slept_s)


def test_trouble_that_stays_is_given_up_after_the_attempts() -> None:
    scene, _, outcome, _, clock = struck(faults.fails("open", subject=DIGEST, times=ALWAYS), attempts=3)
    error = outcome.images[0].error
    assert isinstance(error, Unreachable)
    assert error.side == "source"
    assert scene.source.subjects.count(("open", DIGEST)) == 3
    assert len(clock.slept_s) == 2


def test_the_server_says_how_long_to_wait() -> None:
    trouble = lambda: ServerTrouble("429", retry_after_s=42.0)  # noqa: E731
    assert struck(faults.fails("open", trouble, subject=DIGEST))[-1].slept_s == [42.0]


def test_a_broken_body_goes_on_where_it_broke() -> None:
    scene, _, outcome, recorder, _ = struck(faults.fails("open", after=131_072, subject=DIGEST))
    assert outcome.images[0].error is None
    moved = [event.position for event in recorder.events if isinstance(event, StepMoved) and event.position]
    assert moved.count(65_536) == 1, "the first pieces came once only"
    assert scene.target.subjects.count(("begin", DIGEST)) == 2


def test_trouble_of_the_targets_upload_is_tried_again_as_well() -> None:
    script = [
        faults.fails("begin", subject=DIGEST),
        faults.fails("write", after=70_000, subject=DIGEST),
        faults.fails("commit", lambda: ServerTrouble("502"), subject=DIGEST),
    ]
    _, _, outcome, recorder, _ = struck(*script, at="target")
    assert outcome.images[0].error is None
    assert [event.error.side for event in recorder.of(StepRetried)] == ["target"] * 3


@pytest.mark.parametrize("error", [BlobUnknown("gone"), AccessDenied("no")])
def test_an_answer_is_not_asked_for_again(error: TransloadError) -> None:
    scene, _, outcome, _, clock = struck(faults.fails("open", lambda: error, subject=DIGEST, times=ALWAYS))
    assert outcome.images[0].error is error
    assert error.side == "source"
    assert scene.source.subjects.count(("open", DIGEST)) == 1
    assert clock.slept_s == []


def test_wrong_content_gets_one_more_chance() -> None:
    scene, _, outcome, _, _ = struck(faults.corrupts(200_000, subject=DIGEST))
    assert outcome.images[0].error is None
    assert scene.source.subjects.count(("open", DIGEST)) == 2


def test_wrong_content_gets_no_second_chance_and_is_the_sources_fault() -> None:
    scene, _, outcome, _, _ = struck(faults.corrupts(200_000, subject=DIGEST, times=ALWAYS))
    error = outcome.images[0].error
    assert isinstance(error, DigestMismatch)
    assert error.side == "source"
    assert error.message.startswith("damaged content: expected ")
    assert error.hint is not None
    assert scene.source.subjects.count(("open", DIGEST)) == 2


def test_wrong_content_after_a_broken_connection_still_gets_its_chance() -> None:
    script = [faults.truncates(70_000, subject=DIGEST), faults.corrupts(200_000, subject=DIGEST)]
    scene, _, outcome, _, _ = struck(*script)
    assert outcome.images[0].error is None
    assert scene.source.subjects.count(("open", DIGEST)) == 3


def test_a_body_that_ends_early_unnoticed_is_noticed_at_the_end_and_is_the_sources_fault() -> None:
    error = struck(faults.ends_early(70_000, subject=DIGEST, times=ALWAYS))[2].images[0].error
    assert isinstance(error, SizeMismatch)
    assert error.side == "source"


def test_a_failed_image_leaves_the_others_and_its_cause_reaches_all_it_concerns() -> None:
    scene, recorder = Scene(), Recorder()
    for name in ("a", "b"):
        scene.publish(image(name, (SHARED, 100)), f"{name}:1")
    scene.publish(image("c", (200,)), "c:1")
    plan = scene.plan("a:1", "c:1", "b:1")
    scene.script(faults.fails("open", lambda: AccessDenied("no"), subject=DIGEST, times=ALWAYS))
    outcome = scene.run(plan, listen=recorder)
    recorder.check(plan, outcome)
    assert names(plan, outcome) == ["a:1", "b:1"]
    assert outcome.images[0].error is outcome.images[2].error
    assert scene.target.store.fetch(item("c:1").target).digest == image("c", (200,)).digest


def test_a_shared_blob_that_fails_is_not_tried_again_for_each_of_its_images() -> None:
    scene, recorder, clock = Scene(), Recorder(), FakeClock()
    scene.source.request_costs = RequestCosts()
    labels = [f"image{number}:1" for number in range(12)]
    for label in labels:
        scene.publish(image(label, (SHARED,)), label)
    plan = scene.plan(*labels)
    scene.script(faults.truncates(0, subject=DIGEST, times=ALWAYS))
    outcome = scene.run(plan, listen=recorder, clock=clock, attempts=4)
    recorder.check(plan, outcome)
    assert names(plan, outcome) == labels
    assert {type(image.error) for image in outcome.images} == {Truncated}
    assert scene.source.subjects.count(("open", DIGEST)) == 4
    assert len(clock.slept_s) == 3


def test_a_blob_that_one_repository_lacks_is_taken_from_another() -> None:
    scene = Scene()
    for name in ("a", "b"):
        scene.publish(image(name, (SHARED,)), f"{name}:1")
    plan = scene.plan("a:1", "b:1")
    scene.script(faults.fails("open", lambda: BlobUnknown("a lacks it"), subject=DIGEST))
    assert names(plan, scene.run(plan)) == ["a:1"]


def test_a_blob_that_one_source_gives_wrong_is_taken_from_another() -> None:
    scene = Scene()
    scene.publish(image("a", (SHARED,)), "a:1")
    scene.publish_elsewhere(image("b", (SHARED,)), "b:1")
    plan = scene.plan("a:1", item("b:1", store=OTHER_SOURCE))
    scene.script(faults.corrupts(7, subject=DIGEST, times=ALWAYS))
    assert names(plan, scene.run(plan, clock=FakeClock())) == ["a:1"]


@pytest.mark.parametrize("error", [CredentialsRejected("wrong password"), Unreachable("no route")])
def test_a_source_that_is_down_ends_quickly_and_other_sources_go_on(error: TransloadError) -> None:
    scene, clock = Scene(), FakeClock()
    labels = [f"image{number}:1" for number in range(30)]
    for label in labels:
        scene.publish(image(label, (100,)), label)
    scene.publish_elsewhere(image("b", (100,)), "b:1")
    plan = scene.plan(*labels, item("b:1", store=OTHER_SOURCE))
    scene.script(faults.fails("open", lambda: error, times=ALWAYS))
    outcome = scene.run(plan, clock=clock, bodies=2, small=1, attempts=3)
    assert names(plan, outcome) == labels
    assert scene.source.calls["open"] <= 3 * 3, "of as many blobs as move at a time, each tried so often"


@pytest.mark.parametrize(
    ("script", "kind"),
    [(faults.read_only(), ReadOnly), ([faults.out_of_space(after=50)], DiskFull)],
)
def test_a_hopeless_target_ends_quickly(script: list[Fault], kind: type[TransloadError]) -> None:
    scene, recorder = Scene(), Recorder()
    labels = [f"image{number}:1" for number in range(30)]
    for label in labels:
        scene.publish(image(label, (SHARED, 100)), label)
    plan = scene.plan(*labels)
    scene.script(*script, at="target")
    outcome = scene.run(plan, bodies=3, small=1, listen=recorder)
    recorder.check(plan, outcome)
    assert {(type(image.error), image.error and image.error.side) for image in outcome.images} == {(kind, "target")}
    assert scene.target.calls["begin"] <= 4
    assert scene.target.calls["write"] <= 4


def test_a_refused_repository_condemns_only_itself() -> None:
    scene = Scene()
    for name in ("a", "b"):
        scene.publish(image(name, (100,)), f"{name}:1")
    plan = scene.plan("a:1", "b:1")
    no = faults.fails("put_manifest", lambda: AccessDenied("no push"), subject="a:1", times=ALWAYS)
    scene.script(no, at="target")
    assert names(plan, scene.run(plan)) == ["a:1"]


def test_a_child_that_fails_takes_its_index_with_it_and_no_more() -> None:
    scene, recorder = Scene(), Recorder()
    built = scene.publish(multi_platform("many"), "app:1")
    scene.publish(built.children[1], "app:arm64")
    plan = scene.plan("app:1", "app:arm64")
    lost = next(iter(built.children[0].blobs))
    scene.script(faults.fails("open", lambda: BlobUnknown("gone"), subject=lost, times=ALWAYS))
    outcome = scene.run(plan, listen=recorder)
    recorder.check(plan, outcome)
    assert names(plan, outcome) == ["app:1"]
    assert len(recorder.of(StepFailed)) == 1
    assert len(recorder.of(StepStarted)) == len(plan.steps) - 2, "neither the child nor the index was begun"


def test_a_bad_sector_of_the_source_costs_only_the_image_that_lies_there() -> None:
    scene = Scene()
    bad = scene.publish(image("bad"), "bad:1")
    for name in ("a", "b", "c"):
        scene.publish(image(name), f"{name}:1")
    plan = scene.plan("bad:1", "a:1", "b:1", "c:1")
    lost = next(iter(bad.blobs))
    scene.script(faults.fails("open", lambda: MediumLost("reading it: Input/output error"), subject=lost, times=ALWAYS))
    assert names(plan, scene.run(plan)) == ["bad:1"]


def test_a_target_that_was_pulled_out_ends_the_run() -> None:
    scene = Scene()
    for number in range(9):
        scene.publish(image(f"image {number}"), f"a:{number}")
    plan = scene.plan(*(f"a:{number}" for number in range(9)))
    scene.script(faults.fails("begin", lambda: MediumLost("the medium was removed"), times=ALWAYS), at="target")
    outcome = scene.run(plan)
    assert len(names(plan, outcome)) == 9
    assert not all(ended.tried for ended in outcome.images)


def test_an_image_that_could_not_be_planned_ends_with_its_error() -> None:
    scene, recorder = Scene(), Recorder()
    scene.publish(image("a"), "a:1")
    plan = scene.plan("gone:1", "a:1")
    outcome = scene.run(plan, listen=recorder)
    recorder.check(plan, outcome)
    assert outcome.images[0].error is plan.images[0].error is not None
    assert outcome.images[1].error is None


def test_a_repaired_run_does_the_rest() -> None:
    scene = Scene()
    for name in ("a", "b"):
        scene.publish(image(name, (SHARED, 100)), f"{name}:1")
    plan = scene.plan("a:1", "b:1")
    scene.script(faults.fails("open", lambda: BlobUnknown("gone"), subject=DIGEST, times=ALWAYS))
    scene.run(plan)
    scene.script()
    plan = scene.plan("a:1", "b:1")
    assert names(plan, scene.run(plan), failed=False) == ["a:1", "b:1"]


def _breaks() -> TransloadError:
    raise ZeroDivisionError


@pytest.mark.parametrize(("at", "on"), [("source", "open"), ("target", "put_manifest")])
def test_a_bug_passes_through_and_ends_the_run(at: str, on: faults.Operation) -> None:
    scene = Scene()
    for number in range(6):
        scene.publish(image(number, (100,)), f"image{number}:1")
    plan = scene.plan(*(f"image{number}:1" for number in range(6)))
    scene.script(faults.fails(on, _breaks), at=at)
    with pytest.raises(ZeroDivisionError):
        scene.run(plan, bodies=2)


def test_a_store_that_was_interrupted_interrupts_the_run() -> None:
    scene, _, outcome, _, _ = struck(faults.fails("open", lambda: Interrupted("interrupted")))
    assert outcome.interrupted
    assert not outcome.images[0].done
    assert scene.target.calls["put_manifest"] == 0


@pytest.mark.parametrize("make", [lambda: BlobUnknown("x"), lambda: Unreachable("x")])
def test_the_error_of_a_blob_copied_within_the_target_is_the_targets(make: Callable[[], TransloadError]) -> None:
    scene = Scene()
    scene.source.store = MemoryStore(SOURCE)
    scene.source.request_costs = RequestCosts()
    for name in ("a", "b"):
        scene.publish(image(name, (SHARED,)), f"{name}:1")
    plan = scene.plan("a:1", "b:1")
    scene.script(faults.refuses_mount(), faults.fails("open", make, times=ALWAYS), at="target")
    outcome = scene.run(plan, clock=FakeClock())
    error = outcome.images[1].error
    assert error is not None
    assert error.side == "target"


class TakesNoSparse(MemoryStore):
    """As docker-registry before version 3."""

    def put_manifest(self, name: Name, manifest: Manifest, *, part: bool = False, sparse: bool = False) -> None:  # noqa: ARG002
        super().put_manifest(name, manifest, part=part)


def test_a_target_that_takes_no_sparse_index_says_what_to_do_instead() -> None:
    scene = Scene(target=TakesNoSparse(TARGET))
    scene.publish(multi_platform("many"), "many:1")
    plan = scene.plan("many:1", platforms=(AMD64,), narrowing=Narrowing.SPARSE)
    outcome = scene.run(plan)
    error = outcome.images[0].error
    assert isinstance(error, Refused)
    assert (error.side, error.message) == (
        "target",
        "the target does not take an incomplete index (1 of 2 left out)",
    )
    assert error.hint is not None
    assert "--narrow rewritten" in error.hint


def test_what_was_to_come_when_a_store_was_given_up_is_not_tried() -> None:
    scene, recorder = Scene(), Recorder()
    labels = [f"image{number}:1" for number in range(30)]
    for label in labels:
        scene.publish(image(label, (300_000,)), label)
    plan = scene.plan(*labels)
    gone = faults.fails("begin", lambda: HostGivenUp("r.example gave no useful answer for 120 s"), skip=4, times=ALWAYS)
    scene.script(gone, at="target")
    outcome = scene.run(plan, bodies=2, small=1, listen=recorder)
    recorder.check(plan, outcome)
    tried = [ended for ended in outcome.images if ended.error is not None and ended.tried]
    assert 1 <= len(tried) <= 3
    assert len([ended for ended in outcome.images if not ended.tried]) >= 20
    assert {type(ended.error) for ended in outcome.images if not ended.tried} == {HostGivenUp}
    assert [event.tried for event in recorder.of(ImageDone)].count(False) >= 20


def test_a_blob_that_gets_no_further_is_given_up_before_its_attempts_are() -> None:
    slow = faults.fails("open", lambda: Stalled("nothing moved", retry_after_s=50), subject=DIGEST, times=ALWAYS)
    scene, _, outcome, _, _ = struck(slow)
    assert isinstance(outcome.images[0].error, Stalled)
    assert scene.source.subjects.count(("open", DIGEST)) == 3


def test_a_wait_longer_than_patience_is_not_begun() -> None:
    busy = faults.fails("open", lambda: TooManyRequests("slow down", retry_after_s=86_400), subject=DIGEST)
    _, _, outcome, _, clock = struck(busy)
    assert isinstance(outcome.images[0].error, TooManyRequests)
    assert clock.slept_s == []


def test_stalls_of_every_blob_end_the_run_when_nothing_moves() -> None:
    """A registry that answers small requests, and takes no body: its host is well, and yet nothing gets there."""
    scene, recorder, clock = Scene(), Recorder(), FakeClock()
    labels = [f"image{number}:1" for number in range(30)]
    for label in labels:
        scene.publish(image(label, (300_000,)), label)
    plan = scene.plan(*labels)
    scene.script(faults.fails("commit", lambda: Stalled("x", retry_after_s=50), times=ALWAYS), at="target")
    outcome = scene.run(plan, bodies=2, small=1, listen=recorder, clock=clock)
    recorder.check(plan, outcome)
    assert len([ended for ended in outcome.images if not ended.tried]) >= 24


def test_attempts_are_counted_from_the_last_new_byte_that_the_target_has() -> None:
    _, _, outcome, recorder, _ = struck(faults.truncates(20_000, subject=DIGEST, times=14), attempts=2)
    assert outcome.images[0].error is None
    assert len(recorder.of(StepRetried)) == 14


def test_without_a_new_byte_the_attempts_end_however_many_bytes_were_sent() -> None:
    scene, recorder, big = Scene(), Recorder(), layer("big", 5 << 20)
    scene.publish(image("a", (big,)), "a:1")
    plan = scene.plan("a:1")
    scene.script(faults.fails("write", after=0, subject=big.descriptor.digest, times=ALWAYS), at="target")
    outcome = scene.run(plan, listen=recorder, clock=FakeClock(), attempts=4)
    assert isinstance(outcome.images[0].error, Unreachable)
    assert scene.source.subjects.count(("open", big.descriptor.digest)) == 4


@pytest.mark.parametrize("waits_s", [20, 50])
def test_a_small_blob_that_the_target_cannot_take_now_gets_half_of_the_time(waits_s: float) -> None:
    clock = FakeClock()

    def trouble() -> TransloadError:
        return ServerTrouble("500", retry_after_s=waits_s / 10)

    scene, recorder = Scene(), Recorder()
    scene.publish(image("a", (SHARED,)), "a:1")
    plan = scene.plan("a:1")
    scene.script(faults.fails("commit", trouble, subject=DIGEST, times=10), at="target")
    outcome = scene.run(plan, listen=recorder, clock=clock)
    assert outcome.images[0].error is None
    assert len(recorder.of(StepRetried)) == 10
    assert sum(clock.slept_s) == pytest.approx(waits_s)


def test_one_small_blob_after_the_other_that_the_target_never_takes_costs_that_time_once() -> None:
    scene, clock = Scene(), FakeClock()
    labels = [f"image{number}:1" for number in range(20)]
    for label in labels:
        scene.publish(image(label, (300_000,)), label)
    plan = scene.plan(*labels)
    scene.script(faults.fails("commit", lambda: ServerTrouble("500", retry_after_s=2), times=ALWAYS), at="target")
    outcome = scene.run(plan, bodies=1, small=1, clock=clock)
    assert all(isinstance(ended.error, ServerTrouble) for ended in outcome.images)
    assert sum(clock.slept_s) < 2 * 60 + 20 * 2 * 12
