"""Logins that docker and podman keep, as a whole run finds them: by repository, and beside what cannot be read."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.real.servers import Registry, StartRegistry
from tests.real.vendor import NEW, Ran, Shell, publish


def entry(name: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{name}:{password}".encode()).decode()}


def keep(home: Path, file: str, document: Any) -> Path:
    path = home / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


@pytest.fixture
def closed(start_registry: StartRegistry) -> Registry:
    """A registry that wants a password, with one image in it."""
    started = start_registry("htpasswd")
    publish(started, (NEW,), prefix="team", images=("app",), user=started.user)
    return started


def fetched(shell: Shell, closed: Registry, folder: Path) -> Ran:
    return shell("mirror", f"{closed.host}/team/app:{NEW}", "--to", f"oci:{folder}", "--quiet")


def said(ran: Ran) -> str:
    """Both streams, as if no line had been broken."""
    return " ".join(ran.told.split())


def test_a_login_of_podman_for_some_repositories_only(shell: Shell, closed: Registry, tmp_path: Path) -> None:
    user = closed.user
    assert user
    keys = {f"{closed.host}/team": entry(user.name, user.password), closed.host: entry(user.name, "wrong")}
    keep(shell.home, ".config/containers/auth.json", {"auths": keys})
    assert fetched(shell, closed, tmp_path / "a").code == 0
    refused = shell("mirror", f"{closed.host}/other/app:{NEW}", "--to", f"oci:{tmp_path / 'b'}", "--quiet")
    assert refused.code == 3
    assert f"does not accept the credentials of {user.name}" in said(refused)


def test_what_cannot_be_read_is_told_and_hides_nothing(shell: Shell, closed: Registry, tmp_path: Path) -> None:
    user = closed.user
    assert user
    keep(shell.home, ".docker/config.json", "{")
    kept = keep(shell.home, ".config/containers/auth.json", {"auths": {closed.host: entry(user.name, user.password)}})
    done = fetched(shell, closed, tmp_path / "a")
    assert done.code == 0
    assert done.err.count("config.json: is not JSON") == 1
    kept.unlink()
    failed = fetched(shell, closed, tmp_path / "b")
    assert failed.code == 3
    assert said(failed).count("config.json: is not JSON") == 2  # as a warning, and as the reason


def test_a_helper_that_is_missing_matters_only_to_a_registry_that_asks(
    shell: Shell, closed: Registry, registry: Registry, tmp_path: Path
) -> None:
    keep(shell.home, ".docker/config.json", {"credsStore": "desktop"})
    failed = fetched(shell, closed, tmp_path / "a")
    assert failed.code == 3
    assert said(failed).count("names the helper docker-credential-desktop, which is not on the PATH") == 2
    publish(registry, (NEW,), prefix="kept", images=("app",))
    done = shell("mirror", f"{registry.host}/kept/app:{NEW}", "--to", f"oci:{tmp_path / 'b'}", "--quiet")
    assert (done.code, done.err) == (0, "")


def test_the_variable_that_pipelines_set(shell: Shell, closed: Registry, tmp_path: Path) -> None:
    user = closed.user
    assert user
    shell.set(DOCKER_AUTH_CONFIG=json.dumps({"auths": {closed.host: entry(user.name, user.password)}}))
    assert fetched(shell, closed, tmp_path / "a").code == 0
