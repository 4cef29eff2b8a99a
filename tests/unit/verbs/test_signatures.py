"""What refers to an image on its way: the order of the requests at a server, and what a bundle lists."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

import transload
from transload import Environment, ImagesFailed, MemoryStore, Network
from transload.errors import Refused, ServerTrouble
from transload.oci import Name
from transload.server import ServeSettings, serve
from transload.testing.faults import ALWAYS, FaultyStore, fails
from transload.testing.images import fill, image, signature

NOTHING = Environment()
SHARED = Path(__file__).parents[4] / "shared" / "data" / "signatures" / "notation-signed"
APP = image("app")
SIGNED = signature(APP)


def vendor() -> MemoryStore:
    store = MemoryStore()
    fill(store, APP, "acme/app", "1")
    fill(store, SIGNED, "acme/app")
    return store


def put(target: FaultyStore) -> list[str]:
    """The manifests that were stored, in order."""
    return [subject for operation, subject in target.subjects if operation == "put_manifest"]


def test_a_server_gets_the_image_then_its_signature_then_its_tag() -> None:
    target = FaultyStore(MemoryStore())
    with serve(vendor()) as source, serve(target, ServeSettings(writable=True)) as site:
        place = f"{site.host_port}/acme/app:1"
        transload.copy(f"{source.host_port}/acme/app:1", place, environment=NOTHING)
    assert put(target) == [f"acme/app@{APP.digest}", f"acme/app@{SIGNED.digest}", "acme/app:1"]


def test_a_signature_that_is_refused_keeps_the_tag_back() -> None:
    """The image lies there by digest, and nobody who asks for the tag gets it without its signature."""
    refusal = fails("put_manifest", lambda: Refused("no signatures here"), subject=f"acme/app@{SIGNED.digest}", times=9)
    target = FaultyStore(MemoryStore(), [refusal])
    with serve(vendor()) as source, serve(target, ServeSettings(writable=True)) as site:
        place = f"{site.host_port}/acme/app:1"
        with pytest.raises(Exception, match="no signatures here") as caught:
            transload.copy(f"{source.host_port}/acme/app:1", place, environment=NOTHING)
    assert not isinstance(caught.value, ImagesFailed)
    assert "--no-referrers brings images without signatures" in str(getattr(caught.value, "hint", ""))
    assert list(target.store.tags("acme/app")) == []
    assert target.store.fetch(Name("acme/app", None, APP.digest)).raw == APP.manifest.raw


@pytest.mark.skipif(not SHARED.exists(), reason="the layout that notation signed is not beside this checkout")
def test_an_unpacked_bundle_lists_signatures_as_notation_lists_them(tmp_path: Path) -> None:
    """`oras discover` and `notation` read each listed manifest: what they find must be listed, without a name.

    They compare a subject with the image's entry by type, digest and size, and take the kind of a signature from its
    manifest (oras-go, `registry.Referrers`).
    """
    transload.pack((), out=tmp_path / "signed", origin=f"oci:{SHARED}", environment=NOTHING)
    (volume,) = tmp_path.glob("signed*.tar")
    with tarfile.open(volume) as archive:
        archive.extractall(tmp_path / "layout", filter="data")
    ours, theirs = (listed(folder) for folder in (tmp_path / "layout", SHARED))
    assert nameless(ours) == nameless(theirs)
    assert len(nameless(ours)) == 3
    images = [entry for entry in ours if "annotations" in entry]
    assert len(images) == 4
    subjects = [subject_of(tmp_path / "layout", entry) for entry in nameless(ours)]
    assert all(subject in [bare(entry) for entry in images] for subject in subjects)


def listed(folder: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((folder / "index.json").read_text())["manifests"]
    return entries


def nameless(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted((entry for entry in entries if "annotations" not in entry), key=lambda entry: str(entry["digest"]))


def bare(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: entry[key] for key in ("mediaType", "digest", "size")}


def subject_of(folder: Path, entry: dict[str, Any]) -> dict[str, Any]:
    manifest = json.loads((folder / "blobs" / entry["digest"].replace(":", "/")).read_text())
    return bare(manifest["subject"])


@pytest.mark.parametrize("what", ["referrers", "tags"])
@pytest.mark.parametrize("error", [lambda: ServerTrouble("overloaded"), lambda: RuntimeError("a bug of theirs")])
@pytest.mark.filterwarnings("ignore")  # the server tells of its own bug
def test_a_registry_whose_lists_always_fail_still_gives_its_images(what: Any, error: Any, tmp_path: Path) -> None:
    """With the usual retries it would be given up, and its images with it."""
    store = MemoryStore()
    for number in range(6):
        fill(store, image(f"image {number}"), f"app{number}", "1")
    with serve(FaultyStore(store, [fails(what, error, times=ALWAYS)])) as source:
        result = transload.mirror(
            [f"{source.host_port}/app{number}:1" for number in range(6)],
            to=f"oci:{tmp_path / 'out'}",
            environment=NOTHING,
            network=Network(give_up_after_s=20),
        )
        asked = source.requests.by_kind["GET", what]
    assert [one.status for one in result.images] == ["copied"] * 6
    assert all("whether all signatures come along could not be asked" in one.notes[0] for one in result.images)
    assert asked == 2, "once, and once more, for all images"
