"""What each further release adds: the same as the difference of the plans with and without it."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.unit.planning.scene import Scene
from transload.layout import LayoutStore
from transload.oci import Name
from transload.planning.additions import ReleaseNames, additions
from transload.planning.plan import Share
from transload.testing.releases import SeededRelease, release

RELEASES = [release("additions", 6, 200_000, version) for version in (1, 2, 3)]


def names_of(made: SeededRelease) -> list[str]:
    return [f"site/{name}:{made.tag}" for name in made.images]


def published() -> Scene:
    scene = Scene()
    for made in RELEASES:
        for name, built in made.images.items():
            scene.publish(built, f"site/{name}:{made.tag}")
    return scene


def groups(*made: SeededRelease) -> list[ReleaseNames]:
    return [
        ReleaseNames(catalog="seeded", tag=wanted.tag, names=frozenset(map(Name.parse, names_of(wanted))))
        for wanted in made
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_each_release_adds_what_the_plan_grows_by(order: tuple[int, ...]) -> None:
    scene, chosen = published(), [RELEASES[number] for number in order]
    # The request has the newest first: only the order of the releases counts.
    counted = additions(scene.plan(*(name for made in reversed(RELEASES) for name in names_of(made))), groups(*chosen))
    sizes = [
        scene.plan(*(name for made in chosen[:number] for name in names_of(made))).copied for number in range(1, 4)
    ]
    assert [sum(added.copied.bytes for added in counted[:number]) for number in (1, 2, 3)] == [
        share.bytes for share in sizes
    ]
    assert sum(added.copied.blobs for added in counted) == sizes[-1].blobs
    assert counted[0].copied.bytes > 2 * counted[1].copied.bytes > 0, "releases share most of their bytes"
    assert [(added.tag, added.images) for added in counted] == [(made.tag, 6) for made in chosen]


def test_what_the_target_has_adds_nothing() -> None:
    scene = published()
    for name, built in RELEASES[0].images.items():
        scene.deliver(built, f"site/{name}:{RELEASES[0].tag}")
    plan = scene.plan(*(name for made in RELEASES[:2] for name in names_of(made)))
    first, second = additions(plan, groups(*RELEASES[:2]))
    assert (first.images, first.copied) == (6, Share())
    assert second.copied == plan.copied


def test_blobs_come_once_into_a_folder_too(tmp_path: Path) -> None:
    scene = Scene(target=LayoutStore(tmp_path / "folder", create=True))
    for made in RELEASES:
        for name, built in made.images.items():
            scene.publish(built, f"site/{name}:{made.tag}")
    plan = scene.plan(*(name for made in RELEASES for name in names_of(made)))
    assert sum(added.copied.bytes for added in additions(plan, groups(*RELEASES))) == plan.copied.bytes


def test_images_that_are_not_in_the_plan_are_not_counted() -> None:
    scene = published()
    plan = scene.plan(*names_of(RELEASES[0])[:2])
    first, second = additions(plan, groups(*RELEASES[:2]))
    assert (first.images, second.images, second.copied) == (2, 0, Share())
