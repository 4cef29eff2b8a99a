"""skopeo reads what we write, and we read what skopeo writes."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from transload.layout import LayoutStore
from transload.oci import Name
from transload.testing.contract import read
from transload.testing.images import AMD64, fill, image, multi_platform
from transload.testing.releases import fill_release, release

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed"),
]


def skopeo(*arguments: str) -> str:
    command = ["skopeo", "--insecure-policy", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_skopeo_reads_our_images(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "layout", create=True)
    made = release(images=3, size=300_000)
    fill_release(store, made, "acme")
    for name, built in made.images.items():
        copied = tmp_path / name
        skopeo("copy", f"oci:{store.root}:acme/{name}:{made.tag}", f"dir:{copied}")
        assert (copied / "manifest.json").read_bytes() == built.manifest.raw
        for descriptor, raw in built.walk_blobs():
            assert (copied / descriptor.digest.encoded).read_bytes() == raw


def test_skopeo_reads_an_index_of_ours_beside_unfinished_work(tmp_path: Path) -> None:
    store, multi = LayoutStore(tmp_path / "layout", create=True), multi_platform("multi", layers=(3000,))
    with store.begin("", (unfinished := image("unfinished")).contents[1].descriptor) as ingest:
        ingest.write([unfinished.contents[1].read()[:100]])
    fill(store, multi, "acme/multi", "1")
    skopeo("copy", "--all", f"oci:{store.root}:acme/multi:1", f"dir:{tmp_path / 'all'}")
    assert (tmp_path / "all" / "manifest.json").read_bytes() == multi.manifest.raw
    config = json.loads(skopeo("inspect", "--config", f"oci:{store.root}:acme/multi:1"))
    assert config["architecture"] == AMD64.architecture


def test_we_read_what_skopeo_writes_and_both_go_on(tmp_path: Path) -> None:
    ours, theirs = LayoutStore(tmp_path / "ours", create=True), tmp_path / "theirs"
    first, second = image("first"), image("second")
    fill(ours, first, "a", "1")
    for target in ("docker.io/library/full:1", "acme/app:1", "bare"):
        skopeo("copy", f"oci:{ours.root}:a:1", f"oci:{theirs}:{target}")
    store = LayoutStore(theirs)
    assert list(store.repositories()) == ["library/full", "acme/app", ""]
    for name in (Name("library/full", "1"), Name("acme/app", "1"), Name("", "bare")):
        assert store.fetch(name).raw == first.manifest.raw
    for content in first.contents:
        assert read(store, "", content.descriptor) == content.read()
    fill(store, second, "acme/app", "2")
    skopeo("copy", f"oci:{ours.root}:a:1", f"oci:{theirs}:acme/app:3")
    assert list(store.tags("acme/app")) == ["1", "2", "3"]
    skopeo("copy", f"oci:{theirs}:acme/app:2", f"dir:{tmp_path / 'dir'}")
    assert (tmp_path / "dir" / "manifest.json").read_bytes() == second.manifest.raw


def test_a_docker_image_does_not_hide_its_neighbours(tmp_path: Path) -> None:
    """skopeo and podman look for OCI types only in a layout; a manifest of Docker's family is there, unchanged."""
    store, built, neighbour = (
        LayoutStore(tmp_path / "layout", create=True),
        image("docker", family="docker"),
        image("oci"),
    )
    fill(store, built, "acme/docker", "1")
    fill(store, neighbour, "acme/oci", "1")
    assert skopeo("inspect", "--raw", f"oci:{store.root}:acme/oci:1").encode() == neighbour.manifest.raw
    lying = store.root / "blobs" / "sha256" / built.digest.encoded
    assert lying.read_bytes() == built.manifest.raw
