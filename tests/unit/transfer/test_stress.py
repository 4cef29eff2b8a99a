"""Many images, little content: what the engine itself costs; and any mixture of images, holdings and faults."""

import time
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.planning.scene import OTHER_SOURCE, TARGET, Scene, item
from tests.unit.transfer.recorder import FakeClock, Recorder
from transload.errors import AccessDenied, BlobUnknown, ServerTrouble, TransloadError, Unreachable
from transload.memory import MemoryStore
from transload.oci import Name
from transload.planning import Item, Referrers
from transload.testing import faults
from transload.testing.faults import Fault
from transload.testing.images import Built, image, index, signature
from transload.testing.layers import layer


def test_two_thousand_steps_cost_far_less_than_two_seconds() -> None:
    shared = [layer(f"shared {number}", 200) for number in range(6)]
    scene = Scene()
    labels = [f"image{number}:1" for number in range(200)]
    for label in labels:
        scene.publish(image(label, (*shared, 50, 60)), label)
    plan = scene.plan(*labels)
    assert len(plan.steps) == 2000
    started_s = time.perf_counter()
    outcome = scene.run(plan)
    assert time.perf_counter() - started_s < 2
    assert all(each.error is None for each in outcome.images)


# --- any mixture

LAYERS = [layer(f"any {number}", size) for number, size in enumerate((10, 500, 3000, 70_000, 150_000))]
IMAGES = [
    image(number, [LAYERS[each] for each in chosen])
    for number, chosen in enumerate(([0], [0, 1], [1, 2], [2, 3], [3, 3, 0], [4], [4, 0], []))
]
INDEXES = [index(IMAGES[0:2]), index(IMAGES[1:4]), index([IMAGES[5]])]
BUILT: list[Built] = [*IMAGES, *INDEXES, index([INDEXES[0], IMAGES[6]])]
SIGNATURES = [signature(each, number) for number, each in enumerate(BUILT[::3])]

REPOSITORIES = st.sampled_from(["a", "b", "deep/c"])
WANTED = st.lists(st.tuples(REPOSITORIES, st.sampled_from(BUILT), st.booleans()), min_size=1, max_size=8)
HELD = st.lists(st.tuples(REPOSITORIES, st.sampled_from(BUILT)), max_size=4)

ERRORS: list[Callable[[], TransloadError]] = [
    lambda: Unreachable("the connection broke"),
    lambda: ServerTrouble("503"),
    lambda: AccessDenied("no"),
    lambda: BlobUnknown("gone"),
]
TIMES = st.integers(1, 6)
SKIP = st.integers(0, 4)
AFTER = st.integers(0, 100_000)
SOURCE_FAULTS = st.one_of(
    st.builds(
        lambda *a: faults.fails("open", a[0], times=a[1], skip=a[2], after=a[3]),
        st.sampled_from(ERRORS),
        TIMES,
        SKIP,
        AFTER,
    ),
    st.builds(lambda *a: faults.truncates(a[0], times=a[1], skip=a[2]), AFTER, TIMES, SKIP),
    st.builds(lambda *a: faults.ends_early(a[0], times=a[1], skip=a[2]), AFTER, TIMES, SKIP),
    st.builds(lambda *a: faults.corrupts(a[0], times=a[1], skip=a[2]), AFTER, TIMES, SKIP),
)
TARGET_FAULTS = st.one_of(
    st.builds(
        lambda *a: faults.fails(a[0], a[1], times=a[2], skip=a[3]),
        st.sampled_from(faults.WRITES),
        st.sampled_from(ERRORS),
        TIMES,
        SKIP,
    ),
    st.builds(lambda times: faults.refuses_mount(times=times), TIMES),
    st.builds(lambda times: faults.forgets(times=times), TIMES),
    st.builds(lambda *a: faults.out_of_space(a[0], times=a[1]), AFTER, TIMES),
)


def wish(scene: Scene, wanted: list[tuple[str, Built, bool]]) -> list[Item]:
    """Publish everything under a name of its own, some of it elsewhere."""
    items = []
    for number, (repository, built, elsewhere) in enumerate(wanted):
        name = f"{repository}:{number}"
        (scene.publish_elsewhere if elsewhere else scene.publish)(built, name)
        items.append(item(name, store=OTHER_SOURCE) if elsewhere else item(name))
        for signed in SIGNATURES:
            if signed.manifest.subject == built.descriptor:
                (scene.publish_elsewhere if elsewhere else scene.publish)(signed, repository)
    return items


def is_complete(store: MemoryStore, repository: str, built: Built) -> bool:
    """Whether a repository has every manifest and every byte of an image."""
    for each in built.walk():
        if store.fetch(Name(repository, None, each.digest)).raw != each.manifest.raw:
            return False
        for content in each.contents:
            with store.open(repository, content.descriptor) as chunks:
                if b"".join(chunks) != content.read():
                    return False
    return True


@settings(deadline=None, max_examples=60)
@given(
    wanted=WANTED,
    held=HELD,
    source_faults=st.lists(SOURCE_FAULTS, max_size=4),
    target_faults=st.lists(TARGET_FAULTS, max_size=4),
    referrers=st.sampled_from(Referrers),
    bodies=st.integers(1, 6),
)
def test_whatever_goes_wrong_the_story_is_consistent_and_the_next_run_completes(
    wanted: list[tuple[str, Built, bool]],
    held: list[tuple[str, Built]],
    source_faults: list[Fault],
    target_faults: list[Fault],
    referrers: Referrers,
    bodies: int,
) -> None:
    scene, recorder, target = Scene(target=MemoryStore(TARGET)), Recorder(), None
    items = wish(scene, wanted)
    for number, (repository, built) in enumerate(held):
        scene.deliver(built, f"{repository}:held{number}")
    plan = scene.plan(*items, referrers=referrers)
    scene.script(*source_faults)
    scene.script(*target_faults, at="target")
    outcome = scene.run(plan, listen=recorder, clock=FakeClock(), bodies=bodies, small=1)
    recorder.check(plan, outcome)
    target = scene.target.store
    assert isinstance(target, MemoryStore)
    for (repository, built, _), image_outcome in zip(wanted, outcome.images, strict=True):
        assert image_outcome.error is not None or is_complete(target, repository, built)
    scene.script()
    scene.script(at="target")
    again = scene.run(scene.plan(*items, referrers=referrers), clock=FakeClock())
    assert [each.error for each in again.images] == [None] * len(items)
    assert all(is_complete(target, repository, built) for repository, built, _ in wanted)
    for number, (repository, built, _) in enumerate(wanted):
        assert target.fetch(Name(repository, str(number))).digest == built.digest
    assert scene.plan(*items, referrers=referrers).count("unchanged") == len(items)
