"""`Images.lock` of Distribution Tooling for Helm (dt).

Shape: pkg/imagelock in https://github.com/vmware-labs/distribution-tooling-for-helm.
"""

from __future__ import annotations

from collections.abc import Iterator

from transload.catalog.lists.naming import image
from transload.catalog.lists.taken import Format, Note, Taken, items_of, rest
from transload.documents.value import Value

_DIGESTS = "the digests of single platforms are not compared; each tag is copied with all its platforms"


def _recognises(root: Value) -> bool:
    version = root.get("apiVersion").content or root.get("apiversion").content  # as its first versions wrote
    return (root.get("kind").content, version) == ("ImagesLock", "v0")


def _read(root: Value) -> Iterator[Taken]:
    yield from rest(root, ("apiVersion", "apiversion", "kind", "metadata", "chart", "images"), {})
    for item in items_of(root.get("images")):
        yield image(item.get("image"))
        if item.get("digests").content:
            yield Note(item.get("digests").where, _DIGESTS)
        yield from rest(item, ("name", "image", "chart", "digests"), {})


FORMAT = Format("Images.lock", _recognises, _read)
