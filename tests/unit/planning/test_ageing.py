"""Tags that would go back to older content are told; nobody is asked where no tag moves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.planning.scene import Scene
from tests.unit.report.replay import StoppedClock
from transload.errors import RefusedByRule, TransloadError
from transload.oci import Manifest, Name
from transload.planning.ageing import CREATED, going_back, moving_among, moving_in
from transload.planning.survey import Surveyed
from transload.testing.images import AMD64, ARM64, Built, artifact, image, index
from transload.testing.layers import Content
from transload.threads import Cancellation

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OLD, NEW = "2026-03-01T10:00:00Z", "2026-05-01T12:00:00.123456789+02:00"


def annotated(when: str) -> Built:
    return image(f"annotated {when}", (100,), annotations={CREATED: when})


def configured(when: object) -> Built:
    """An image whose config says when it was made, as docker builds it."""
    built = image(f"configured {when}", (100,))
    document, old = dict(built.manifest.document), built.manifest.config
    assert old is not None
    config = json.loads(next(each for each in built.contents if each.descriptor == old).read()) | {"created": when}
    made = Content.of(json.dumps(config).encode(), old.media_type)
    document["config"] = made.descriptor.to_json()
    rest = tuple(each for each in built.contents if each.descriptor != old)
    return Built(Manifest.parse(json.dumps(document).encode()), (made, *rest))


def of_platforms(when: str) -> Built:
    return index([(configured(when), AMD64), (image("other", (100,)), ARM64)])


def told(new: Built, there: Built, **request: Any) -> list[str]:
    scene = Scene()
    scene.deliver(there, "app:1")
    scene.publish(new, "app:1")
    plan = scene.plan("app:1", **request)
    tags = going_back(
        moving_in(plan), scene.sources, scene.target, Cancellation(), StoppedClock(began_wall_s=NOW.timestamp())
    )
    return [f"{tag}{' (doubtful)' if tag.doubtful else ''}" for tag in tags]


@pytest.mark.parametrize("made", [annotated, configured, of_platforms])
@pytest.mark.parametrize("there", [annotated, configured, of_platforms])
def test_older_over_newer_is_told(made: object, there: object) -> None:
    assert told(made(OLD), there(NEW)) == ["app:1 from 2026-05-01 to 2026-03-01"]  # type: ignore[operator]


def test_of_one_day_the_time_is_told() -> None:
    assert told(annotated("2026-05-01T08:00:00Z"), annotated(NEW)) == [
        "app:1 from 2026-05-01 10:00:00 to 2026-05-01 08:00:00"
    ]


@pytest.mark.parametrize(
    ("new", "there"),
    [
        (annotated(NEW), annotated(OLD)),
        (annotated(OLD), annotated("1970-01-01T00:00:00Z")),
        (annotated(OLD), annotated(OLD)),
        (configured("1980-01-01T00:00:00Z"), annotated(NEW)),
        (annotated(OLD), annotated("0001-01-01T00:00:00Z")),
        (annotated(OLD), annotated("9999-99-99")),
        (configured("0" * 500), annotated(NEW)),
        (configured(7), annotated(NEW)),
        (annotated(OLD), configured("yesterday")),
        (artifact("undated"), annotated(NEW)),
    ],
)
def test_what_does_not_say_when_it_was_made_is_not_judged(new: Built, there: Built) -> None:
    assert told(new, there) == []


def test_nobody_is_asked_where_no_tag_moves() -> None:
    scene = Scene()
    scene.deliver(annotated(NEW), "same:1")
    scene.publish(annotated(NEW), "same:1")
    scene.publish(annotated(OLD), "new:1")
    plan = scene.plan("same:1", "new:1")
    for store in (scene.source, scene.target):
        store.subjects.clear()
    assert going_back(moving_in(plan), scene.sources, scene.target) == ()
    assert scene.source.subjects == []
    assert scene.target.subjects == []


def test_a_platform_of_an_older_index_is_told_too() -> None:
    assert told(of_platforms(OLD), of_platforms(NEW), platforms=(AMD64,)) == ["app:1 from 2026-05-01 to 2026-03-01"]


@pytest.mark.parametrize(
    ("new", "there", "expected"),
    [
        (OLD, "2099-01-01T00:00:00Z", ["app:1 from 2099-01-01 to 2026-03-01 (doubtful)"]),
        ("2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z", ["app:1 from 2099-01-01 to 2098-01-01"]),
        ("2099-01-01T00:00:00Z", NEW, []),
        (OLD, "2026-06-01T20:00:00Z", ["app:1 from 2026-06-01 to 2026-03-01"]),
    ],
    ids=["only the target's is in the future", "the clock is behind both", "the new one's", "within a day"],
)
def test_times_in_the_future_prove_nothing_unless_both_are(new: str, there: str, expected: list[str]) -> None:
    assert told(annotated(new), annotated(there)) == expected


def test_an_image_that_is_refused_has_no_steps_and_others_bring_what_they_share() -> None:
    scene = Scene()
    shared = image("shared", (100, 200))
    scene.deliver(annotated(NEW), "old:1")
    scene.publish(shared, "old:1", "other:1")
    error = RefusedByRule("not this one")
    asked: list[tuple[str, ...]] = []

    def refuse(surveyed: Sequence[Surveyed]) -> dict[Name, TransloadError]:
        asked.append(tuple(tag.name.repository for tag in moving_among(surveyed)))
        return {Name("old", "1"): error}

    plan = scene.plan("old:1", "other:1", refuse=refuse)
    assert asked == [("old",)]
    assert [image.error for image in plan.images] == [error, None]
    assert {step.repository for step in plan.blob_steps()} == {"other"}
    assert all(step.origin is None for step in plan.blob_steps())
    assert not any("old" in subject for operation, subject in scene.target.subjects if operation == "exists")
