"""Shares of a plan bring each blob exactly once, point nothing, and are the same on every machine."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.planning.scene import Scene
from transload.errors import UsageError
from transload.memory import MemoryStore
from transload.oci import Descriptor, Digest
from transload.planning import BlobStep, ManifestStep, Plan
from transload.planning.planfile import dump_plan, load_plan
from transload.planning.shares import (
    ShareNumber,
    cut,
    finishing,
    holders,
    lacking_by_share,
    share_of,
)
from transload.testing.faults import FaultyStore, refuses_mount
from transload.testing.releases import release
from transload.transfer import run

MADE = release("shares", 5, 200_000, 1)
NAMES = [f"site/{name}:{MADE.tag}" for name in MADE.images]
COUNTS = (1, 2, 3, 8, 200)


def published() -> Scene:
    """Images that share layers, each in a repository of its own, so that blobs are mounted from one to the other."""
    scene = Scene()
    for name, built in MADE.images.items():
        scene.publish(built, f"site/{name}:{MADE.tag}")
    return scene


def tags(store: MemoryStore) -> set[tuple[str, str]]:
    return {(repository, tag) for repository in store.repositories() for tag in store.tags(repository)}


def of_blobs(blobs: list[tuple[int, int, bool]]) -> Plan:
    """A plan of blobs only: the size of each, in how many repositories it is wanted, and whether the target has it."""
    steps: list[BlobStep] = []
    for number, (size, wanted, held) in enumerate(blobs):
        descriptor = Descriptor("application/octet-stream", Digest.of(b"%d" % number), size)
        first = None if held else len(steps)
        for place in range(wanted):
            copies = place == 0 and not held
            steps.append(
                BlobStep(
                    id=len(steps),
                    descriptor=descriptor,
                    source_store="memory:source",
                    source_repository="a",
                    repository=f"r{place}",
                    origin=None if copies else "old" if held else "r0",
                    after=None if copies else first,
                )
            )
    return Plan(target="memory:target", images=(), steps=tuple(steps), manifests={})


BLOBS = st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(1, 4), st.booleans()), max_size=40).map(of_blobs)


@given(plan=BLOBS, of=st.integers(1, 60))
def test_each_blob_is_in_exactly_one_share_with_all_of_its_steps(plan: Plan, of: int) -> None:
    shares = list(cut(plan, of))
    assert len(shares) == of
    found: Counter[tuple[Digest, str]] = Counter()
    for number, share in enumerate(shares, 1):
        for step in share.steps:
            assert isinstance(step, BlobStep)
            assert step.id == share.steps.index(step)
            assert step.after is None or share.steps[step.after].id < step.id
            found[step.descriptor.digest, step.repository] += 1
            assert holders(plan, of)[step.descriptor.digest] == number
    assert found == Counter((step.descriptor.digest, step.repository) for step in plan.blob_steps())


@given(plan=BLOBS, of=st.integers(1, 60))
def test_no_share_has_more_bytes_than_another_by_more_than_one_blob(plan: Plan, of: int) -> None:
    sizes = [sum(step.descriptor.size for step in share.blob_steps() if step.origin is None) for share in cut(plan, of)]
    largest = max((step.descriptor.size for step in plan.blob_steps() if step.origin is None), default=0)
    assert max(sizes) - min(sizes) <= largest


@given(plan=BLOBS, of=st.integers(1, 20))
def test_what_lacks_is_found_at_the_share_that_brings_it(plan: Plan, of: int) -> None:
    lacking = lacking_by_share(plan, plan.blob_steps(), of)
    assert [each.number for each in lacking] == sorted({*holders(plan, of).values()})
    assert {step.id for each in lacking for step in each.steps} == {step.id for step in plan.steps}
    assert lacking_by_share(plan, (), of) == ()


def test_blobs_that_are_only_mounted_are_spread_by_their_number() -> None:
    plan = of_blobs([(1 << 30, 1, True)] * 40)
    assert {len(share.steps) for share in cut(plan, 8)} == {5}


@pytest.mark.parametrize("of", COUNTS)
def test_shares_and_then_the_finish_do_what_the_plan_does(of: int) -> None:
    scene = published()
    plan = scene.plan(*NAMES)
    whole, target = MemoryStore("memory:target"), MemoryStore("memory:target")
    assert all(ended.error is None for ended in run(plan, scene.sources, whole).images)
    read: Counter[str] = Counter()
    for share in cut(plan, of):
        scene.source.subjects.clear()
        assert [image.error for image in run(share, scene.sources, target).images] == [None] * len(share.images)
        assert not any(isinstance(step, ManifestStep) for step in share.steps)
        assert not tags(target)
        read.update(subject for operation, subject in scene.source.subjects if operation == "open")
    assert set(read.values()) == {1}
    rest = finishing(plan)
    assert not list(rest.blob_steps())
    assert [image.error for image in run(rest, scene.sources, target).images] == [None] * len(NAMES)
    assert tags(target) == tags(whole)
    assert len(tags(target)) >= len(NAMES)
    assert all(target.exists(step.repository, step.descriptor) for step in plan.blob_steps())


def test_where_mounts_are_refused_the_shares_copy_side_by_side() -> None:
    scene = published()
    plan = scene.plan(*NAMES)
    store = MemoryStore("memory:target")
    target = FaultyStore(store, [refuses_mount()])
    copied = 0
    for share in cut(plan, 3):
        outcome = run(share, scene.sources, target)
        assert [image.error for image in outcome.images] == [None] * len(share.images)
        copied += target.calls["begin"] > 0
        target.subjects.clear()
    assert copied == 3
    assert [image.error for image in run(finishing(plan), scene.sources, target).images] == [None] * len(NAMES)
    assert not target.calls["begin"]


@pytest.mark.parametrize("of", COUNTS)
def test_a_plan_from_a_file_is_cut_alike(of: int) -> None:
    plan = published().plan(*NAMES)
    again = load_plan(dump_plan(plan))
    assert list(cut(again, of)) == list(cut(plan, of))
    assert finishing(again) == finishing(plan)


def test_what_is_copied_and_mounted_adds_up_to_that_of_the_plan() -> None:
    plan = published().plan(*NAMES)
    for of in COUNTS:
        shares = list(cut(plan, of))
        assert sum(share.copied.bytes for share in shares) == plan.copied.bytes
        assert sum(share.copied.blobs for share in shares) == plan.copied.blobs
        assert sum(share.mounted.blobs for share in shares) == plan.mounted.blobs
    rest = finishing(plan)
    assert rest.copied.blobs == rest.mounted.blobs == 0
    assert rest.present.bytes == plan.copied.bytes + plan.mounted.bytes + plan.present.bytes


def test_a_plan_that_has_nothing_to_do_gives_shares_that_do_nothing() -> None:
    scene = published()
    for name, built in MADE.images.items():
        scene.deliver(built, f"site/{name}:{MADE.tag}")
    plan = scene.plan(*NAMES)
    for share in cut(plan, 3):
        assert not share.steps
        assert not share.images
        assert run(share, scene.sources, scene.target).images == ()
    assert [image.status for image in finishing(plan).images] == ["unchanged"] * len(NAMES)


@pytest.mark.parametrize(("number", "of"), [(0, 8), (9, 8), (-1, 8), (1, 0), (1, -3), (1, 10_001)])
def test_there_are_shares_that_cannot_be(number: int, of: int) -> None:
    with pytest.raises(UsageError):
        ShareNumber(number, of)


def test_a_share_is_written_as_people_count() -> None:
    assert str(ShareNumber(3, 8)) == "3/8"
    assert share_of(of_blobs([(5, 1, False)]), ShareNumber(1, 1)).steps
