"""The rules of an image set, judged on what a target holds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from transload.catalog.imageset import ImageSet
from transload.catalog.setfile import parse_set
from transload.errors import DocumentInvalid, UsageError
from transload.oci import Name
from transload.pruning.filerules import check_speaks, dated, not_taken, rules_of

SET = """
kind: ImageSet
version: 1
images:
  - source: quay.io/jetstack/webhook
    tags: {versions: ">=1.2", newest: 2}
  - source: quay.io/jetstack/controller
    tags: {exact: [stable], newest: 1}
  - source: quay.io/young/app
    tags: {pattern: "v.*", newer_than: 2026-03-01}
  - quay.io/team/tool:1
  - quay.io/team/tool:2
"""


def image_set(text: str = SET) -> ImageSet:
    found = parse_set(text, "set.yaml")
    assert isinstance(found, ImageSet)
    return found


def names(*texts: str) -> list[Name]:
    return [Name.parse(text) for text in texts]


def going(held: list[Name], prefix: str = "m", *, flatten: bool = False, **made: datetime) -> set[str]:
    rules = rules_of(image_set(), held, prefix, flatten=flatten)
    return {str(name) for name in not_taken(rules, held, {Name.parse(text): when for text, when in made.items()})}


def test_what_the_rules_do_not_take_goes_of_their_repositories() -> None:
    held = names(
        *(f"m/jetstack/webhook:{tag}" for tag in ("1.1", "1.2", "1.3", "1.4")),
        *(f"m/jetstack/controller:{tag}" for tag in ("stable", "1", "2")),
        *(f"m/team/tool:{tag}" for tag in ("1", "3")),
        "m/other:1",
        f"m/team/tool:sha256-{'0' * 64}.sig",
    )
    assert going(held) == {
        "m/jetstack/webhook:1.1",
        "m/jetstack/webhook:1.2",
        "m/jetstack/controller:1",
        "m/team/tool:3",
    }


def test_flattened_repositories_are_found_by_their_last_part() -> None:
    assert going(names("m/tool:1", "m/tool:3"), flatten=True) == {"m/tool:3"}
    assert going(names("m/tool:1", "m/tool:3")) == set()


def test_an_image_that_does_not_say_when_it_was_made_stays() -> None:
    held = names("m/young/app:v1", "m/young/app:v2", "m/young/app:v3", "m/young/app:old")
    rules = rules_of(image_set(), held, "m")
    assert sorted(map(str, dated(rules, held))) == ["m/young/app:v1", "m/young/app:v2", "m/young/app:v3"]
    made = {held[0]: datetime(2026, 2, 1, tzinfo=UTC), held[1]: datetime(2026, 4, 1, tzinfo=UTC)}
    assert not_taken(rules, held, made) == {
        held[0]: "it was made on 2026-02-01",
        held[3]: "it does not match /v.*/",
    }


def test_a_prefix_speaks_of_what_is_under_it() -> None:
    text = """
kind: ImageSet
version: 1
repositories:
  - prefix: quay.io/jetstack
    target: certs
    tags: {newest: 1}
"""
    held = names(
        "m/certs/webhook:1", "m/certs/webhook:2", "m/jetstack/webhook:1", "m/jetstack/webhook:2", "m/certs2/x:1"
    )
    rules = rules_of(image_set(text), held, "m")
    assert {str(name) for name in not_taken(rules, held, {})} == {"m/certs/webhook:1"}


def test_a_file_that_speaks_of_nothing_there_is_refused() -> None:
    with pytest.raises(DocumentInvalid, match="speaks of no repository"):
        check_speaks(rules_of(image_set(), names("elsewhere/app:1")), "set.yaml")


def test_charts_are_not_judged_here() -> None:
    text = """
kind: ImageSet
version: 1
charts:
  - oci://registry.test/charts/app:1.0.0
"""
    with pytest.raises(UsageError, match="chart's versions"):
        rules_of(image_set(text), names("a:1"))
