"""Container engines as fixtures: Debian's docker, podman and containerd, each with folders and sockets of its own."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import frozen

from tests.real.programs import program

READY_S = 240.0
Engine = Callable[..., str]


def needs(name: str) -> str:
    """Where an engine lies; skips the test where only root could give it a folder of its own."""
    path = program(name)
    if os.geteuid() != 0:
        pytest.skip(f"{name} is started with a folder of its own only by root")
    return path


def asked(command: list[str]) -> str:
    """What a program prints on standard output."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running(command: list[str], folder: Path, ready: list[str]) -> Iterator[None]:
    """A daemon that runs for the block, from the moment at which the command `ready` succeeds."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + READY_S
        while subprocess.run(ready, capture_output=True, check=False).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"{command[0]} does not run here: {(folder / 'log').read_text()[-300:]}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(READY_S)


@frozen
class EngineSocket:
    """An engine that answers at a socket. `run` runs its own client there, and gives what that prints."""

    address: str
    run: Engine

    def bring(self, reference: str) -> None:
        """Pull an image from a registry on this machine."""
        self.run("pull", *(["--tls-verify=false"] if "podman" in self.address else []), reference)


@pytest.fixture(scope="session")
def docker_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineSocket]:
    """A docker engine: no network, its own folder and socket."""
    folder = tmp_path_factory.mktemp("docker")
    client, address = needs("docker"), f"unix://{folder}/s"
    options = ["--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"]
    own = [f"--{what}={folder / what}" for what in ("data-root", "exec-root", "pidfile")]
    with running([needs("dockerd"), *options, *own, "-H", address], folder, [client, "-H", address, "version"]):
        yield EngineSocket(address, lambda *arguments: asked([client, "-H", address, *map(str, arguments)]))


@pytest.fixture(scope="session")
def docker(docker_socket: EngineSocket) -> Engine:
    """The client of that docker engine."""
    return docker_socket.run


@contextmanager
def podman_service(insecure: Iterable[str] = ()) -> Iterator[EngineSocket]:
    """podman as a service, with a folder and a socket of its own; these registries need no valid certificate."""
    path = needs("podman")
    with tempfile.TemporaryDirectory(prefix="podman") as folder:
        settings = Path(folder) / "registries.conf"
        settings.write_text("".join(f'[[registry]]\nlocation = "{host}"\ninsecure = true\n' for host in insecure))
        # With CONTAINER_HOST, podman is only a client.
        here = ["env", "-u", "CONTAINER_HOST", f"CONTAINERS_REGISTRIES_CONF={settings}", path]
        own = [*here, f"--root={folder}/root", f"--runroot={folder}/run", "--storage-driver=vfs"]
        address = f"unix://{folder}/s"
        with running([*own, "system", "service", "--time=0", address], Path(folder), ["test", "-S", f"{folder}/s"]):
            yield EngineSocket(address, lambda *arguments: asked([*own, *map(str, arguments)]))


@pytest.fixture(scope="session")
def podman_socket() -> Iterator[EngineSocket]:
    """A podman service for all tests."""
    with podman_service() as socket:
        yield socket


@contextmanager
def without_daemon(name: str) -> Iterator[Engine]:
    """podman or buildah with a folder of its own; a runroot may have 50 letters, which those of pytest are over."""
    path = needs(name)
    with tempfile.TemporaryDirectory(prefix=name) as folder:
        own = [f"--root={folder}/root", f"--runroot={folder}/run", "--storage-driver=vfs"]
        yield lambda *arguments: asked([path, *own, *map(str, arguments)])


@pytest.fixture(scope="session")
def podman() -> Iterator[Engine]:
    """podman with a folder of its own."""
    with without_daemon("podman") as engine:
        yield engine


@pytest.fixture(scope="session")
def buildah() -> Iterator[Engine]:
    """buildah with a folder of its own."""
    with without_daemon("buildah") as engine:
        yield engine


@pytest.fixture(scope="session")
def containerd_socket() -> Iterator[EngineSocket]:
    """A containerd with its own folder and socket."""
    client = needs("ctr")
    with tempfile.TemporaryDirectory(prefix="containerd") as path:
        folder = Path(path)
        settings = [f'root = "{path}/root"', f'state = "{path}/state"', f'grpc = {{ address = "{path}/s" }}']
        disabled = 'disabled_plugins = ["io.containerd.grpc.v1.cri"]'
        (folder / "config.toml").write_text("\n".join(["version = 2", disabled, *settings, ""]))
        command = [needs("containerd"), "-c", str(folder / "config.toml")]
        with running(command, folder, [client, "-a", f"{path}/s", "version"]):
            yield EngineSocket(
                f"unix://{path}/s", lambda *arguments: asked([client, "-a", f"{path}/s", *map(str, arguments)])
            )


@pytest.fixture(scope="session")
def ctr(containerd_socket: EngineSocket) -> Engine:
    """containerd's own client."""
    return containerd_socket.run
