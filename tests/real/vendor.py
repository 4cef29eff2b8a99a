"""What the command line is tested with: a vendor's registry with small releases in it, and one way to run a command."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tests.real.servers import Registry
from tests.real.token_server import User
from transload.catalog.builtin import load_builtin
from transload.cli.main import main
from transload.errors import NotFound
from transload.login import Login, Secret
from transload.net.http import Http
from transload.net.settings import NetSettings
from transload.oci import Name
from transload.registry.store import RegistryStore
from transload.testing.images import Built, fill, image
from transload.testing.layers import layer

ARCDATA = load_builtin("arcdata")
OLD, NEW = "v1.39.0_2025-05-13", "v1.40.0_2025-08-12"
IMAGES = ARCDATA.release(NEW).images
CHART = "arcdataservices-extension"


@frozen
class Ran:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Standard output as JSON Lines; fails on a line that is none."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def told(self) -> str:
        """Both streams, for a person who sees them together."""
        return self.out + self.err


class Shell:
    """Runs commands with an environment of their own: in this process, or as one of its own."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.home = home
        home.mkdir()
        self._patch = patch
        self._capture = capture
        for name in list(os.environ):
            if "DOCKER" in name or name.startswith(("TRANSLOAD_", "REGISTRY_", "XDG_")) or "PROXY" in name.upper():
                patch.delenv(name)
        self.set(HOME=home, TRANSLOAD_STATE_DIR=home / "state", TRANSLOAD_CONFIG=home / "config.yaml", NO_COLOR=1)

    def set(self, **variables: object) -> None:
        """Set variables for the commands to come."""
        for name, value in variables.items():
            self._patch.setenv(name, str(value))

    def unset(self, name: str) -> None:
        """Take a variable away."""
        self._patch.delenv(name)

    def __call__(self, *arguments: object) -> Ran:
        """Run `transload arguments…` in this process."""
        self._capture.readouterr()
        code = main(list(map(str, arguments)))
        return Ran(code, *self._capture.readouterr())

    def start(self, *arguments: object, **settings: Any) -> subprocess.Popen[str]:
        """Run it as a process with pipes; the caller waits for it."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command(*arguments), **(pipes | settings))


def command(*arguments: object) -> list[str]:
    """The words that start `transload arguments…` as a process."""
    return [sys.executable, "-m", "transload", *map(str, arguments)]


@contextlib.contextmanager
def store_at(registry: Registry, user: User | None = None) -> Iterator[RegistryStore]:
    """A registry as a store, to look into it or to fill it."""
    ca_files = (registry.ca_file,) if registry.certs else ()
    login = Login(user.name, Secret(user.password)) if user else None
    with Http(NetSettings(ca_files=ca_files)) as http:
        yield RegistryStore(registry.host, http, login=login)


def publish(
    registry: Registry,
    tags: Iterable[str] = (OLD, NEW),
    prefix: str = "arcdata",
    images: Iterable[str] = IMAGES,
    user: User | None = None,
    size: int = 20_000,
) -> None:
    """Put releases of arcdata with these tags into a registry; the images are small and share a layer."""
    shared = layer("base", size)
    with store_at(registry, user) as store:
        for tag in tags:
            for name in images:
                fill(store, image(f"{name}/{tag}", [shared, 1000]), f"{prefix}/{name}", tag)


def held(registry: Registry, prefix: str = "", user: User | None = None) -> set[str]:
    """Every `repository:tag` of a registry under `prefix`, without it."""
    start = f"{prefix}/" if prefix else ""
    with store_at(registry, user) as store:
        return {
            f"{repository.removeprefix(start)}:{tag}"
            for repository in store.repositories()
            if repository.startswith(start)
            for tag in _tags(store, repository)
        }


def digest_at(registry: Registry, name: str, user: User | None = None) -> str:
    """What a name stands for."""
    with store_at(registry, user) as store:
        return store.resolve(Name.parse(name)).digest


def push(registry: Registry, built: Built, repository: str, tag: str) -> str:
    """Put one image into a registry; the reference to it."""
    with store_at(registry) as store:
        fill(store, built, repository, tag)
    return f"{registry.host}/{repository}:{tag}"


def _tags(store: RegistryStore, repository: str) -> list[str]:
    try:
        return list(store.tags(repository))
    except NotFound:  # listed by docker-registry though nothing was ever tagged there
        return []


def variables(source: Mapping[str, str], target: Mapping[str, str]) -> dict[str, str]:
    """The ten variables of the vendor's script."""
    names = ("REGISTRY", "REPOSITORY", "USERNAME", "PASSWORD", "TAG")
    return {
        f"{side}_DOCKER_{name}": given.get(name.lower(), "")
        for side, given in (("SOURCE", source), ("TARGET", target))
        for name in names
    }
