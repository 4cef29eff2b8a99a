"""The age of an image: whose time counts, what it costs to know it, and who may say it better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tests.unit.planning.scene import Scene
from tests.unit.planning.test_ageing import annotated, configured
from tests.unit.report.replay import StoppedClock
from transload.errors import TransloadError
from transload.oci import Name
from transload.planning.ages import Ages, Dated, by_created_field, too_young_or_old
from transload.planning.survey import Surveyed
from transload.ports import Source
from transload.testing.images import AMD64, ARM64, Built, index

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OLD, YOUNG = "2026-03-01T00:00:00Z", "2026-05-31T00:00:00Z"


def refused(built: Built, ages: Ages, scene: Scene | None = None, **more: object) -> list[str]:
    scene = scene or Scene()
    scene.publish(built, "app:1")

    def refuse(surveyed: Sequence[Surveyed]) -> Mapping[Name, TransloadError]:
        clock = StoppedClock(began_wall_s=NOW.timestamp())
        return too_young_or_old(surveyed, ages, scene.sources, clock=clock, **more)  # type: ignore[arg-type]

    plan = scene.plan("app:1", refuse=refuse)
    return [str(image.error) for image in plan.images if image.error]


def test_the_youngest_platform_counts() -> None:
    both = index([(configured(OLD), AMD64), (configured(YOUNG), ARM64)])
    assert refused(both, Ages.of("7d", None)) == [
        "app:1 was made 2026-05-31 00:00, by its created field, which its builder wrote: it is younger than 7d"
    ]


def test_one_platform_that_does_not_say_it_is_enough() -> None:
    assert refused(index([(configured(OLD), AMD64), (configured("never"), ARM64)]), Ages.of("7d", None)) == [
        "app:1 does not say when it was made"
    ]


def test_without_a_limit_nothing_is_asked_and_with_one_a_request() -> None:
    counts = []
    for ages in (Ages(), Ages.of("7d", None)):
        scene = Scene()
        assert refused(configured(OLD), ages, scene) == []
        counts.append(len(scene.source.subjects))
    assert counts[1] == counts[0] + 1


def test_an_annotation_costs_no_request() -> None:
    counts = []
    for ages in (Ages(), Ages.of("7d", None)):
        scene = Scene()
        assert refused(annotated(OLD), ages, scene) == []
        counts.append(len(scene.source.subjects))
    assert counts[1] == counts[0]


def test_a_time_that_something_proves_can_be_given_instead() -> None:
    def proved(image: Surveyed, source: Source) -> Dated | None:
        assert by_created_field(image, source) is not None
        return Dated(NOW, "by the log of its signature")

    assert refused(annotated(OLD), Ages.of("1d", None), date=proved) == [
        "app:1 was made 2026-06-01 00:00, by the log of its signature: it is younger than 1d"
    ]
