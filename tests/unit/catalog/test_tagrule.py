from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.catalog.ruled import RuledImages
from transload.catalog.tagpattern import check_pattern
from transload.catalog.tagrule import TagRule, denial, judge_tags, undated
from transload.catalog.versionrange import VersionRange, order_key
from transload.errors import DocumentInvalid
from transload.oci import Name, Reference

TAGS = st.lists(
    st.from_regex(r"v?[0-9]{1,2}\.[0-9]{1,2}(-rc\.[0-9]|-slim)?|latest|[a-z]{1,4}", fullmatch=True), max_size=15
)
PUBLISHED = ["latest", "v1.39.0", "v1.40.0", "v1.41.0-rc.1", "v1.41.0", "v1.42.0", "v1.42.1-debug", "v2.0.0"]


def taken(rule: TagRule, *tags: str, **made: Any) -> list[str]:
    return [verdict.tag for verdict in judge_tags(rule, tags or PUBLISHED, made.get("dates")) if verdict.taken]


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_versions_and_the_newest_of_them() -> None:
    rule = TagRule(versions=VersionRange.parse(">=1.40 <2"), newest=2, deny=(denial("/.*-debug/"),))
    assert {verdict.tag: verdict.why for verdict in judge_tags(rule, PUBLISHED)} == {
        "v2.0.0": "it is not in >=1.40 <2",
        "v1.42.1-debug": "/.*-debug/ is denied",
        "v1.42.0": ">=1.40 <2, newest 2, not /.*-debug/",
        "v1.41.0": ">=1.40 <2, newest 2, not /.*-debug/",
        "v1.41.0-rc.1": "it is a pre-release",
        "v1.40.0": "it is not among the newest 2",
        "v1.39.0": "it is not in >=1.40 <2",
        "latest": "it is not a version",
    }
    assert taken(rule) == ["v1.42.0", "v1.41.0"]


def test_exact_tags_are_taken_beside_the_rule() -> None:
    assert taken(TagRule(exact=("latest", "v1.39.0"))) == ["v1.39.0", "latest"]
    assert taken(TagRule(exact=("latest",), newest=1)) == ["v2.0.0", "latest"]
    assert taken(TagRule(exact=("latest",), deny=("latest",)), "latest", "other") == []
    assert not TagRule(exact=("latest",)).asks_source


def test_a_pattern_matches_the_whole_tag() -> None:
    assert taken(TagRule(pattern=check_pattern("v1[.]4[0-9]"))) == []
    assert taken(TagRule(pattern=check_pattern("v1[.]4[01][.].*"))) == ["v1.41.0", "v1.41.0-rc.1", "v1.40.0"]


def test_a_pattern_can_say_which_part_is_the_version() -> None:
    rule = TagRule(pattern=check_pattern("app-(?P<version>.*)"), versions=VersionRange.parse("^1.2"), newest=1)
    assert taken(rule, "app-1.9", "app-1.10", "app-2.0", "1.11") == ["app-1.10"]


def test_tags_are_sorted_by_name() -> None:
    assert taken(TagRule(newest=2, sort="name"), "b-10", "b-9", "a-99") == ["b-9", "b-10"]


def test_tags_are_sorted_and_chosen_by_date() -> None:
    dates = {"a": day("2026-01-01"), "b": day("2026-03-01"), "c": day("2025-12-31")}
    assert taken(TagRule(newest=2, sort="date"), "a", "b", "c", "d", dates=dates) == ["b", "a"]
    verdicts = judge_tags(TagRule(newest=1, sort="date"), ["a", "b"], dates)
    assert [verdict.why for verdict in verdicts] == [
        "it was made on 2026-03-01",
        "it is not among the newest 1: it was made on 2026-01-01",
    ]
    rule = TagRule(newer_than=date(2026, 1, 1))
    assert taken(rule, "a", "b", "c", "d", dates=dates) == ["b", "a"]
    assert {verdict.tag: verdict.why for verdict in judge_tags(rule, ["c", "d"], dates)} == {
        "c": "it was made on 2025-12-31",
        "d": "its image does not say when it was made",
    }


