"""Images complete one after the other, and the whole ends less than 3 % later than if the biggest blobs came first."""

from __future__ import annotations

import heapq
import statistics
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.planning.scene import Scene
from transload.oci import Descriptor, Digest, Name
from transload.oci.mediatype import OCI_LAYER_GZIP
from transload.planning import BlobStep, ManifestStep, Plan
from transload.planning.plan import PlannedImage
from transload.testing.images import image
from transload.testing.layers import layer
from transload.transfer.bodyorder import in_order_of_images

LANES = 8
DIGEST = Digest.of(b"")


def plan_of(sizes: Sequence[int], images: Sequence[Sequence[int]]) -> Plan:
    """A plan that copies blobs of these sizes; each image needs those that it names by place."""
    blobs = [
        BlobStep(
            id=place,
            descriptor=Descriptor(OCI_LAYER_GZIP, DIGEST, size),
            source_store="s",
            source_repository="a",
            repository="a",
        )
        for place, size in enumerate(sizes)
    ]
    manifests, planned = [], []
    for number, needs in enumerate(images):
        name = Name(f"i{number}", "1")
        manifests.append(
            ManifestStep(
                id=len(blobs) + number,
                digest=DIGEST,
                name=name,
                needs=tuple(dict.fromkeys(needs)),
                source_store="s",
                source_repository="a",
            )
        )
        planned.append(
            PlannedImage(source_store="s", source=name, target=name, status="new", goals=(len(blobs) + number,))
        )
    return Plan(target="t", images=tuple(planned), steps=(*blobs, *manifests), manifests={})


def ends(sizes: Sequence[int], order: Sequence[int], count: int = LANES) -> dict[int, int]:
    """When each body is there, where every one of `count` lanes moves one byte at a time."""
    lanes, found = [0] * count, {}
    for body in order:
        found[body] = lanes[0] + sizes[body]
        heapq.heapreplace(lanes, found[body])
    return found


SIZES = st.lists(st.integers(0, 10**9), min_size=1, max_size=40)


@given(SIZES, st.lists(st.lists(st.integers(0, 99), max_size=8), min_size=1, max_size=12))
def test_each_body_that_an_image_needs_comes_once(sizes: list[int], images: list[list[int]]) -> None:
    needed = [[one % len(sizes) for one in wanted] for wanted in images]
    order = in_order_of_images(plan_of(sizes, needed), LANES)
    assert sorted(order) == sorted({one for wanted in needed for one in wanted})


MANY_SIZES = st.lists(
    st.one_of(
        st.integers(0, 10),
        st.integers(50, 100),
        st.sampled_from([1, 100, 101, 1000]),
        st.floats(0, 9).map(lambda power: int(10**power)),
    ),
    min_size=1,
    max_size=80,
)
MANY_IMAGES = st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=8), min_size=1, max_size=20)


@given(MANY_SIZES, MANY_IMAGES, st.integers(1, 16), st.integers(0, 16), st.sets(st.integers(0, 99), max_size=20))
@example([1000, *[100] * 30, *[101] * 8], [[1, 2], [3], [4, 5, 31, 0], [*range(6, 31)], [*range(32, 39)]], 3, 0, set())
@example([*[100] * 130, 1000], [[at] for at in range(131)], 8, 14, set())
def test_the_whole_ends_hardly_later_than_if_the_biggest_came_first(
    sizes: list[int], images: list[list[int]], lanes: int, most: int, started: set[int]
) -> None:
    """Less than 3 % later, also with the most lanes; and what has begun already comes first in both."""
    needed = [[one % len(sizes) for one in wanted] for wanted in images]
    begun = {one % len(sizes) for one in started} & {one for wanted in needed for one in wanted}
    order = in_order_of_images(plan_of(sizes, needed), lanes, begun, most=most)
    assert sorted(order) == sorted({one for wanted in needed for one in wanted})
    assert set(order[: len(begun)]) == begun
    rest = sorted(order[len(begun) :], key=lambda body: -sizes[body])
    for count in (lanes, max(lanes, most)):
        both = ((*order[: len(begun)], *rest), order)
        early, late = (max(ends(sizes, one, count).values(), default=0) for one in both)
        assert late <= 1.025 * early


@pytest.mark.parametrize("seed", range(12))
def test_with_sizes_as_those_of_layers_too(seed: int) -> None:
    """Many small ones, a few that are far larger."""
    random = Random(seed)
    sizes = [int(2e6 * random.paretovariate(1.2)) for _ in range(100)]
    images = [random.sample(range(100), random.randint(1, 6)) for _ in range(30)]
    order = in_order_of_images(plan_of(sizes, images), LANES)
    early, late = (max(ends(sizes, one).values()) for one in (sorted(order, key=lambda body: -sizes[body]), order))
    assert late <= 1.025 * early


# MiB of layers as a vendor's release has them: a base below all, a few runtimes, one program or several on top.
BASE, PYTHON, POSTGRES, JAVA, *PROGRAMS = 15, 5, 20, 45, 4, 13, 6, 3, 20, 16, 42, 36, 37, 50, 5, 4, 8, 13, 13
RELEASE = [
    *((0, 1, 4, 5), (0, 6), (0, 1, 6, 7, 4), (0, 8, 9), (0, 3, 10, 11, 12, 13), (0, 2, 14), (0, 2, 6), (0, 14)),
    *((0, 15), (0, 16), (0, 8), (0, 3, 17), (0, 3, 18), (0, 11), (0, 1, 6), (0, 1, 6, 7), (0, 4), (0,)),
]


def test_half_of_a_release_is_there_long_before_its_end() -> None:
    sizes = [BASE, PYTHON, POSTGRES, JAVA, *PROGRAMS]

    def median_and_end(order: Sequence[int]) -> tuple[float, int]:
        found = ends(sizes, order)
        return statistics.median(max(found[body] for body in needed) for needed in RELEASE), max(found.values())

    order = in_order_of_images(plan_of(sizes, RELEASE), LANES)
    median_before, end_before = median_and_end(sorted(order, key=lambda body: -sizes[body]))
    median, end = median_and_end(order)
    assert end <= 1.025 * end_before
    assert median < 0.5 * median_before


def test_what_an_image_only_mounts_is_fetched_for_it_too() -> None:
    scene = Scene()
    shared = layer("shared", 9_000)
    scene.publish(image("a", (shared, layer("large", 90_000))), "a:1")
    scene.publish(image("b", (shared,)), "b:1")
    plan = scene.plan("a:1", "b:1")
    first, *_ = in_order_of_images(plan, 1)
    begun = next(step for step in plan.blob_steps() if step.id == first)
    assert begun.descriptor.digest == shared.descriptor.digest
