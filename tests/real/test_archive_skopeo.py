"""skopeo writes `oci-archive:` and `docker-archive:`, and we read them."""

import gzip
from pathlib import Path

import pytest

from tests.real.servers import Registry, Skopeo
from tests.real.vendor import Shell
from transload.archive import ArchiveStore
from transload.layout import LayoutStore
from transload.oci import Manifest, Name
from transload.testing.contract import read
from transload.testing.images import Built, fill, image, multi_platform

NAME = Name("acme/app", "1")
BUILT = image("skopeo", layers=(2000, 300_000))


@pytest.fixture
def publish(tmp_path: Path) -> "Publish":
    return Publish(tmp_path)


class Publish:
    """A layout to copy from, and where archives are written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.layout = LayoutStore(folder / "layout", create=True)

    def source(self, built: Built) -> str:
        fill(self.layout, built, NAME.repository, NAME.tag)
        return f"oci:{self.layout.root}:{NAME}"


@pytest.mark.parametrize("called", ["registry.example/acme/app:1", "acme/app:1"])
def test_an_oci_archive_has_the_image_unchanged(publish: Publish, skopeo: Skopeo, called: str) -> None:
    path = publish.folder / "oci.tar"
    skopeo("copy", publish.source(BUILT), f"oci-archive:{path}:{called}")
    store = ArchiveStore(path)
    assert store.fetch(NAME).raw == BUILT.manifest.raw
    for content in BUILT.contents:
        assert read(store, "", content.descriptor) == content.read()
    assert store.notes == ()


def test_an_oci_archive_of_all_platforms(publish: Publish, skopeo: Skopeo) -> None:
    path, multi = publish.folder / "oci.tar", multi_platform("skopeo", layers=(3000,))
    skopeo("copy", "--all", publish.source(multi), f"oci-archive:{path}:acme/app:1")
    store = ArchiveStore(path)
    assert store.fetch(NAME).raw == multi.manifest.raw
    assert all(store.exists("", blob) for child in multi.children for blob in child.manifest.blobs)


def test_a_docker_archive_keeps_config_and_layers(publish: Publish, skopeo: Skopeo) -> None:
    path = publish.folder / "docker.tar"
    skopeo("copy", publish.source(BUILT), f"docker-archive:{path}:registry.example/acme/app:1")
    store = ArchiveStore(path)
    manifest = store.fetch(NAME)
    assert manifest.config
    assert read(store, "", manifest.config) == BUILT.contents[0].read()
    assert len(manifest.layers) == 2
    assert "differ from the publisher's" in store.notes[0]
    back = publish.folder / "back"
    skopeo("copy", f"docker-archive:{path}:registry.example/acme/app:1", f"dir:{back}")
    for blob in manifest.blobs:
        assert read(store, "", blob) == (back / blob.digest.encoded).read_bytes()


@pytest.mark.parametrize("uncompressed", ["docker-archive", "oci-archive"])
def test_what_is_pushed_compressed_is_the_image_that_was_saved(
    publish: Publish, skopeo: Skopeo, registry: Registry, shell: Shell, uncompressed: str
) -> None:
    path, folder = publish.folder / "saved.tar", publish.folder / "back"
    more = ["--dest-decompress"] if uncompressed == "oci-archive" else []
    skopeo("copy", *more, publish.source(BUILT), f"{uncompressed}:{path}:acme/app:1")
    target = f"{registry.host}/{uncompressed}"
    ran = shell("push", path, "--compress", "--to", target)
    assert ran.code == 0
    skopeo("copy", "--src-tls-verify=false", f"docker://{target}/acme/app:1", f"dir:{folder}")
    manifest = Manifest.parse((folder / "manifest.json").read_bytes())
    assert manifest.config is not None
    assert manifest.config.digest == BUILT.contents[0].descriptor.digest
    for layer, content in zip(manifest.layers, BUILT.contents[1:], strict=True):
        packed = (folder / layer.digest.encoded).read_bytes()
        assert gzip.decompress(packed) == gzip.decompress(content.read())
    assert shell("push", path, "--compress", "--to", target, "--quiet").out.startswith("nothing to do")
