"""An uncut bundle is loaded by the tools that a site has already: docker, podman, skopeo, buildah, containerd."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.real.engines import Engine
from tests.real.servers import Skopeo
from tests.unit.bundle.packing import pack
from transload.oci import Name
from transload.testing.images import Built, image, multi_platform

OCI, DOCKER = image("loaded/oci", layers=(2000, 300_000)), image("loaded/docker", layers=(5000,), family="docker")
MADE = {
    Name("acme/app", "1"): OCI,
    Name("tool", "v1.2_2026-01-13"): DOCKER,
    Name("acme/multi", "1"): multi_platform("loaded/multi", (3000,)),
    Name("acme/docker-multi", "1"): multi_platform("loaded/docker-multi", (3000,), family="docker"),
}


def config(name: Name) -> str:
    """The digest by which docker and podman know the image that they get for a name."""
    manifest = MADE[name].children[0].manifest if MADE[name].manifest.is_index else MADE[name].manifest
    assert manifest.config is not None
    return manifest.config.digest


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed(tmp_path_factory.mktemp("bundle") / "all", MADE)


def packed(path: Path, images: dict[Name, Built]) -> Path:
    _, (file, *_) = pack(path, images)
    return file


@pytest.fixture(params=["oci", "docker"])
def single(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Name]:
    """A bundle with one image."""
    name = {"oci": Name("acme/app", "1"), "docker": Name("tool", "v1.2_2026-01-13")}[request.param]
    return packed(tmp_path / "single", {name: MADE[name]}), name


def test_docker_loads_all(docker: Engine, bundle: Path) -> None:
    said = docker("load", "-i", bundle)
    assert sorted(said.splitlines()) == sorted(f"Loaded image: {name}" for name in MADE)
    for name in MADE:
        assert docker("image", "inspect", "-f", "{{.Id}} {{.Architecture}}", name).split() == [config(name), "amd64"]
    docker("rmi", "-f", *MADE)


def test_docker_loads_one(docker: Engine, single: tuple[Path, Name]) -> None:
    path, name = single
    assert docker("load", "-i", path) == f"Loaded image: {name}\n"
    docker("rmi", "-f", name)


def test_podman_loads_all(podman: Engine, bundle: Path) -> None:
    said = podman("load", "-i", bundle)
    assert {f"Loaded image: localhost/{name}" for name in MADE} <= set(said.splitlines())
    for name in MADE:
        assert f"sha256:{podman('image', 'inspect', '-f', '{{.Id}}', name).strip()}" == config(name)
    podman("rmi", "-f", *MADE)


def test_podman_loads_one(podman: Engine, single: tuple[Path, Name]) -> None:
    path, name = single
    assert f"/{name}" in podman("load", "-i", path)  # docker.io/ here, localhost/ where there are several
    podman("rmi", "-f", name)  # the short name finds both


@pytest.mark.parametrize("name", MADE, ids=str)
def test_skopeo_copies_by_name(skopeo: Skopeo, bundle: Path, name: Name, tmp_path: Path) -> None:
    skopeo("copy", f"docker-archive:{bundle}:{name}", f"dir:{tmp_path / 'copied'}")
    copied = json.loads((tmp_path / "copied" / "manifest.json").read_bytes())
    assert copied["config"]["digest"] == config(name)
    for layer in copied["layers"]:
        content = (tmp_path / "copied" / layer["digest"].removeprefix("sha256:")).read_bytes()
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == layer["digest"]


@pytest.mark.parametrize("name", MADE, ids=str)
def test_buildah_pulls_by_name(buildah: Engine, bundle: Path, name: Name) -> None:
    assert f"sha256:{buildah('pull', '-q', f'docker-archive:{bundle}:{name}').strip()}" == config(name)


def test_containerd_imports_all_with_their_digests(ctr: Engine, bundle: Path) -> None:
    ctr("-n", "k8s.io", "images", "import", "--all-platforms", "--no-unpack", bundle)
    lines = [line.split() for line in ctr("-n", "k8s.io", "images", "ls").splitlines()[1:]]
    assert {line[0]: line[2] for line in lines} == {
        f"docker.io/{name}" if "/" in name.repository else f"docker.io/library/{name}": built.digest
        for name, built in MADE.items()
    }
