"""`transload load` into Debian's docker, podman and containerd; what is there is asked of their own clients."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

import transload
from tests.real.engines import EngineSocket, asked, needs, running
from tests.unit.bundle.packing import pack
from transload.layout import LayoutStore
from transload.oci import Name
from transload.testing.images import Built, artifact, fill, image, multi_platform
from transload.testing.layers import layer

NOTHING = transload.Environment(helper_path=os.environ.get("PATH"))
SHARED = layer("shared by two", 300_000)
MADE: dict[Name, Built] = {
    Name("acme/app", "1"): image("loaded/oci", layers=(SHARED, 2000)),
    Name("acme/docker-multi", "1"): multi_platform("loaded/docker-multi", (3000,), family="docker"),
    Name("acme/multi", "1"): multi_platform("loaded/multi", (3000,)),
    Name("acme/second", "1"): image("loaded/second", layers=(SHARED, 700)),
    Name("tool", "v1.2_2026-01-13"): image("loaded/docker", layers=(5000,), family="docker"),
}
BIG = image("loaded/big", layers=(24_000_000, 8_000_000))
# A process that ends in the middle of a load, by the signal that it is given.
_ENDS_ITSELF = """
import os, sys, transload
bundle, engine, address, under, number = sys.argv[1:]

def progress(event):
    if getattr(event, "activity", "") == "loading" and event.done > 12_000_000:
        os.kill(os.getpid(), int(number))

environment = transload.Environment(helper_path=os.environ.get("PATH"))
more = {"progress": progress, "environment": environment, "under": under}
transload.load(bundle, engine=engine, engine_address=address, **more)
"""


@frozen
class Node:
    """An engine, and how its own client is asked what a name stands for."""

    kind: str
    socket: EngineSocket

    def load(self, bundle: Path, **more: Any) -> transload.Loaded:
        return transload.load(bundle, engine=self.kind, engine_address=self.socket.address, environment=NOTHING, **more)

    def identity(self, name: str) -> str | None:
        """The digest by which the engine knows it."""
        if self.kind == "containerd":
            rows = [line.split() for line in self.socket.run("-n", "k8s.io", "images", "ls").splitlines()[1:]]
            return {row[0]: row[2] for row in rows}.get(name)
        listed = self.socket.run("images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
        found = dict(line.split() for line in listed.splitlines() if line)
        return found.get(name, found.get(name.removeprefix("docker.io/library/")))


@pytest.fixture(params=["docker", "podman", "containerd"])
def node(request: pytest.FixtureRequest) -> Node:
    return Node(request.param, request.getfixturevalue(f"{request.param}_socket"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("load") / "all"
    pack(path, {**MADE, Name("chart", "1"): artifact("chart")}, 200_000)  # several volumes
    return path


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("load") / "big"
    pack(path, {Name("big", "1"): BIG})
    return path


def expected(node: Node, built: Built, child: int = 0) -> str:
    """What the engine calls it: containerd keeps the index, docker and podman the image of their platform."""
    if node.kind == "containerd":
        return built.digest
    manifest = built.children[child].manifest if built.manifest.is_index else built.manifest
    assert manifest.config is not None
    return manifest.config.digest


def test_a_bundle_of_several_volumes_is_loaded_and_a_second_load_moves_nothing(node: Node, bundle: Path) -> None:
    loaded = node.load(bundle)
    assert loaded.good, [str(one.error) for one in loaded.failures]
    assert [one.status for one in loaded.images].count("left-out") == 1
    for name, built in MADE.items():
        assert node.identity(f"source.example/{name}") == expected(node, built)
    again = node.load(bundle)
    assert again.bytes == 0
    assert {one.status for one in again.images} == {"present", "left-out"}


def test_what_a_differential_bundle_leaves_out_may_be_there_from_the_one_before(node: Node, tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "l", create=True)
    fill(store, BIG, "quay.io/acme/base", "1")
    transload.pack((), tmp_path / "first", origin=f"oci:{tmp_path / 'l'}", environment=NOTHING)
    fill(store, image("loaded/next", layers=(500,)), "quay.io/acme/next", "1")
    transload.pack(
        (), tmp_path / "next", origin=f"oci:{tmp_path / 'l'}", against=tmp_path / "first", environment=NOTHING
    )
    early = node.load(tmp_path / "next")
    assert [one.status for one in early.images] == ["failed", "loaded"]
    assert "push it to the registry; or pack a full one" in str(early.failures[0].error.hint)  # type: ignore[union-attr]
    assert node.load(tmp_path / "first").good
    late = [one.status for one in node.load(tmp_path / "next").images]
    assert late == ["present" if node.kind == "containerd" else "failed", "present"]


def test_layers_of_two_images_are_read_once(node: Node, bundle: Path) -> None:
    if node.kind == "containerd":
        node.load(bundle)
    loaded = node.load(bundle, under="once.example", images=["acme/app", "acme/second"])
    sent = [one.bytes for one in loaded.images]
    size = SHARED.descriptor.size
    if node.kind == "containerd":
        assert sent == [0, 0]  # it has the content already, under other names
    elif node.kind == "docker":
        assert sent[0] > size > sent[1]
    else:
        assert min(sent) > size  # podman wants every layer in each archive


def test_names_at_a_private_registry_and_another_platform(node: Node, bundle: Path) -> None:
    loaded = node.load(bundle, under="registry.local:5000/m", images=["acme/multi"], platform="linux/arm64")
    assert loaded.good, loaded
    name = "registry.local:5000/m/acme/multi:1"
    assert node.identity(name) == expected(node, MADE[Name("acme/multi", "1")], child=1)
    if node.kind == "containerd":
        whole = node.load(bundle, under="whole.local", images=["acme/multi"], all_platforms=True)
        assert whole.good
        checked = node.socket.run("-n", "k8s.io", "images", "check", "name==whole.local/acme/multi:1")
        assert "complete" in checked


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_ended_in_the_middle_the_engine_has_no_such_name(node: Node, big: Path, number: signal.Signals) -> None:
    under = f"ended.example/{number.name.lower()}"
    words = [str(big), node.kind, node.socket.address, under, str(int(number))]
    ended = subprocess.run([sys.executable, "-c", _ENDS_ITSELF, *words], capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0
    assert node.identity(f"{under}/big:1") is None
    assert node.load(big, under=under).images[0].status == "loaded"
    assert node.identity(f"{under}/big:1") == expected(node, BIG)
    if node.kind == "containerd":
        node.socket.run("-n", "k8s.io", "images", "rm", "--sync", f"{under}/big:1")


def test_content_that_the_engine_runs(node: Node, bundle: Path) -> None:
    """The layers are whole: the engine's own client unpacks or exports them."""
    node.load(bundle)
    name = "source.example/acme/app:1"
    if node.kind == "containerd":
        node.socket.run("-n", "k8s.io", "images", "check", f"name=={name}")
        assert "complete" in node.socket.run("-n", "k8s.io", "images", "check", f"name=={name}")
    else:
        listed = json.loads(node.socket.run("image", "inspect", name))
        assert len(listed[0]["RootFS"]["Layers"]) == len(MADE[Name("acme/app", "1")].manifest.layers)


