"""Tags that would go back to older content are told; nobody is asked where no tag moves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.planning.scene import Scene
from transload.oci import Manifest
from transload.planning.ageing import CREATED, going_back
from transload.testing.images import AMD64, ARM64, Built, artifact, image, index
from transload.testing.layers import Content
from transload.threads import Cancellation

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
    return [str(each) for each in going_back(plan, scene.sources, scene.target, Cancellation())]


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
    assert going_back(plan, scene.sources, scene.target) == ()
    assert scene.source.subjects == []
    assert scene.target.subjects == []


def test_a_platform_of_an_older_index_is_told_too() -> None:
    assert told(of_platforms(OLD), of_platforms(NEW), platforms=(AMD64,)) == ["app:1 from 2026-05-01 to 2026-03-01"]
