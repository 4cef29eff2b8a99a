"""A power cut at any moment of packing leaves no wrong volume under a final name, and the next run completes the rest.

Simulated at its worst: names survive at once, the bytes of a volume only as far as they were flushed. Lines of the
journal, which is never flushed by itself, survive all or not at all.
"""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.unit.bundle.packing import contents_of, joined, pack
from transload.bundle import Blueprint, BundleWriter, lay_out
from transload.bundle.writing.frontier import Flusher
from transload.events import Event, StepDone
from transload.memory import MemoryStore
from transload.oci import Name
from transload.planning import Item, Request, make_plan
from transload.testing.images import fill, image
from transload.transfer import run

# Small blobs that are written together, and large ones that are written by themselves.
MADE = {Name(f"app{number}", "v1"): image(f"app{number}", [100] * 20 + [400_000]) for number in range(20)}
VOLUME_BYTES = 3_000_000


class Disk:
    """Watches what is flushed and renamed in a folder, and copies it as a power cut would leave it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, *, journal: bool) -> None:
        self.folder = folder
        self.left: list[Path] = []
        self._journal = journal
        self._flushed: dict[int, bytes] = {}
        self._lock = threading.RLock()
        fsync, replace = os.fsync, os.replace

        def watched_fsync(number: int) -> None:
            status = os.fstat(number)
            found = next((path for path in self._files() if path.stat().st_ino == status.st_ino), None)
            content = found.read_bytes() if found else b""  # what is written from now on may not be flushed
            fsync(number)
            if found is not None:
                self._flushed[status.st_ino] = content
            self.cut_power()

        def watched_replace(source: Any, target: Any, **handles: Any) -> None:
            with self._lock:
                replace(source, target, **handles)
                self.cut_power()

        patch.setattr(os, "fsync", watched_fsync)
        patch.setattr(os, "replace", watched_replace)

    def _files(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if path.is_file()]

    def cut_power(self) -> None:
        """Keep what would be left now."""
        with self._lock:
            self._keep()

    def _keep(self) -> None:
        left = self.folder.with_name(f"left{len(self.left)}")
        shutil.copytree(self.folder, left)
        for path in self._files():
            if not (self._journal and path.name.endswith(".journal")):
                durable = self._flushed.get(path.stat().st_ino, b"")
                (left / path.name).write_bytes(durable.ljust(path.stat().st_size, b"\0"))
        self.left.append(left)

    def after_step(self, event: Event) -> None:
        """Cut the power now and then while blobs are written."""
        if isinstance(event, StepDone) and event.step % 37 == 0:
            self.cut_power()


@pytest.fixture(scope="module")
def published() -> MemoryStore:
    source = MemoryStore("memory:published")
    for name, built in MADE.items():
        fill(source, built, name.repository, name.tag)
    return source


@pytest.fixture(scope="module")
def blueprint() -> Blueprint:
    return lay_out(contents_of(MADE), VOLUME_BYTES)


def _packed(path: Path, source: MemoryStore, blueprint: Blueprint, disk: Disk | None = None) -> bytes:
    request = Request(tuple(Item(source.locator, name, name) for name in sorted(MADE)))
    with BundleWriter(path, blueprint) as writer:
        plan = make_plan(request, {source.locator: source}, writer)
        outcome = run(plan, {source.locator: source}, writer, listen=disk.after_step if disk else lambda _event: None)
        assert [each.error for each in outcome.images] == [None] * len(MADE)
        return joined(writer.finish())


@pytest.mark.parametrize("journal", [True, False], ids=["the journal survives", "the journal is lost"])
def test_what_a_power_cut_leaves_is_right_and_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, published: MemoryStore, blueprint: Blueprint, journal: bool
) -> None:
    expected = joined(pack(tmp_path / "reference", MADE, VOLUME_BYTES)[1])
    folder = tmp_path / "disk"
    folder.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(Flusher.__init__, "__defaults__", (500_000,))  # in the middle of the run, too
        disk = Disk(folder, patch, journal=journal)
        assert _packed(folder / "b", published, blueprint, disk) == expected
    assert len(disk.left) > 20
    for left in disk.left:
        for volume in left.glob("b.*.tar"):
            number = int(volume.name.split(".")[1]) - 1
            assert volume.read_bytes() == expected[number * VOLUME_BYTES : (number + 1) * VOLUME_BYTES], volume
        if any(left.glob("b.*journal")):
            assert _packed(left / "b", published, blueprint) == expected
