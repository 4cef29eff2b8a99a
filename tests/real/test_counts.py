"""How often both registries are asked, counted by their own access logs: the same figures on every machine."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, field, frozen

from tests.real.servers import Registry, StartRegistry
from tests.real.shelves import lay_release
from tests.real.vendor import Shell, store_at
from transload.testing.images import artifact, fill, signature
from transload.testing.releases import SeededRelease, release

IMAGES, SIZE = 6, 12 << 20
PREFIX = "vendor"
ASKED = {"GET manifests": IMAGES, "GET tags": IMAGES, "GET referrers": 1}  # the last says that there is no such list
FIRST, SECOND = (release("counts", IMAGES, SIZE, version) for version in (1, 2))

Requests = list[tuple[str, int]]


@frozen
class Route:
    """A source that publishes two releases, an empty target, and one way to bring a release over."""

    shell: Shell
    source: Registry
    target: Registry
    folder: Path

    more: list[str] = field(factory=list)

    def words(self, made: SeededRelease) -> list[str]:
        """What follows the command's name."""
        listed = self.folder / f"{made.tag}.txt"
        listed.write_text("".join(f"{self.source.host}/{PREFIX}/{name}:{made.tag}\n" for name in made.images))
        return [str(listed), "--to", f"{self.target.host}/site", "--output", "json", *self.more]

    def mirror(self, made: SeededRelease) -> tuple[dict[str, Any], Requests, Requests]:
        """The result of a run, and what each side was asked during it."""
        before = self._asked()
        ran = self.shell("mirror", *self.words(made))
        assert ran.code == 0, ran.told
        source, target = self._asked()
        return ran.events[-1]["result"], source[len(before[0]) :], target[len(before[1]) :]

    def plan(self, made: SeededRelease) -> tuple[dict[str, Any], Requests, Requests]:
        """The plan of such a run, and what each side was asked for it."""
        before = self._asked()
        ran = self.shell("plan", *self.words(made))
        assert ran.code == 0, ran.told
        source, target = self._asked()
        return ran.events[-1]["plan"], source[len(before[0]) :], target[len(before[1]) :]

    def _asked(self) -> tuple[Requests, Requests]:
        return self.source.all_requests(), self.target.all_requests()


def kinds(requests: Requests) -> Counter[str]:
    """Requests by method and thing: `GET blobs`, `POST uploads`, `POST mounts`."""
    return Counter(f"{line.partition(' ')[0]} {_thing(line)}" for line, _ in requests)


def _thing(line: str) -> str:
    if "mount=" in line:
        return "mounts"
    found = re.search(r"/(manifests|uploads|blobs|tags|referrers)/", line.replace("/blobs/uploads/", "/uploads/"))
    return found[1] if found else line


def fetched(requests: Requests) -> Counter[str]:
    """How often each blob was read, by digest."""
    return Counter(found[1] for line, _ in requests if (found := re.fullmatch(r"GET \S+/blobs/(sha256:\w+)", line)))


def digests(made: SeededRelease) -> set[str]:
    """Every blob of a release."""
    return {content.descriptor.digest for content in made.contents()}


@pytest.fixture
def route(shell: Shell, start_registry: StartRegistry, tmp_path: Path) -> Route:
    """Registries of its own, since it counts."""
    source, target = start_registry(), start_registry()
    for made in (FIRST, SECOND):
        lay_release(source, made, PREFIX)
    return Route(shell, source, target, tmp_path)


