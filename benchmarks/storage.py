"""Puts images into docker-registry's storage without a run of any tool: blobs as hard links, links as small files.

The layout of the folder is that of distribution 2.8 (registry/storage/paths.go).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.content import PREFIX, Goods


def fill_storage(storage: Path, goods: Goods) -> None:
    """Every image of `goods`, below `PREFIX`."""
    top = storage / "docker" / "registry" / "v2"
    for name, graph in goods.graphs().items():
        repository = top / "repositories" / PREFIX / name.repository
        for manifest in graph:
            digest = str(manifest.digest)
            _place(top, goods.file(digest), digest)
            _link(repository / "_manifests" / "revisions", digest)
            for blob in manifest.blobs:
                _place(top, goods.file(blob.digest), str(blob.digest))
                _link(repository / "_layers", str(blob.digest))
        tag = repository / "_manifests" / "tags" / str(name.tag)
        root = str(graph[-1].digest)
        _link(tag / "index", root)
        _write(tag / "current" / "link", root)


def _place(top: Path, file: Path, digest: str) -> None:
    algorithm, _, encoded = digest.partition(":")
    data = top / "blobs" / algorithm / encoded[:2] / encoded / "data"
    if data.exists():
        return
    data.parent.mkdir(parents=True, exist_ok=True)
    try:
        data.hardlink_to(file)
    except OSError:  # another file system
        shutil.copyfile(file, data)


def _link(folder: Path, digest: str) -> None:
    algorithm, _, encoded = digest.partition(":")
    _write(folder / algorithm / encoded / "link", digest)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
