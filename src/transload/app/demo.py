"""The main job with generated images: two embedded registries, two monthly releases, and a check at the end."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from transload.files import local_errors, replace_file
from transload.layout import LayoutStore
from transload.server import Served, ServeSettings, serve
from transload.testing.releases import SeededRelease, fill_release, release
from transload.values import frozen

IMAGES = 20
PREFIX = "shop"


@frozen(kw_only=True)
class Stage:
    """Both running registries, and the catalog of what the source publishes."""

    source: Served
    target: Served
    vendor: LayoutStore
    catalog: Path
    size: int

    def publish(self, version: int) -> SeededRelease:
        """Publish the vendor's next release. Images that did not change keep their layers."""
        made = release("demo", IMAGES, self.size, version)
        fill_release(self.vendor, made, PREFIX)
        return made


@contextlib.contextmanager
def staged(folder: Path, size: int) -> Iterator[Stage]:
    """Run two registries on free loopback ports during the block; content in `folder`, releases of `size` bytes."""
    vendor = LayoutStore(folder / "vendor", create=True)
    site = LayoutStore(folder / "site", create=True)
    writable = ServeSettings(writable=True, spool_folder=folder)
    with serve(vendor) as source, serve(site, writable) as target:
        catalog = folder / "shop.yaml"
        with local_errors("writing", catalog):
            replace_file(catalog, _catalog(source.host_port, size).encode())
        yield Stage(source=source, target=target, vendor=vendor, catalog=catalog, size=size)


def _catalog(registry: str, size: int) -> str:
    """A catalog file as a user would write it; JSON is YAML."""
    releases = [release("demo", IMAGES, size, version) for version in (1, 2)]
    return json.dumps(
        {
            "kind": "Catalog",
            "version": 1,
            "name": "shop",
            "title": "A vendor's product, generated for this demonstration",
            "registry": registry,
            "repository": PREFIX,
            "releases": [{"tag": seeded.tag, "images": list(seeded.images)} for seeded in releases],
        },
        indent=1,
    )
