"""Plain lists in YAML or JSON: references, or the output of `kubeadm config images list -o json`."""

from __future__ import annotations

from collections.abc import Iterator

from transload.catalog.lists.naming import image
from transload.catalog.lists.taken import Format, Taken, is_of
from transload.documents.value import Value


def _recognises(root: Value) -> bool:
    if isinstance(root.content, list):
        return bool(root.content) and all(isinstance(item, str) for item in root.content)
    return isinstance(root.content, dict) and is_of(root, "output.kubeadm.k8s.io", "Images")


def _read(root: Value) -> Iterator[Taken]:
    for item in (root if isinstance(root.content, list) else root.get("images")).items():
        yield image(item)


FORMAT = Format("list of references", _recognises, _read)
