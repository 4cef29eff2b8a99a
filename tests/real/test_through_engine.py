"""`mirror --through`: a real docker and a real podman pull, tag and push between registries that want logins."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.real.engines import EngineSocket, podman_service
from tests.real.servers import Registry, StartRegistry
from tests.real.token_server import User
from tests.real.vendor import Shell, digest_at, held, store_at
from transload.testing.images import fill, image, multi_platform

IMAGES = {"one": image("through-one", [3000, 40_000]), "two": multi_platform("through-two", [2000])}


class Site:
    """Two registries with passwords of their own, an engine, and a user who has logins for both in docker's file."""

    def __init__(self, kind: str, source: Registry, target: Registry, shell: Shell) -> None:
        self.kind, self.source, self.target, self.shell = kind, source, target, shell
        for name, built in IMAGES.items():
            with store_at(source, source.user) as store:
                fill(store, built, f"acme/{name}", "1")
        self.log_in(source, source.user)
        self.log_in(target, target.user)
        self.to = f"{target.host}/site"

    def log_in(self, registry: Registry, user: User | None) -> None:
        """Put a login into docker's file."""
        path = self.shell.home / ".docker" / "config.json"
        path.parent.mkdir(exist_ok=True)
        document = json.loads(path.read_text()) if path.exists() else {"auths": {}}
        document["auths"][registry.host] = {"auth": base64.b64encode(f"{user}".encode()).decode()}
        path.write_text(json.dumps(document))

    def names(self, *names: str) -> list[str]:
        """References at the source."""
        return [f"{self.source.host}/acme/{name}:1" for name in names]

    def trust(self) -> list[str]:
        """The options with which transload itself asks the target."""
        return ["--ca-file", str(self.target.ca_file)]


@pytest.fixture(params=["docker", "podman"])
def site(
    request: pytest.FixtureRequest, start_registry: StartRegistry, shell: Shell
) -> Iterator[tuple[Site, EngineSocket]]:
    """The registries, the target with TLS, and each engine in turn."""
    made = Site(request.param, start_registry("htpasswd"), start_registry("htpasswd", tls=True), shell)
    with ExitStack() as stack:
        if request.param == "docker":  # it takes registries of this machine as they are
            engine: EngineSocket = request.getfixturevalue("docker_socket")
        else:
            engine = stack.enter_context(podman_service([made.source.host, made.target.host]))
        shell.set(**{"DOCKER_HOST" if request.param == "docker" else "CONTAINER_HOST": engine.address})
        yield made, engine


def listed(engine: EngineSocket) -> set[str]:
    """Every name and identifier that an engine has."""
    return set(engine.run("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}").splitlines())


def test_it_pulls_tags_and_pushes_and_takes_away_what_it_brought(site: tuple[Site, EngineSocket]) -> None:
    made, engine = site
    before = listed(engine)
    arguments = [*made.names("one", "two"), "--to", made.to, "--through", made.kind, *made.trust()]
    ran = made.shell("mirror", *arguments, "--output", "json")
    assert ran.code == 0, ran.told
    assert held(made.target, "site", made.target.user) == {"acme/one:1", "acme/two:1"}
    assert listed(engine) == before
    result = json.loads(ran.out.splitlines()[-1])["result"]
    assert {entry["name"]: entry["digest"] for entry in result["images"]} == {
        f"site/acme/{name}:1": digest_at(made.target, f"site/acme/{name}:1", made.target.user) for name in IMAGES
    }
    assert [entry["status"] for entry in result["images"]] == ["copied", "copied"]
    assert any("copies one platform" in note for note in result["notes"])
    for user in (made.source.user, made.target.user):
        assert user
        assert user.password not in ran.told


def test_names_that_were_there_stand_for_what_they_stood_for(site: tuple[Site, EngineSocket]) -> None:
    made, engine = site
    (one,), (two,) = made.names("one"), made.names("two")
    kept = made.shell("mirror", two, "--to", made.to, "--through", made.kind, "--keep", *made.trust())
    assert kept.code == 0, kept.told
    engine.run("tag", two, f"{made.to}/acme/one:1")
    before = listed(engine)
    assert {line.split()[0] for line in before} >= {two, f"{made.to}/acme/two:1", f"{made.to}/acme/one:1"}
    ran = made.shell("mirror", one, two, "--to", made.to, "--through", made.kind, *made.trust())
    assert ran.code == 0, ran.told
    assert listed(engine) == before
    for name in (two, f"{made.to}/acme/two:1", f"{made.to}/acme/one:1"):
        engine.run("rmi", name)


def test_a_failure_is_one_of_its_image_and_the_others_go_on(site: tuple[Site, EngineSocket]) -> None:
    made, engine = site
    before = listed(engine)
    ran = made.shell("mirror", *made.names("none", "one"), "--to", made.to, "--through", made.kind, *made.trust())
    assert ran.code == 1, ran.told
    assert f"pulling {made.source.host}/acme/none:1: the {made.kind} engine answers" in ran.told
    assert held(made.target, "site", made.target.user) == {"acme/one:1"}
    assert listed(engine) == before
    made.log_in(made.target, User("ann", "wrong", frozenset()))
    refused = made.shell("mirror", *made.names("two"), "--to", made.to, "--through", made.kind, *made.trust())
    assert refused.code == 3, refused.told
    assert f"pushing {made.to}/acme/two:1: the {made.kind} engine answers" in refused.told
    assert listed(engine) == before
    assert "wrong" not in refused.told


def test_a_target_that_only_the_engine_can_ask_is_not_verified(site: tuple[Site, EngineSocket]) -> None:
    made, _ = site
    ran = made.shell("mirror", *made.names("one"), "--to", made.to, "--through", made.kind)  # without its authority
    assert ran.code == 0, ran.told
    assert f"not verified, because transload itself cannot ask {made.target.host}" in ran.told
    assert held(made.target, "site", made.target.user) == {"acme/one:1"}


def test_the_plan_says_what_this_way_cannot_keep(site: tuple[Site, EngineSocket]) -> None:
    made, _ = site
    ran = made.shell("plan", *made.names("one"), "--to", made.to, "--through", made.kind, "--platform", "linux/amd64")
    assert ran.code == 0, ran.told
    assert f"{made.kind} copies one platform (linux/amd64), no index and no signatures" in ran.told
    assert "as the engine finds it" in ran.told
