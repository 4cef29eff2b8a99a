"""Releases, ranges, order and differences of a catalog."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload import catalog as catalogs
from transload.catalog.builtin import builtin, load_builtin
from transload.catalog.catalog import Catalog
from transload.catalog.difference import images_directly_under
from transload.catalog.release import CompanionImage, Release
from transload.errors import (
    CatalogUnknown,
    DocumentInvalid,
    ImageUnknown,
    ReferenceInvalid,
    ReleaseUnknown,
    UsageError,
)

ARCDATA = load_builtin("arcdata")


def small(*tags: str, **changes: Any) -> Catalog:
    releases = tuple(Release(tag=tag, images=("a", "b")) for tag in tags)
    given: dict[str, Any] = {"name": "small", "registry": "r.example", "repository": "p", "releases": releases}
    return Catalog(**(given | changes))


def test_the_names_are_those_of_the_files() -> None:
    files = Path(catalogs.__file__).with_name("data").glob("*.yaml")
    assert builtin() == tuple(sorted(file.stem for file in files))


def test_an_unknown_catalog_has_a_close_match() -> None:
    with pytest.raises(CatalogUnknown) as caught:
        load_builtin("arcdta")
    assert caught.value.hint == "did you mean arcdata?"


# --- release


@pytest.mark.parametrize("text", ["v1.46.0_2026-05-12", "v1.46.0", "1.46.0", "1.46", "newest", "1.46.0_2026-05-12"])
def test_a_release_is_found_by_what_people_write(text: str) -> None:
    assert ARCDATA.release(text).tag == "v1.46.0_2026-05-12"


def test_a_beginning_must_end_at_a_part() -> None:
    assert ARCDATA.release("1.10").tag == "v1.10.0_2022-08-09"
    assert ARCDATA.release("1.46.0_2026").tag == "v1.46.0_2026-05-12"
    for text in ("1.46.0_20", "v1.4.", "", "v"):
        with pytest.raises(ReleaseUnknown, match="has no release"):
            ARCDATA.release(text)


def test_two_possible_releases_are_named() -> None:
    with pytest.raises(ReleaseUnknown, match="could be 2 releases") as caught:
        ARCDATA.release("v1.4")
    assert caught.value.hint == "write one of them in full: v1.4.1_2022-03-08, v1.4.0_2022-02-25"


@pytest.mark.parametrize("text", ["v1.46.0_2026-05-13", "v1.46.1"])
def test_an_unknown_release_has_close_matches(text: str) -> None:
    with pytest.raises(ReleaseUnknown) as caught:
        ARCDATA.release(text)
    assert "v1.46.0_2026-05-12" in (caught.value.hint or "")


def test_an_unknown_release_at_the_source_gets_the_newest_list() -> None:
    with pytest.raises(ReleaseUnknown):
        ARCDATA.release("1.47")
    release = ARCDATA.release("1.47", ["v1.47.0_2026-06-09"])
    assert (release.tag, release.known, release.basis) == ("v1.47.0_2026-06-09", False, "inferred")
    assert release.images == ARCDATA.newest().images
    assert "v1.46.0_2026-05-12" in release.note
    assert ARCDATA.assume("v1.47.0_2026-06-09") == release


def test_a_tag_that_is_none_cannot_be_assumed() -> None:
    with pytest.raises(ReferenceInvalid):
        ARCDATA.assume("no tag")


@given(st.text(max_size=40), st.lists(st.text(max_size=20), max_size=5))
def test_any_text_is_a_release_or_an_error_of_ours(text: str, tags: list[str]) -> None:
    try:
        found = ARCDATA.releases_in(text, tags)
    except (ReleaseUnknown, UsageError):
        return
    assert found


# --- newest and order


def test_the_newest_is_found_among_the_sources_tags() -> None:
    assert ARCDATA.newest(["v1.39.0_2025-05-13", "v1.9.0_2022-07-12", "latest"]).known
    assert ARCDATA.newest(["v1.39.0_2025-05-13", "v1.9.0_2022-07-12", "latest"]).tag == "v1.39.0_2025-05-13"
    assert not ARCDATA.newest(["v1.46.0_2026-05-12", "v2.0.0_2026-07-14"]).known


def test_a_source_without_releases_is_an_error() -> None:
    with pytest.raises(ReleaseUnknown, match="no release of arcdata"):
        ARCDATA.newest(["latest", "nightly"])


def test_versions_are_ordered_by_number_then_label() -> None:
    tags = ["v1.9.0_2022-07-12", "v1.10.0_2022-08-09", "1.9", "v1.9.0_2022-07-20", "v1.9.1", "v10.0.0", "v1.9.0"]
    assert [offer.release.tag for offer in ARCDATA.releases_at_source(tags)] == [
        "v10.0.0",
        "v1.10.0_2022-08-09",
        "v1.9.1",
        "v1.9.0_2022-07-20",
        "v1.9.0_2022-07-12",
        "v1.9.0",
        "1.9",
    ]


def test_listings_leave_out_what_is_no_release() -> None:
    tags = ["latest", "v1", "vnext", "1.2.3-rc1", "v1.2.3_", "v1.46.0_2026-05-12", "", "v1.2_no good"]
    assert [offer.release.tag for offer in ARCDATA.releases_at_source(tags)] == ["v1.46.0_2026-05-12"]


def test_listings_tell_what_is_known() -> None:
    tags = ["v1.45.0_2026-04-14", "v1.47.0_2026-06-09", "v1.46.0_2026-05-12"]
    offers = ARCDATA.releases_at_source(tags)
    told = [(offer.release.date, offer.release.known, offer.at_target, offer.is_new) for offer in offers]
    assert told == [
        ("2026-06-09", False, None, None),
        ("2026-05-12", True, None, None),
        ("2026-04-14", True, None, None),
    ]


def test_the_order_of_a_listed_catalog_is_its_own() -> None:
    catalog = small("zebra", "ant", "v9.9.9", order="listed")
    assert catalog.newest().tag == "v9.9.9"
    assert catalog.newest(["zebra", "ant", "v10.0.0"]).tag == "ant"
    assert [offer.release.tag for offer in catalog.releases_at_source(["ant", "zebra", "bee"])] == ["ant", "zebra"]


def test_a_listed_catalog_with_a_pattern_puts_strangers_last() -> None:
    catalog = small("tulip", "aster", order="listed", tag_pattern="[a-z]+")
    tags = ["rose", "aster", "tulip", "v1"]
    assert [offer.release.tag for offer in catalog.releases_at_source(tags)] == ["aster", "tulip", "rose"]


@given(st.lists(st.from_regex(r"\Av?[0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,3})?(_[a-z0-9-]{1,8})?\Z"), max_size=8))
def test_the_order_does_not_depend_on_the_order_of_asking(tags: list[str]) -> None:
    forth = ARCDATA.releases_at_source(tags)
    assert forth == ARCDATA.releases_at_source(tags[::-1])
    assert len(forth) == len(set(tags))


# --- ranges


def versions(text: str, tags: list[str] | None = None) -> list[str]:
    return [release.tag.partition("_")[0] for release in ARCDATA.releases_in(text, tags)]


def test_a_range_has_both_ends_and_all_between() -> None:
    assert versions("v1.39.0..v1.46.0") == [f"v1.{minor}.0" for minor in range(39, 47)]
    assert versions("1.46..1.46") == ["v1.46.0"]
    assert versions("1.44") == ["v1.44.0"]


def test_an_open_range_goes_to_the_end() -> None:
    assert versions("1.45..") == ["v1.45.0", "v1.46.0"]
    assert versions("1.45..newest", ["v1.47.0_2026-06-09"]) == ["v1.45.0", "v1.46.0", "v1.47.0"]
    assert versions("..v1.0.0")[-2:] == ["public-preview-jun-2021", "v1.0.0"]


def test_a_range_reaches_releases_only_the_source_knows() -> None:
    assert versions("1.45..1.47", ["v1.47.0_2026-06-09"]) == ["v1.45.0", "v1.46.0", "v1.47.0"]


def test_a_range_the_wrong_way_round_says_how_it_is_meant() -> None:
    with pytest.raises(UsageError, match="1.46 is newer than 1.39") as caught:
        ARCDATA.releases_in("1.46..1.39")
    assert caught.value.hint == "write 1.39..1.46"


def test_ends_that_could_mean_several_releases_take_all_of_them() -> None:
    tags = ["v1.46.0_2026-05-12", "v1.46.1_2026-06-02", "v1.45.0_2026-04-14"]
    assert versions("1.45..1.46", tags) == ["v1.45.0", "v1.46.0", "v1.46.1"]
    assert versions("1.46..", tags) == ["v1.46.0", "v1.46.1"]
    assert versions("1.45 .. 1.46.0", tags) == ["v1.45.0", "v1.46.0"]
    with pytest.raises(ReleaseUnknown, match="could be 2 releases"):
        ARCDATA.release("1.46", tags)


@pytest.mark.parametrize("text", ["1.45-1.46", "1.45,1.46", "1.45:1.46", "1.45–1.46", "v1.45.0-1.46", "1.45/1.46"])
def test_a_range_with_another_sign_says_how_it_is_written(text: str) -> None:
    with pytest.raises(ReleaseUnknown) as caught:
        ARCDATA.releases_in(text)
    assert caught.value.hint == f"a range is written {'v1.45.0' if text[0] == 'v' else '1.45'}..1.46"


@pytest.mark.parametrize(
    ("text", "meant"),
    [("1.40...1.46", "1.40..1.46"), ("1.40..1.42..1.46", "1.40..1.46"), ("1.40....1.46", "1.40..1.46")],
)
def test_more_than_two_ends_are_no_range(text: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        ARCDATA.releases_in(text)
    assert caught.value.hint == f"a range is written FROM..TO: {meant}"


def test_a_range_with_an_unknown_end_is_an_error() -> None:
    with pytest.raises(ReleaseUnknown):
        ARCDATA.releases_in("1.39..1.99")


# --- select


def test_only_these_images() -> None:
    selected = ARCDATA.select(ARCDATA.newest(), images=["arc-dns", "arcdataservices-extension"], companions=False)
    assert [one.repository for one in selected] == ["arc-dns", "arcdataservices-extension"]


def test_an_unlisted_image_has_a_close_match() -> None:
    with pytest.raises(ImageUnknown, match="v1.46.0_2026-05-12 lists no image 'arc-controler'") as caught:
        ARCDATA.select(ARCDATA.newest(), images=["arc-controler"])
    assert "arc-controller" in (caught.value.hint or "")


def test_from_another_registry_and_to_another_tag() -> None:
    first = ARCDATA.select(ARCDATA.newest(), registry="r.example:5000", repository="", target_tag="stable")[0]
    assert str(first.source) == "r.example:5000/arc-bootstrapper:v1.46.0_2026-05-12"
    assert (first.repository, first.tag) == ("arc-bootstrapper", "stable")


# --- difference

RELEASE = ARCDATA.release("1.4.0")


def published(*images: str) -> dict[str, set[str] | None]:
    return {f"arcdata/{image}": {RELEASE.tag} for image in images}


def test_no_difference() -> None:
    assert not ARCDATA.difference(RELEASE, published(*RELEASE.images))


def test_missing_and_extra() -> None:
    there = published(*RELEASE.images[1:], "arc-new")
    there[f"arcdata/{RELEASE.images[1]}"] = {"v1.3.0_2022-01-27"}
    there["arcdata/arc-ha-operator"] = {"v1.0.0_2021-07-30"}
    there["arcdata/preview/arc-newer"] = {RELEASE.tag}
    there["arcdatax/arc-other"] = {RELEASE.tag}
    found = ARCDATA.difference(RELEASE, there)
    assert set(found.missing) == set(RELEASE.images[:2])
    assert found.extra == ("arc-new",)
    assert set(ARCDATA.discovered(RELEASE, there).images) == {*RELEASE.images[2:], "arc-new"}
    assert ARCDATA.discovered(RELEASE, there).basis == "discovered"


def test_a_repository_that_cannot_be_listed_is_unclear_and_believed() -> None:
    there = published(*RELEASE.images) | {"arcdata/arc-dns": None, "arcdata/arc-odd": None}
    found = ARCDATA.difference(RELEASE, there)
    assert (found.missing, found.extra, found.unclear) == ((), (), ("arc-dns",))
    assert set(ARCDATA.discovered(RELEASE, there).images) == set(RELEASE.images)


def test_a_difference_under_another_prefix() -> None:
    there = {f"arcdata/preview/{image}": [RELEASE.tag] for image in RELEASE.images}
    assert len(ARCDATA.difference(RELEASE, there).missing) == 18
    assert not ARCDATA.difference(RELEASE, there, repository="arcdata/preview")


def test_repositories_directly_under_a_prefix() -> None:
    paths = ["a", "a/b", "a/b/c", "ab/c", "a/d"]
    assert images_directly_under("a", paths) == ("b", "d")
    assert images_directly_under("", paths) == ("a",)


# --- a catalog cannot contradict itself


def test_a_catalog_without_releases_cannot_exist() -> None:
    with pytest.raises(DocumentInvalid, match="no release"):
        small()


def test_an_anchor_must_be_an_image() -> None:
    assert small("v1.0").anchor_image == "a"
    with pytest.raises(DocumentInvalid, match="anchor 'c'"):
        small("v1.0", anchor="c")


def test_a_pattern_must_be_a_regular_expression() -> None:
    with pytest.raises(DocumentInvalid, match="not a regular expression"):
        small("v1.0", tag_pattern="(")


def test_a_companion_that_is_also_an_image_is_taken_once() -> None:
    release = Release(tag="v1.0", images=("a", "chart"), facts={"chart": "9"})
    catalog = small(releases=(release,), companions=(CompanionImage("chart", "chart"),))
    assert [str(one.source) for one in catalog.select(release)] == ["r.example/p/a:v1.0", "r.example/p/chart:v1.0"]
