"""Which names a rule lets go."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest

from transload.catalog.catalog import Catalog
from transload.catalog.release import CompanionImage, Release
from transload.errors import UsageError
from transload.oci import Digest, Name
from transload.pruning.rules import PruneRule, reasons, recent, releases_held

CATALOG = Catalog(
    name="product",
    registry="vendor.test",
    repository="product",
    releases=(
        Release(tag="v1.9.0", images=("web", "db"), list_name="a", facts={"chart": "1.9.7"}),
        Release(tag="v1.10.0", images=("web", "db", "extra"), list_name="b", facts={"chart": "1.10.1"}),
    ),
    companions=(CompanionImage("chart", "chart"),),
)


def names(*texts: str) -> list[Name]:
    return [Name.parse(text) for text in texts]


def going(rule: PruneRule, *texts: str, prefix: str = "") -> set[str]:
    return {str(name) for name in reasons(rule, names(*texts), prefix)}


def test_the_newest_releases_stay_counted_over_all_repositories() -> None:
    held = ("m/web:v1.9.0", "m/db:v1.9.0", "m/web:v1.10.0", "m/db:v1.11.0", "m/db:v1.2.0", "m/chart:1.9.7")
    rule = PruneRule(catalog=CATALOG, keep=2)
    assert going(rule, *held, prefix="m") == {"m/web:v1.9.0", "m/db:v1.9.0", "m/db:v1.2.0", "m/chart:1.9.7"}
    releases = releases_held(CATALOG, names(*held), "m")
    assert [release.tag for release in releases] == ["v1.11.0", "v1.10.0", "v1.9.0", "v1.2.0"]


def test_what_the_catalog_does_not_speak_of_stays() -> None:
    held = ("web:v1.9.0", "web:v1.10.0", "web:latest", "tools:v1.0.0", "chart:1.0.0", "elsewhere/web:v1.0.0")
    assert going(PruneRule(catalog=CATALOG, keep=1), *held) == {"web:v1.9.0"}
    assert going(PruneRule(catalog=CATALOG, keep=5), *held) == set()


def test_without_a_catalog_the_tags_that_match_are_counted_in_each_repository() -> None:
    rule = PruneRule(remove_tags=(re.compile("nightly-.*"),), keep=1)
    held = ("a:nightly-1", "a:nightly-2", "b:nightly-1", "a:v1")
    assert going(rule, *held) == {"a:nightly-1"}


def test_what_keeps_wins() -> None:
    rule = PruneRule(remove_tags=(re.compile(".*"),), keep_tags=(re.compile("v2|latest"),))
    assert going(rule, "a:v1", "a:v2", "a:latest") == {"a:v1"}


def test_exactly_what_a_set_names_stays() -> None:
    sig = f"a:sha256-{'0' * 64}.sig"
    rule = PruneRule(wanted=frozenset(names("a:1")))
    assert going(rule, "a:1", "a:2", "b:1", sig, f"a@{Digest.of(b'x')}") == {"a:2", "b:1"}


def test_images_without_a_tag_go_only_if_they_are_asked_for() -> None:
    loose = f"a@{Digest.of(b'x')}"
    assert going(PruneRule(untagged=True), "a:1", loose) == {loose}
    assert going(PruneRule(remove_tags=(re.compile(".*"),)), loose) == set()


def test_an_image_that_is_new_or_does_not_say_when_it_was_made_stays() -> None:
    rule = PruneRule(remove_tags=(re.compile(".*"),), keep_since=date(2026, 3, 1))
    old, new, silent = names("a:1", "a:2", "a:3")
    made = {old: datetime(2026, 2, 28, 23, 59, tzinfo=UTC), new: datetime(2026, 3, 1, tzinfo=UTC)}
    assert recent(rule, reasons(rule, [old, new, silent]), made) == {
        old: "its tag matches --remove-tags; made on 2026-02-28"
    }


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({}, "no rule says what goes"),
        ({"keep_tags": (re.compile("x"),)}, "no rule says what goes"),
        ({"keep": 0, "catalog": CATALOG}, "--keep 0 would keep nothing"),
        ({"keep": -3, "catalog": CATALOG}, "--keep -3 would keep nothing"),
        ({"keep": 3}, "--keep does not say what is counted"),
        ({"catalog": CATALOG}, "--catalog does not say how many"),
    ],
)
def test_half_a_rule_is_refused(rule: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        PruneRule(**rule)  # type: ignore[arg-type]
