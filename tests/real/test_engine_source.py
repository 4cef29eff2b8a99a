"""Images of a real docker and a real podman engine, as a source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.real.engines import EngineSocket
from tests.real.servers import Registry
from tests.real.vendor import Shell, digest_at, held, push
from transload.oci import Digest
from transload.testing.images import image, multi_platform
from transload.testing.layers import layer

SHARED = layer("engine-source", 300_000)


@pytest.fixture(params=["docker", "podman"])
def kind(request: pytest.FixtureRequest) -> str:
    """Both engines, each in turn."""
    return str(request.param)


@pytest.fixture
def engine(kind: str, request: pytest.FixtureRequest, registry: Registry, shell: Shell) -> EngineSocket:
    """An engine that has three images, of which two share a layer, and one more name; the shell knows its socket."""
    socket: EngineSocket = request.getfixturevalue(f"{kind}_socket")
    one = push(registry, image(f"{kind}one", [SHARED, 1000]), f"from-{kind}/one", "1")
    two = push(registry, multi_platform(f"{kind}two", [2000]), f"from-{kind}/two", "2")
    three = push(registry, image(f"{kind}three", [SHARED, 3000]), f"from-{kind}/three", "3")
    for reference in (one, two, three):
        socket.bring(reference)
    socket.run("tag", one, "alias:3")
    shell.set(**{"DOCKER_HOST" if kind == "docker" else "CONTAINER_HOST": socket.address})
    return socket


def test_everything_is_copied_and_the_note_says_that_digests_differ(
    kind: str, engine: EngineSocket, shell: Shell, registry: Registry
) -> None:
    prefix = f"all-of-{kind}"
    ran = shell("mirror", "--from", f"{kind}:{registry.host}/from-{kind}", "--to", f"{registry.host}/{prefix}")
    assert ran.code == 0, ran.told
    assert held(registry, prefix) == {"one:1", "two:2", "three:3"}
    published, copy = digest_at(registry, f"from-{kind}/one:1"), digest_at(registry, f"{prefix}/one:1")
    assert published != copy
    assert f"{kind} keeps no published digest, so every copy has another digest" in ran.told
    assert f"was published as {Digest(published).short}, its copy is {Digest(copy).short}" in ran.told
    again = shell("mirror", "--from", f"{kind}:{registry.host}/from-{kind}", "--to", f"{registry.host}/{prefix}")
    assert "3 unchanged" in again.told
    proved = shell("verify", "--from", f"{kind}:{registry.host}/from-{kind}", "--to", f"{registry.host}/{prefix}")
    assert (proved.code, "all proved" in proved.told) == (0, True)
    differs = shell("verify", f"{registry.host}/from-{kind}/one:1", "--to", f"{registry.host}/{prefix}-none")
    assert "damaged" not in differs.told
    assert not [path for path in (shell.home / "state").rglob("*") if "engine" in path.name]


def test_a_layer_that_images_share_is_saved_and_sent_once(
    kind: str, engine: EngineSocket, shell: Shell, registry: Registry
) -> None:
    ran = shell(
        "plan", "--from", f"{kind}:{registry.host}/from-{kind}", "--to", f"{registry.host}/x", "--output", "json"
    )
    assert ran.code == 0, ran.told
    plan = json.loads(ran.out.splitlines()[-1])
    assert plan["plan"]["totals"]["copy"]["blobs"] == 7, plan  # three configs, a layer each, the shared one


def test_names_are_those_that_the_engine_knows(
    kind: str, engine: EngineSocket, shell: Shell, registry: Registry
) -> None:
    full = "localhost/alias:3" if kind == "podman" else "alias:3"
    ran = shell("mirror", "--from", f"{kind}:", f"{full} -> own/name:4", "--to", f"{registry.host}/named-{kind}")
    assert ran.code == 0, ran.told
    assert held(registry, f"named-{kind}") == {"own/name:4"}


def test_what_is_not_there_does_not_stop_the_others(
    kind: str, engine: EngineSocket, shell: Shell, registry: Registry
) -> None:
    there = f"{registry.host}/from-{kind}/one:1"
    ran = shell("mirror", "--from", f"{kind}:", there, "nosuch:1", "--to", f"{registry.host}/some-{kind}")
    assert ran.code == 1
    assert f"{kind} has no image docker.io/library/nosuch:1" in ran.told
    assert held(registry, f"some-{kind}") == {f"from-{kind}/one:1"}


def test_an_identifier_is_no_name(kind: str, engine: EngineSocket, shell: Shell, registry: Registry) -> None:
    identifier = engine.run("images", "-q", f"{registry.host}/from-{kind}/one:1").strip()[:12]
    ran = shell("plan", "--from", f"{kind}:", identifier, "--to", f"{registry.host}/x")
    assert ran.code == 4
    assert f"{identifier} is an image's identifier" in ran.told


def test_a_platform_that_the_engine_lacks(kind: str, engine: EngineSocket, shell: Shell, registry: Registry) -> None:
    wanted = ["--from", f"{kind}:", f"{registry.host}/from-{kind}/two:2", "--platform", "linux/s390x"]
    ran = shell("plan", *wanted, "--to", f"{registry.host}/x")
    assert (ran.code, "linux/amd64" in ran.told) == (4, True), ran.told


def test_a_bundle_of_an_engines_images(
    kind: str, engine: EngineSocket, shell: Shell, registry: Registry, tmp_path: Path
) -> None:
    ran = shell("pack", "--from", f"{kind}:{registry.host}", "--out", tmp_path / "b")
    assert ran.code == 0, ran.told
    listed = shell("list", tmp_path / "b")
    assert f"from-{kind}/one:1" in listed.told


def test_a_name_of_another_registry_is_offered(
    kind: str, engine: EngineSocket, shell: Shell, registry: Registry
) -> None:
    ran = shell("plan", "--from", f"{kind}:", "one:1", "--to", f"{registry.host}/x")
    assert (ran.code, f"{registry.host}/from-{kind}/one:1" in ran.told) == (4, True), ran.told


def test_images_are_given_to_an_engine_under_full_names(
    kind: str, engine: EngineSocket, shell: Shell, registry: Registry
) -> None:
    four = push(registry, image(f"{kind}four", [SHARED, 4000]), f"to-{kind}/four", "4")
    wanted = [four, f"{registry.host}/to-{kind}/none:1"]
    planned = shell("plan", *wanted, "--to", f"{kind}:")
    assert "copy 3 blobs" in planned.told
    ran = shell("mirror", *wanted, "--to", f"{kind}:")
    assert ran.code == 1, ran.told
    assert "[1/2]" in ran.told
    assert "keeps one platform of each image (linux/amd64)" in ran.told
    engine.run("image", "inspect", four)
    assert "1 unchanged" in shell("mirror", four, "--to", f"{kind}:").told
    renamed = shell("mirror", four, "--to", f"{kind}:registry.local/tools", "--output", "json")
    assert renamed.code == 0, renamed.told
    result = json.loads(renamed.out.splitlines()[-1])["result"]
    assert [(entry["name"], entry["status"]) for entry in result["images"]] == [(f"tools/to-{kind}/four:4", "copied")]
    engine.run("image", "inspect", f"registry.local/tools/to-{kind}/four:4")


def test_the_engine_has_no_such_platform(kind: str, engine: EngineSocket, shell: Shell, registry: Registry) -> None:
    two = f"{registry.host}/from-{kind}/two:2"
    ran = shell("mirror", two, "--to", f"{kind}:x.test/y", "--platform", "linux/s390x")
    assert (ran.code, "linux/s390x" in ran.told) == (4, True), ran.told
