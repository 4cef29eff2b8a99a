"""A real docker and a real podman load an image and save it again; we copy it to a registry, and they pull it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.real.engines import Engine
from tests.real.programs import program
from tests.real.servers import Registry, Skopeo
from transload.archive import ArchiveStore
from transload.layout import LayoutStore
from transload.net.http import Http
from transload.net.settings import NetSettings
from transload.oci import Name
from transload.planning import Item, Request, make_plan
from transload.registry.store import RegistryStore
from transload.testing.images import fill, image
from transload.transfer import run

BUILT = image("engines", layers=(2000, 300_000))


@pytest.fixture(scope="module")
def loadable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A docker archive of `localhost/acme/app:1`, made by skopeo."""
    folder = tmp_path_factory.mktemp("loadable")
    layout = LayoutStore(folder / "layout", create=True)
    fill(layout, BUILT, "acme/app", "1")
    command = [program("skopeo"), "--insecure-policy", "copy", f"oci:{layout.root}:acme/app:1"]
    subprocess.run(
        [*command, f"docker-archive:{folder / 'app.tar'}:localhost/acme/app:1"], check=True, capture_output=True
    )
    return folder / "app.tar"


def mirrored(store: ArchiveStore, name: Name, registry: Registry, target: str) -> Name:
    """Copy one image of an archive into a real registry, through a plan."""
    there = RegistryStore(registry.host, Http(NetSettings()))
    wanted = Name(target, "1")
    plan = make_plan(Request((Item(store.locator, name, wanted),)), {store.locator: store}, there)
    outcome = run(plan, {store.locator: store}, there)
    assert [image.error for image in outcome.images] == [None]
    assert there.fetch(wanted).raw == store.fetch(name).raw
    return wanted


def test_docker_save_is_read_and_docker_pulls_what_we_pushed(
    docker: Engine, loadable: Path, registry: Registry, tmp_path: Path
) -> None:
    docker("load", "-i", loadable)
    docker("tag", "localhost/acme/app:1", "app:2")
    docker("save", "-o", tmp_path / "saved.tar", "localhost/acme/app:1", "app:2")
    store = ArchiveStore(tmp_path / "saved.tar")
    assert sorted(store.repositories()) == ["acme/app", "library/app"]
    name = mirrored(store, Name("library/app", "2"), registry, "archive/docker")
    config = store.fetch(Name("acme/app", "1")).blobs[0].digest
    docker("rmi", "-f", config)
    docker("pull", "-q", f"{registry.host}/{name}")
    assert docker("image", "inspect", "-f", "{{.Id}}", f"{registry.host}/{name}").strip() == config
    assert config == BUILT.contents[0].descriptor.digest
    docker("rmi", "-f", config)


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_podman_save_is_read_and_skopeo_reads_what_we_pushed(
    podman: Engine, skopeo: Skopeo, loadable: Path, registry: Registry, tmp_path: Path, form: str
) -> None:
    podman("load", "-i", loadable)
    podman("save", "-q", "--format", form, "-o", tmp_path / "saved.tar", "localhost/acme/app:1")
    store = ArchiveStore(tmp_path / "saved.tar")
    name = mirrored(store, Name("acme/app", "1"), registry, f"archive/{form}")
    config = skopeo("inspect", "--tls-verify=false", "--config", "--raw", f"docker://{registry.host}/{name}").stdout
    # podman writes the config anew when it changes the format, but not what is in it
    assert json.loads(config)["rootfs"] == json.loads(BUILT.contents[0].read())["rootfs"]
