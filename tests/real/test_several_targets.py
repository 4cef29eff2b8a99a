"""Several docker-registries as targets of one run: the source's access log says how often each blob was read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import transload
from tests.real.servers import Registry, StartRegistry
from tests.real.test_counts import digests, fetched, kinds
from tests.real.vendor import Shell, held, store_at
from transload import Environment, Network, TargetEvent
from transload.events import StepMoved
from transload.testing.releases import fill_release, release

MADE = release("several", 5, 12 << 20)
OWN: dict[str, Any] = {"environment": Environment(), "network": Network(give_up_after_s=3)}


@pytest.fixture
def source(start_registry: StartRegistry) -> Registry:
    """A registry of its own, since it counts."""
    started = start_registry()
    with store_at(started) as store:
        fill_release(store, MADE, "vendor")
    return started


def names(prefix: str) -> set[str]:
    return {f"{prefix}/vendor/{name}:{MADE.tag}" for name in MADE.images}


@pytest.mark.parametrize("number", [2, 3])
def test_each_blob_is_read_once_and_every_target_is_proved(
    shell: Shell, source: Registry, start_registry: StartRegistry, number: int
) -> None:
    targets = [start_registry() for _ in range(number)]
    before = len(source.all_requests())
    to = [word for target in targets for word in ("--to", f"{target.host}/site")]
    ran = shell("mirror", "--from", source.host, *to, "--output", "json")
    assert ran.code == 0, ran.told
    asked = source.all_requests()[before:]
    assert fetched(asked) == dict.fromkeys(digests(MADE), 1)
    assert kinds(asked)["GET manifests"] == len(MADE.images)
    assert [target["totals"]["images"]["copied"] for target in ran.events[-1]["result"]["targets"]] == [5] * number
    for target in targets:
        assert held(target) == names("site")
        proved = shell("verify", "--from", source.host, "--to", f"{target.host}/site", "--deep", "--quiet")
        assert proved.code == 0, proved.told


def test_again_costs_one_question_for_each_image(
    shell: Shell, source: Registry, start_registry: StartRegistry, tmp_path: Path
) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{source.host}/vendor/{name}:{MADE.tag}\n" for name in MADE.images))
    targets = [start_registry() for _ in range(2)]
    words = [str(listed), *(word for target in targets for word in ("--to", target.host))]
    assert shell("mirror", *words).code == 0
    before = len(source.all_requests())
    assert shell("mirror", *words).code == 0
    assert kinds(source.all_requests()[before:]) == {"HEAD manifests": len(MADE.images)}


def test_a_target_that_is_stopped_in_the_middle_spoils_no_other(
    source: Registry, start_registry: StartRegistry
) -> None:
    stopped, other = start_registry(), start_registry()
    before = len(source.all_requests())

    def hear(event: object) -> None:
        if isinstance(event, TargetEvent) and isinstance(event.event, StepMoved) and event.target == stopped.host:
            stopped.stop()

    results = transload.mirror(origin=source.host, to=[stopped.host, other.host], progress=hear, check=False, **OWN)
    assert (results.complete, results.exit_code) == (1, 5)
    assert held(other) == {name.removeprefix("site/") for name in names("site")}
    assert fetched(source.all_requests()[before:]) == dict.fromkeys(digests(MADE), 1)
