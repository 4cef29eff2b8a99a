"""A plan without some of its images is the plan that would have been made without them."""

from __future__ import annotations

import itertools

import pytest

from tests.unit.planning.scene import Scene
from transload.errors import GateRefused
from transload.memory import MemoryStore
from transload.oci import Name
from transload.planning import BlobStep, Plan
from transload.planning.leaving import only, without
from transload.testing.releases import release
from transload.transfer import run

MADE = release("leaving", 5, 200_000, 1)
NAMES = [f"site/{name}:{MADE.tag}" for name in MADE.images]
REFUSED = GateRefused("no")


def published() -> Scene:
    """Images that share layers, each in a repository of its own, so that blobs are mounted from one to the other."""
    scene = Scene()
    for name, built in MADE.images.items():
        scene.publish(built, f"site/{name}:{MADE.tag}")
    return scene


def summary(plan: Plan) -> object:
    """What a plan does, whatever its steps are called."""
    blobs = [(step.repository, step.descriptor.digest, step.origin is None) for step in plan.blob_steps()]
    shares = {str(image.target): (image.copied, image.mounted) for image in plan.images if image.error is None}
    return sorted(blobs), shares, sorted(plan.manifests), plan.copied


LEFT = [group for length in range(6) for group in itertools.combinations(range(5), length)]


@pytest.mark.parametrize("left_out", LEFT, ids=str)
def test_it_does_what_a_plan_of_the_others_does(left_out: tuple[int, ...]) -> None:
    scene = published()
    plan = without(scene.plan(*NAMES), dict.fromkeys(left_out, REFUSED))
    others = [name for number, name in enumerate(NAMES) if number not in left_out]
    assert summary(plan) == summary(scene.plan(*others))
    assert [image.error for image in plan.images] == [REFUSED if n in left_out else None for n in range(5)]
    assert [step.id for step in plan.steps] == list(range(len(plan.steps)))
    for step in plan.steps:
        assert all(need < step.id for need in step.needs)
        assert step.after is None or isinstance(plan.steps[step.after], BlobStep) and step.after < step.id


@pytest.mark.parametrize("number", range(5))
def test_the_part_for_one_image_brings_it_and_nothing_else(number: int) -> None:
    scene = published()
    part = only(scene.plan(*NAMES), number)
    target = MemoryStore("memory:target")
    outcome = run(part, scene.sources, target)
    assert [image.error for image in outcome.images] == [None]
    name = Name.parse(NAMES[number])
    assert target.fetch(name).raw == list(MADE.images.values())[number].manifest.raw
    assert list(target.repositories()) == [name.repository]
