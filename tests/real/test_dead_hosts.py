"""A registry that stops answering in the middle: told when it begins, ended in time, and nothing untrue is said."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.servers import Registry
from tests.real.vendor import Shell, push
from tests.unit.registry.wire import Asked, Said, Wire, serving
from transload.testing.images import image

PATIENCE = ("--give-up-after", "2")
COUNT = 24  # more than the threads that take small blobs


@contextlib.contextmanager
def failing(registry: Registry, answers: int) -> Iterator[Wire]:
    """In front of a registry: answers so many requests, and then 503 for ever."""
    left = threading.Semaphore(answers)

    def script(asked: Asked) -> Said:
        if not left.acquire(blocking=False):
            return Said(503)
        connection = http.client.HTTPConnection(registry.host)
        headers = {name: value for name, value in asked.headers.items() if name.lower() not in {"host", "connection"}}
        connection.request(asked.method, asked.target, asked.body, headers)
        answer = connection.getresponse()
        kept = {"Content-Type", "Location", "Docker-Content-Digest", "Range", "Content-Length"}
        told = {name: value.replace(registry.host, wire.host) for name, value in answer.getheaders() if name in kept}
        said = Said(answer.status, told, answer.read())
        connection.close()
        return said

    with serving(script) as wire:
        yield wire


@pytest.fixture
def references(registry: Registry) -> list[str]:
    return [push(registry, image(f"dead {n}"), f"dead/i{n}", "v1") for n in range(COUNT)]


def test_a_target_that_goes_away_ends_the_run_and_the_rest_is_not_tried(
    shell: Shell, registry: Registry, references: list[str]
) -> None:
    with failing(registry, 4 * COUNT) as target:
        ran = shell("mirror", *references, "--to", f"{target.host}/gone", "--jobs", "1", *PATIENCE)
    assert ran.code == 5
    assert ", retrying (" in ran.err
    assert "ended early: " in ran.out
    assert "not tried" in ran.out
    assert "to finish:" in ran.out
    assert f"transload mirror {references[0]}" in ran.out


def test_programs_are_told_too(shell: Shell, registry: Registry, references: list[str], tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    words = ("--jobs", "1", *PATIENCE, "--output", "json", "--report", report)
    with failing(registry, 4 * COUNT) as target:
        ran = shell("mirror", *references, "--to", f"{target.host}/told", *words)
        host = target.host
    lines = [json.loads(line) for line in ran.out.splitlines()]
    told = [line for line in lines if line["event"] == "host"]
    assert {(line["host"], line["side"]) for line in told} == {(host, "target")}
    assert "retrying" in {line["state"] for line in told}
    assert all(line["problem"]["exit_code"] == 5 for line in told if line["state"] == "retrying")
    assert lines[-1]["result"]["exit_code"] == ran.code == 5
    assert json.loads(report.read_text())["totals"]["images"]["not-tried"] >= 1


@pytest.mark.parametrize("deep", [(), ("--deep",)])
def test_what_could_not_be_asked_is_not_damaged(
    shell: Shell, registry: Registry, references: list[str], deep: tuple[str, ...]
) -> None:
    assert shell("mirror", *references, "--to", f"{registry.host}/checked").code == 0
    with failing(registry, COUNT + 6) as target:
        ran = shell("verify", *references, "--to", f"{target.host}/checked", *deep, *PATIENCE)
    assert ran.code == 5
    assert "damaged" not in ran.out + ran.err
    assert "not checked" in ran.out
    assert ran.out.count("identical") >= 1
    assert ran.err.count("gave no useful answer") <= 2, "not once for each image"


@pytest.mark.parametrize("verb", ["plan", "inventory", "pack"])
def test_every_verb_ends_so(shell: Shell, registry: Registry, references: list[str], verb: str, tmp_path: Path) -> None:
    with failing(registry, 3) as wire:
        moved = [reference.replace(registry.host, wire.host) for reference in references]
        arguments: dict[str, list[object]] = {
            "plan": [*moved, "--to", f"oci:{tmp_path / 'folder'}"],
            "pack": [*moved, "-o", tmp_path / "bundle"],
            "inventory": [f"{wire.host}/dead", "-o", tmp_path / "site.json"],
        }
        ran = shell(verb, *arguments[verb], *PATIENCE)
    assert ran.code in ({1, 5} if verb == "plan" else {5}), ran.told
    assert ", retrying (" in ran.err
    assert not (tmp_path / "site.json").exists()