@pytest.fixture
def narrow_docker() -> Iterator[str]:
    """The address of a docker whose disk has 48 MiB."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("mounts need a namespace of their own")
    with tempfile.TemporaryDirectory() as path:
        client, address = needs("docker"), f"unix://{path}/s"
        options = "--iptables=false --ip6tables=false --bridge=none --storage-driver=vfs"
        own = " ".join(f"--{what}={path}/{what}" for what in ("data-root", "exec-root", "pidfile"))
        mount = f"mkdir {path}/data-root && mount -t tmpfs -o size=48m tmpfs {path}/data-root"
        command = ["unshare", "-m", "sh", "-c", f"{mount} && exec {needs('dockerd')} {options} {own} -H {address}"]
        with running(command, Path(path), [client, "-H", address, "version"]):
            yield address


def test_a_full_disk_is_said_and_leaves_no_name(narrow_docker: str, big: Path) -> None:
    loaded = transload.load(big, engine="docker", engine_address=narrow_docker, environment=NOTHING)
    assert isinstance(loaded.images[0].error, transload.StorageFull), loaded.images[0].error
    assert asked([needs("docker"), "-H", narrow_docker, "images", "-q"]) == ""


def test_a_socket_of_another_engine_is_told(
    docker_socket: EngineSocket, containerd_socket: EngineSocket, bundle: Path
) -> None:
    with pytest.raises(transload.ProtocolTrouble, match="is no containerd"):
        transload.load(bundle, engine="containerd", engine_address=docker_socket.address, environment=NOTHING)
    with pytest.raises(transload.Unreachable, match="it is no docker engine"):
        transload.load(bundle, engine="docker", engine_address=containerd_socket.address, environment=NOTHING)


def test_memory_does_not_grow_with_the_image(node: Node, tmp_path: Path) -> None:
    code = (
        "import os, pathlib, re, sys, transload; e = transload.Environment(helper_path=os.environ.get('PATH'));"
        "l = transload.load(sys.argv[1], engine=sys.argv[2], engine_address=sys.argv[3], environment=e);"
        "assert l.good, l; print(re.search(r'VmHWM:\\s*(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])"
    )
    peaks = []
    for size in (1_000_000, 64_000_000):
        pack(tmp_path / str(size), {Name("m", str(size)): image(f"memory {node.kind}", layers=(size,))})
        words = [str(tmp_path / str(size)), node.kind, node.socket.address]
        peaks.append(int(asked([sys.executable, "-c", code, *words])))
    assert peaks[1] - peaks[0] < 12 << 10  # KiB
    print(node.kind, peaks)
