"""Many small blobs are stored with few flushes, and a power cut at any moment leaves no blob without its bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from transload.errors import DigestMismatch
from transload.files import flushing
from transload.gathers import Put
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Name
from transload.planning import Item, Request, make_plan
from transload.testing.images import Built, fill, image
from transload.transfer import run

IMAGES = [image(f"small{number}", layers=(100, 200)) for number in range(40)]
NAMES = [Name(f"app{number}", "v1") for number in range(len(IMAGES))]


class Disk:
    """Watches the calls that change or flush files, and makes the folder that a power cut would leave at its worst.

    Names survive it at once, and bytes only if they were flushed.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, *, whole: bool) -> None:
        self.folder = folder
        self.flushes = self.indexes = self._renamed = 0
        self.left: list[Path] = []
        self._flushed: set[int] = set()
        fsync, replace = os.fsync, os.replace

        def watched_fsync(number: int) -> None:
            fsync(number)
            self.flushes += 1
            self._flushed.add(os.fstat(number).st_ino)

        def watched_replace(source: Any, target: Any, **handles: Any) -> None:
            replace(source, target, **handles)
            self.indexes += str(target).endswith("index.json")
            self._renamed += 1
            if self._renamed % 29 == 0 or str(target).endswith("index.json"):
                self.cut_power()

        def flush_all(_number: int) -> None:
            self.flushes += 1
            self._flushed |= {path.stat().st_ino for path in self._files()}

        def flush_all_of(_folder: object) -> Callable[[int], None] | None:
            return flush_all if whole else None

        patch.setattr(os, "fsync", watched_fsync)
        patch.setattr(os, "replace", watched_replace)
        patch.setattr(flushing, "flush_all_of", flush_all_of)

    def _files(self) -> Iterator[Path]:
        return (path for path in self.folder.rglob("*") if path.is_file())

    def cut_power(self) -> None:
        """Keep what would be left now."""
        left = self.folder.with_name(f"left{len(self.left)}")
        shutil.copytree(self.folder, left)
        for path in self._files():
            if path.stat().st_ino not in self._flushed:
                os.truncate(left / path.relative_to(self.folder), 0)
        self.left.append(left)


def source() -> MemoryStore:
    store = MemoryStore()
    for name, built in zip(NAMES, IMAGES, strict=True):
        fill(store, built, name.repository, name.tag)
    return store


def mirror(folder: Path) -> None:
    sources = {"memory": source()}
    target = LayoutStore(folder, create=True)
    request = Request(tuple(Item("memory", name, name) for name in NAMES))
    plan = make_plan(request, sources, target)
    outcome = run(plan, sources, target)
    assert all(each.error is None and each.done for each in outcome.images)


def check_blobs(folder: Path) -> None:
    for path in (folder / "blobs" / "sha256").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


@pytest.mark.parametrize("whole", [True, False], ids=["syncfs", "file by file"])
def test_what_a_power_cut_leaves_is_right_and_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    with monkeypatch.context() as patch:
        disk = Disk(tmp_path / "layout", patch, whole=whole)
        mirror(disk.folder)
        disk.cut_power()
    assert len(disk.left) > 5
    assert any(len(list((left / ".transload").glob("ingest/*"))) > 10 for left in disk.left)
    for left in disk.left:
        if not (left / "oci-layout").exists() or not (left / "oci-layout").stat().st_size:
            continue  # before the folder was a layout
        check_blobs(left)
        mirror(left)
        check_blobs(left)
        assert len(list(LayoutStore(left).repositories())) == len(IMAGES)


def test_flushes_and_changes_of_the_index_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Disk, "cut_power", lambda _disk: None)
        disk = Disk(tmp_path / "layout", patch, whole=True)
        mirror(disk.folder)
    assert disk.flushes < 40  # the layout's own files, and folders; 120 blobs and 40 manifests need few
    assert disk.indexes <= 4


def test_a_wrong_blob_stores_nothing(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path, create=True)
    contents = [(content.descriptor, content.read()) for content in IMAGES[0].walk_contents()]
    contents[1] = (contents[1][0], bytes(len(contents[1][1])))
    with pytest.raises(DigestMismatch):
        store.gathers.put_blobs(contents)
    assert not list((tmp_path / "blobs" / "sha256").iterdir())


def _put(name: Name, built: Built) -> Put:
    return Put(name=name, manifest=built.manifest)


def test_many_names_give_the_index_that_one_after_the_other_gives(tmp_path: Path) -> None:
    together, alone = LayoutStore(tmp_path / "a", create=True), LayoutStore(tmp_path / "b", create=True)
    puts = [_put(name, built) for name, built in zip(NAMES[:6], IMAGES, strict=False)]
    puts += [
        _put(NAMES[0], IMAGES[7]),
        _put(NAMES[2], IMAGES[2]),
        _put(Name("app9", None, IMAGES[8].digest), IMAGES[8]),
    ]
    for store in (together, alone):
        for built in IMAGES[:9]:
            store.gathers.put_blobs([(content.descriptor, content.read()) for content in built.walk_contents()])
    together.gathers.put_manifests(puts)
    for put in puts:
        alone.put_manifest(put.name, put.manifest)
    assert (tmp_path / "a" / "index.json").read_bytes() == (tmp_path / "b" / "index.json").read_bytes()
