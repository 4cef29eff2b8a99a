"""Which releases a tag or a range means, and when the source is asked for it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from transload.app.location import Location
from transload.app.releases import find_releases
from transload.catalog.builtin import load_builtin
from transload.errors import AccessDenied, Refused, ReleaseUnknown, UsageError
from transload.memory import MemoryStore
from transload.testing.faults import ALWAYS, FaultyStore, fails
from transload.testing.images import fill, image

ARCDATA = load_builtin("arcdata")
ORIGIN = Location("registry", "mcr.example", "arcdata")
KNOWN = ("v1.44.0_2026-02-10", "v1.45.0_2026-04-14", "v1.46.0_2026-05-12")
BETWEEN = "v1.45.1_2026-04-28"  # published after this catalog was written


def source(tags: Iterable[str] = KNOWN, *, refuses: type[AccessDenied | Refused] | None = None) -> FaultyStore:
    store = MemoryStore()
    for tag in tags:
        fill(store, image("anchor"), ARCDATA.anchor_repository(), tag)
    return FaultyStore(store, [fails("tags", lambda: refuses("no list"), times=ALWAYS)] if refuses else [])


def found(text: str | None, store: FaultyStore) -> list[str]:
    return [release.tag for release in find_releases(ARCDATA, text, ORIGIN, store)]


def test_a_known_release_asks_nothing() -> None:
    store = source()
    assert found("1.46", store) == [KNOWN[2]]
    assert store.calls["tags"] == 0


def test_a_range_has_the_releases_in_it_that_only_the_source_knows() -> None:
    store = source([*KNOWN, BETWEEN])
    assert found("1.44..1.46", store) == [KNOWN[0], KNOWN[1], BETWEEN, KNOWN[2]]
    assert store.calls["tags"] == 1


@pytest.mark.parametrize("refuses", [AccessDenied, Refused])
def test_a_range_between_known_releases_does_without_a_source_that_refuses(
    refuses: type[AccessDenied | Refused],
) -> None:
    assert found("1.44..1.46", source(refuses=refuses)) == list(KNOWN)
    with pytest.raises(refuses):
        found("1.44..", source(refuses=refuses))
    with pytest.raises(refuses):
        found("1.44..9.9", source(refuses=refuses))


def test_a_range_between_known_releases_does_without_the_anchor() -> None:
    assert found("1.44..1.46", FaultyStore(MemoryStore())) == list(KNOWN)
    with pytest.raises(ReleaseUnknown, match="has no arcdata/"):
        found("9.9", FaultyStore(MemoryStore()))


def test_a_release_that_cannot_be_looked_up_is_assumed() -> None:
    assert found("v9.9.0", source(refuses=AccessDenied)) == ["v9.9.0"]


@pytest.mark.parametrize("text", [">=1.40", "<2", "~1.40", "^1.40", "!1.40", "=1.40"])
def test_version_ranges_of_other_tools_are_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        found(text, source())
    assert caught.value.hint == "a range of releases is written FROM..TO: 1.40..1.46"
