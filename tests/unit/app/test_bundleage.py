"""Which of two bundles of a set is older: by the order of a catalog's releases, by their dates, by times of packing."""

from datetime import UTC, datetime

import pytest

from transload.app.bundleage import by_releases, judged
from transload.app.takenbundles import TakenBundle
from transload.bundle.format.edition import BundledRelease, Edition
from transload.catalog.builtin import load_builtin
from transload.oci import Digest

RELEASES = load_builtin("arcdata").newest_first(release.tag for release in load_builtin("arcdata").releases)
NEW, OLD, OLDEST = RELEASES[0], RELEASES[1], RELEASES[2]


def edition(*tags: str, packed: int = 1, catalog: str = "arcdata", date: str | None = None) -> Edition:
    releases = tuple(BundledRelease(catalog, tag, date) for tag in tags)
    return Edition(packed=datetime(2026, 1, packed, tzinfo=UTC), sets=(catalog,), releases=releases)


def bundle(edition: Edition | None, images: str = "") -> TakenBundle:
    digest = Digest.of((images or repr(edition)).encode())
    return TakenBundle(ledger=digest, images=digest, edition=edition)


def standing(this: Edition | None, newest: Edition | None) -> tuple[str, str]:
    found = judged(bundle(this), bundle(newest))
    return found.standing, found.by


def test_the_first_one_and_the_same_one() -> None:
    assert judged(bundle(edition(OLD)), None).standing == "first"
    assert judged(bundle(edition(packed=1), "same"), bundle(edition(packed=9), "same")).standing == "same"
    assert judged(bundle(None, "same"), bundle(None, "same")).standing == "same"


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ((OLD,), (NEW,), "older"),
        ((NEW,), (OLD,), "newer"),
        ((OLDEST, OLD), (OLDEST, NEW), "older"),
        ((OLDEST, NEW), (OLD,), "newer"),
        ((OLDEST,), (OLD, NEW), "older"),
    ],
)
def test_a_known_catalog_has_an_order_that_beats_the_times(
    ours: tuple[str, ...], theirs: tuple[str, ...], expected: str
) -> None:
    for packed, other in ((1, 2), (2, 1)):
        found = standing(edition(*ours, packed=packed), edition(*theirs, packed=other))
        assert found == (expected, "the order of the releases of arcdata")


def test_releases_that_only_the_source_knew_have_their_place_in_the_order() -> None:
    later = "v99.1.0_2031-01-01"
    assert standing(edition(NEW), edition(later))[0] == "older"
    assert standing(edition(later), edition(NEW))[0] == "newer"


@pytest.mark.parametrize(
    ("date", "other", "expected"),
    [
        ("2026-10-01", "2026-11-01", "older"),
        ("2026-11", "2026-10-30", "newer"),
        ("2025", "2026-01-01", "older"),
        ("2026", "2026-11-01", None),
        ("2026-11-01", "2026-11-01", None),
        (None, "2026-11-01", None),
    ],
)
def test_a_catalog_that_nobody_here_knows_has_dates(date: str | None, other: str, expected: str | None) -> None:
    found = by_releases(edition("1", catalog="site", date=date), edition("2", catalog="site", date=other))
    assert (found and (found.standing, found.by)) == (expected and (expected, "the dates of the releases of site"))


def test_without_releases_that_tell_it_is_the_times_of_packing() -> None:
    by = "the times at which they were packed"
    assert standing(edition(packed=1), edition(packed=2)) == ("older", by)
    assert standing(edition(NEW, packed=3), edition(NEW, packed=2)) == ("newer", by)
    assert standing(edition("1", catalog="a", packed=1), edition("2", catalog="b", packed=2)) == ("older", by)
    same_time = edition(packed=1), Edition(packed=datetime(2026, 1, 1, tzinfo=UTC), sets=("x",))
    assert standing(*same_time) == ("unknown", by)


def test_two_catalogs_that_contradict_each_other_leave_it_to_the_times() -> None:
    def both(arcdata: str, day: str, packed: int) -> Edition:
        mixed = (BundledRelease("arcdata", arcdata), BundledRelease("site", "1", day))
        return Edition(packed=datetime(2026, 1, packed, tzinfo=UTC), releases=mixed)

    found = standing(both(OLD, "2026-11-02", 5), both(NEW, "2026-11-01", 4))
    assert found == ("newer", "the times at which they were packed")
    assert standing(both(OLD, "2026-11-01", 5), both(NEW, "2026-11-01", 4))[0] == "older"


def test_a_bundle_without_an_edition_cannot_be_judged() -> None:
    assert standing(None, edition(NEW)) == ("unknown", "")
    assert standing(edition(NEW), None) == ("unknown", "")


def test_times_at_the_ends_of_the_calendar_are_compared() -> None:
    first, last = (Edition(packed=datetime(year, 1, 1, tzinfo=UTC)) for year in (1, 9999))
    assert standing(first, last)[0] == "older"
    assert standing(last, first)[0] == "newer"