def test_a_cold_mirror_asks_what_its_plan_says_and_reads_each_blob_once(route: Route) -> None:
    plan, source_survey, target_survey = route.plan(FIRST)
    assert kinds(source_survey) == ASKED, "one list of tags for each repository, which also tells who has referrers"
    assert kinds(target_survey) == {"HEAD manifests": IMAGES, "GET tags": IMAGES}
    result, source, target = route.mirror(FIRST)
    assert fetched(source) == dict.fromkeys(digests(FIRST), 1)
    planned = plan["totals"]["requests"]
    assert len(source) - len(source_survey) == planned["source"]
    assert len(target) - len(target_survey) == planned["target"]
    assert kinds(source) == {**ASKED, "GET blobs": len(digests(FIRST))}
    assert kinds(target)["POST mounts"] == plan["totals"]["mount"]["blobs"]
    assert kinds(target)["HEAD blobs"] == 0, "a repository that is not there holds no blobs"
    assert kinds(target)["PUT manifests"] == IMAGES
    assert result["totals"]["requests"] == len(source) + len(target), "what is reported is what was asked"
    assert {side["side"]: side["bytes_received"] for side in result["traffic"]}["source"] >= FIRST.size


def test_an_unchanged_image_costs_one_question_to_each_side(route: Route) -> None:
    route.mirror(FIRST)
    result, source, target = route.mirror(FIRST)
    assert result["totals"]["images"]["unchanged"] == IMAGES
    assert kinds(source) == kinds(target) == {"HEAD manifests": IMAGES}
    assert len(source) + len(target) == 2 * IMAGES


def test_of_the_next_release_only_new_blobs_are_read(route: Route) -> None:
    route.mirror(FIRST)
    new = digests(SECOND) - digests(FIRST)
    assert 0 < len(new) < len(digests(SECOND))
    plan, source_survey, target_survey = route.plan(SECOND)
    result, source, target = route.mirror(SECOND)
    assert fetched(source) == dict.fromkeys(new, 1)
    moved = sum(content.descriptor.size for content in SECOND.contents() if content.descriptor.digest in new)
    assert result["totals"]["copied"] == {"blobs": len(new), "bytes": moved}
    assert result["totals"]["moved_bytes"] == moved
    planned = plan["totals"]["requests"]
    assert len(source) - len(source_survey) == planned["source"]
    assert len(target) - len(target_survey) == planned["target"]
    assert kinds(source)["GET manifests"] == IMAGES


# --- with signatures: each image has a referrer and a tag of cosign


@pytest.fixture
def signed(route: Route) -> Route:
    with store_at(route.source) as store:
        for made in (FIRST, SECOND):
            for name, built in made.images.items():
                fill(store, signature(built), f"{PREFIX}/{name}")
                fill(store, artifact(f"cosign {made.tag}"), f"{PREFIX}/{name}", f"sha256-{built.digest.encoded}.sig")
    return route


def _asked_for(route: Route, made: SeededRelease) -> int:
    """How many requests both sides get for a release; they must be those of its plan and its survey."""
    plan, source_survey, target_survey = route.plan(made)
    _, source, target = route.mirror(made)
    planned = plan["totals"]["requests"]
    assert len(source) - len(source_survey) == planned["source"]
    assert len(target) - len(target_survey) == planned["target"]
    return len(source) + len(target)


@pytest.mark.parametrize(
    ("words", "figures"),
    [
        ("", (185, 2 * IMAGES, 177)),
        ("--no-referrers", (116, 2 * IMAGES, 104)),
        ("--referrers refresh", (185, 61, 177)),
    ],
)
def test_what_signatures_cost(signed: Route, words: str, figures: tuple[int, ...]) -> None:
    """Cold, unchanged, next release: the table of docs/guides/platforms-and-signatures.md, there for twenty images."""
    route = evolve(signed, more=words.split())
    assert tuple(_asked_for(route, made) for made in (FIRST, FIRST, SECOND)) == figures


def test_what_looking_for_them_costs_where_there_are_none(route: Route) -> None:
    """One question more in each repository, and one to find out whether the registry keeps lists of referrers."""
    looked = IMAGES + 1
    figures = tuple(_asked_for(route, made) for made in (FIRST, FIRST, SECOND))
    assert figures == (103 + looked, 2 * IMAGES, 91 + looked)
