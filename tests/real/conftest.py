"""Real servers and programs as fixtures: Debian's docker-registry on free loopback ports, and skopeo."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.browser import browser  # noqa: F401 - a fixture, which pytest finds by its name here
from tests.real.engines import (  # noqa: F401 - fixtures
    buildah,
    containerd_socket,
    ctr,
    docker,
    docker_socket,
    podman,
    podman_socket,
)
from tests.real.programs import program
from tests.real.servers import Registry, Skopeo, StartRegistry, running_registry
from tests.real.vendor import Shell, publish

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is `real`; the hook is given the items of all folders."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.real)


@pytest.fixture(scope="session")
def _starter(tmp_path_factory: pytest.TempPathFactory) -> Callable[[contextlib.ExitStack], StartRegistry]:
    """Makes factories of registries that end with a given stack."""
    path = program("docker-registry")

    def starter(stack: contextlib.ExitStack) -> StartRegistry:
        def start(
            auth: str | None = None, tls: bool = False, client_certificates: bool = False, **config: Any
        ) -> Registry:
            folder = tmp_path_factory.mktemp("registry")
            return stack.enter_context(
                running_registry(
                    path, folder, auth=auth, tls=tls, client_certificates=client_certificates, config=config
                )
            )

        return start

    return starter


@pytest.fixture
def start_registry(_starter: Callable[[contextlib.ExitStack], StartRegistry]) -> Iterator[StartRegistry]:
    """Starts fresh, empty registries that end with the test.

    `start_registry(auth=None | "htpasswd" | "token", tls=False, client_certificates=False, **config)`; `config` is
    merged over the server's configuration file: `start_registry(http={"relativeurls": True})`.
    """
    with contextlib.ExitStack() as stack:
        yield _starter(stack)


@pytest.fixture(scope="session")
def _start_for_session(_starter: Callable[[contextlib.ExitStack], StartRegistry]) -> Iterator[StartRegistry]:
    with contextlib.ExitStack() as stack:
        yield _starter(stack)


@pytest.fixture(scope="session")
def registry(_start_for_session: StartRegistry) -> Registry:
    """Anonymous, plain HTTP, deletes enabled. Shared by all tests: use a repository named after the test."""
    return _start_for_session()


@pytest.fixture(scope="session")
def htpasswd_registry(_start_for_session: StartRegistry) -> Registry:
    """Basic credentials, known as `.user`."""
    return _start_for_session("htpasswd")


@pytest.fixture(scope="session")
def tls_registry(_start_for_session: StartRegistry) -> Registry:
    """HTTPS with a certificate signed by `.ca_file`."""
    return _start_for_session(tls=True)


@pytest.fixture(scope="session")
def mutual_tls_registry(_start_for_session: StartRegistry) -> Registry:
    """HTTPS that demands a client certificate: `.client_certificate` and `.client_key`."""
    return _start_for_session(client_certificates=True)


@pytest.fixture(scope="session")
def token_registry(_start_for_session: StartRegistry) -> Registry:
    """Bearer tokens from `.tokens`, for `.user` (pull, push) and `.reader` (pull); anybody pulls `public/…`.

    Shared by all tests: one that changes `.tokens`, or counts, starts its own with `start_registry("token")`.
    """
    return _start_for_session("token")


@pytest.fixture(scope="session")
def skopeo(tmp_path_factory: pytest.TempPathFactory) -> Skopeo:
    """Runs skopeo with these arguments and fails with what it said, unless `check=False`."""
    path = program("skopeo")
    home = tmp_path_factory.mktemp("skopeo")  # so that nobody's logins and settings are found
    environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "PATH": os.environ.get("PATH", os.defpath)}

    def run(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [path, "--insecure-policy", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)
        if check and done.returncode:
            pytest.fail(f"skopeo {' '.join(command[2:])} ended with {done.returncode}:\n{done.stderr}")
        return done

    return run


@pytest.fixture(scope="session")
def vendor(_start_for_session: StartRegistry) -> Registry:
    """A vendor's registry, anonymous, with two small releases of arcdata, `OLD` and `NEW`. Only read it."""
    started = _start_for_session()
    publish(started)
    return started


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs `transload …` with a home, a state folder and variables of its own."""
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path / "home", monkeypatch, capsys)
