"""How often both registries are asked, counted by their own access logs: the same figures on every machine."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tests.real.servers import Registry, StartRegistry
from tests.real.vendor import Shell, store_at
from transload.testing.releases import SeededRelease, fill_release, release

IMAGES, SIZE = 6, 12 << 20
PREFIX = "vendor"
FIRST, SECOND = (release("counts", IMAGES, SIZE, version) for version in (1, 2))

Requests = list[tuple[str, int]]


@frozen
class Route:
    """A source that publishes two releases, an empty target, and one way to bring a release over."""

    shell: Shell
    source: Registry
    target: Registry
    folder: Path

    def words(self, made: SeededRelease) -> list[str]:
        """What follows the command's name."""
        listed = self.folder / f"{made.tag}.txt"
        listed.write_text("".join(f"{self.source.host}/{PREFIX}/{name}:{made.tag}\n" for name in made.images))
        return [str(listed), "--to", f"{self.target.host}/site", "--output", "json"]

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
    found = re.search(r"/(manifests|uploads|blobs|tags)/", line.replace("/blobs/uploads/", "/uploads/"))
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
    with store_at(source) as store:
        for made in (FIRST, SECOND):
            fill_release(store, made, PREFIX)
    return Route(shell, source, target, tmp_path)


def test_a_cold_mirror_asks_what_its_plan_says_and_reads_each_blob_once(route: Route) -> None:
    plan, source_survey, target_survey = route.plan(FIRST)
    assert kinds(source_survey) == {"GET manifests": IMAGES}
    assert kinds(target_survey) == {"HEAD manifests": IMAGES, "GET tags": IMAGES}
    result, source, target = route.mirror(FIRST)
    assert fetched(source) == dict.fromkeys(digests(FIRST), 1)
    planned = plan["totals"]["requests"]
    assert len(source) - len(source_survey) == planned["source"]
    assert len(target) - len(target_survey) == planned["target"]
    assert kinds(source) == {"GET manifests": IMAGES, "GET blobs": len(digests(FIRST))}
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
