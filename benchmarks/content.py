"""What is copied: two monthly releases in an OCI layout, made from a seed or given, and one image of one huge layer."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from pathlib import Path

from attrs import frozen

from transload.layout import LayoutStore
from transload.oci import Manifest, Name
from transload.testing.images import fill, image
from transload.testing.releases import fill_release, release

IMAGES = 18
RELEASE_BYTES = 390 << 20
PREFIX, TARGET_PREFIX = "vendor", "site"


@frozen
class Goods:
    """Images of an OCI layout, by tag: what a run copies. The tags are in order of age."""

    layout: Path
    names: tuple[Name, ...]

    @property
    def tags(self) -> tuple[str, ...]:
        """The releases, oldest first."""
        return tuple(sorted({name.tag for name in self.names if name.tag}))

    def of(self, tag: str) -> Goods:
        """Only this release."""
        return Goods(self.layout, tuple(name for name in self.names if name.tag == tag))

    def manifests(self) -> dict[Name, Manifest]:
        """Each image's manifest."""
        store = LayoutStore(self.layout)
        return {name: store.fetch(name) for name in self.names}

    def blobs(self) -> dict[str, int]:
        """Every blob's size by its digest."""
        return {blob.digest: blob.size for manifest in self.manifests().values() for blob in manifest.blobs}

    @property
    def size(self) -> int:
        """Bytes of all blobs, each counted once."""
        return sum(self.blobs().values())


def opened(layout: Path) -> Goods:
    """Every tagged image of a layout."""
    store = LayoutStore(layout)
    names = tuple(Name(repository, tag) for repository in store.repositories() for tag in store.tags(repository))
    return Goods(layout, names)


def seeded(folder: Path, size: int = RELEASE_BYTES, images: int = IMAGES) -> Goods:
    """Two releases of about `size` bytes each, of which most is shared; made once, kept in `folder`."""
    layout = folder / f"releases-{images}-{size}"
    if not _is_finished(layout):
        store = LayoutStore(layout, create=True)
        for version in (1, 2):
            fill_release(store, release("bench", images, size, version))
        _finish(layout)
    return opened(layout)


def one_layer(folder: Path, size: int) -> Goods:
    """One image with one layer of `size` bytes."""
    layout = folder / f"layer-{size}"
    if not _is_finished(layout):
        fill(LayoutStore(layout, create=True), image("huge", (size,)), "huge", "v1")
        _finish(layout)
    return opened(layout)


def at_target(name: Name) -> Name:
    """What every tool calls an image at the target: skopeo keeps the last part of a repository only."""
    return Name(f"{TARGET_PREFIX}/{_last(name)}", name.tag)


def write_references(goods: Goods, host: str, path: Path) -> Path:
    """A list of references, as `transload mirror` takes it."""
    path.write_text("".join(f"{host}/{PREFIX}/{name} -> {_last(name)}:{name.tag}\n" for name in goods.names))
    return path


def write_sync(goods: Goods, host: str, path: Path, *, verify_tls: bool) -> Path:
    """The same as skopeo's source file (`skopeo sync --src yaml`)."""
    images: defaultdict[str, list[str]] = defaultdict(list)
    for name in goods.names:
        images[f"{PREFIX}/{name.repository}"].append(str(name.tag))
    path.write_text(json.dumps({host: {"tls-verify": verify_tls, "images": images}}))  # JSON is YAML
    return path


def _last(name: Name) -> str:
    return name.repository.rpartition("/")[2]


def _is_finished(layout: Path) -> bool:
    if not layout.with_suffix(".finished").exists():
        shutil.rmtree(layout, ignore_errors=True)
        return False
    return True


def _finish(layout: Path) -> None:
    layout.with_suffix(".finished").touch()