def test_days_are_those_of_utc() -> None:
    late = {"a": datetime.fromisoformat("2026-01-01T01:00:00+02:00")}
    assert judge_tags(TagRule(newer_than=date(2026, 1, 1)), ["a"], late)[0].why == "it was made on 2025-12-31"


def test_dates_are_asked_only_where_they_decide() -> None:
    assert undated(TagRule(newest=1), PUBLISHED) == ()
    rule = TagRule(versions=VersionRange.parse("1.49.x || 1.42.x"), newer_than=date(2026, 1, 1), exact=("latest",))
    assert undated(rule, PUBLISHED) == ("v1.42.0", "v1.42.1-debug")


def test_signatures_are_no_images() -> None:
    signature = f"sha256-{'0' * 64}.sig"
    assert judge_tags(TagRule(pattern=check_pattern(".*")), [signature])[0].why == (
        "it is a signature or attestation of another image"
    )
    assert taken(TagRule(exact=(signature,)), signature) == [signature]


def test_lists_of_referrers_are_no_images() -> None:
    listing = f"sha256-{'0' * 64}"
    assert judge_tags(TagRule(pattern=check_pattern(".*")), [listing])[0].why == (
        "it is a list of what refers to another image"
    )
    assert taken(TagRule(exact=(listing,)), listing) == [listing]


@pytest.mark.parametrize("rule", [{}, {"newest": 0}, {"newest": -1}, {"sort": "name"}])
def test_a_rule_that_says_nothing_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(DocumentInvalid):
        TagRule(**rule)


def test_a_rule_in_words() -> None:
    rule = TagRule(
        exact=("a",), pattern=check_pattern("v.*"), newest=3, sort="date", newer_than=date(2026, 1, 1), deny=("b",)
    )
    assert str(rule) == "a, matches /v.*/, made on 2026-01-01 or later, newest 3 by date, not b"


def test_the_images_of_the_tags() -> None:
    source = Reference("quay.io", Name("a/b"))
    images = RuledImages(source=source, rule=TagRule(newest=1), target="c").select(["1", "2"])
    assert [(str(image.source), image.place) for image in images] == [
        ("quay.io/a/b:1", "c:1"),
        ("quay.io/a/b:2", "c:2"),
    ]
    assert RuledImages(source=source, rule=TagRule(newest=1)).select(["1"])[0].place == "a/b:1"


RULES = st.builds(
    TagRule,
    versions=st.sampled_from([None, *map(VersionRange.parse, (">=1.40 <2", "^1.2", "*", "1.x-slim"))]),
    newest=st.integers(1, 4),
    sort=st.sampled_from(["version", "name", "date"]),
    deny=st.sampled_from([(), ("latest",), (denial("/.*-slim/"),)]),
)


@given(RULES, TAGS)
def test_every_tag_gets_one_verdict(rule: TagRule, tags: list[str]) -> None:
    assert sorted(verdict.tag for verdict in judge_tags(rule, tags)) == sorted(set(tags))


@given(RULES, TAGS, st.integers(1, 4))
def test_the_newest_are_the_first_of_those_that_would_be_taken(rule: TagRule, tags: list[str], newest: int) -> None:
    dates = {tag: datetime.fromtimestamp(1_000_000_000 + len(tag), UTC) for tag in tags}
    wide = TagRule(versions=rule.versions, newest=1000, sort=rule.sort, deny=rule.deny)
    narrow = TagRule(versions=rule.versions, newest=newest, sort=rule.sort, deny=rule.deny)
    assert taken(narrow, *tags, "1.0", dates=dates) == taken(wide, *tags, "1.0", dates=dates)[:newest]
    if rule.sort == "version":
        kept = taken(wide, *tags, dates=dates) if tags else []
        assert kept == sorted(kept, key=order_key, reverse=True)
