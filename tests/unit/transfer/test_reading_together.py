"""Small blobs of a folder are read together; what is wrong with one of them is told as if it were read alone."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from transload.errors import BlobUnknown, DigestMismatch, SizeMismatch, TransloadError
from transload.events import Event, StepDone, StepMoved
from transload.files import Folder
from transload.files.flushing import flush_all_of
from transload.layout import LayoutStore
from transload.oci import Name
from transload.planning import Item, Request, make_plan
from transload.testing.images import fill, image
from transload.transfer import Outcome, run

IMAGES = [image(f"small{number}", layers=(100,) * 10) for number in range(20)]
NAMES = [Name(f"app{number:02}", "v1") for number in range(len(IMAGES))]
BAD = IMAGES[7].manifest.layers[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = LayoutStore(tmp_path / "source", create=True)
    for name, built in zip(NAMES, IMAGES, strict=True):
        fill(store, built, name.repository, name.tag)
    return store.root


def _mirror(folder: Path, spoil: Any = lambda _path: None) -> tuple[Outcome, list[Event]]:
    sources = {"source": LayoutStore(folder)}
    target = LayoutStore(folder.with_name("target"), create=True)
    plan = make_plan(Request(tuple(Item("source", name, name) for name in NAMES)), sources, target)
    spoil(folder / "blobs" / "sha256" / BAD.digest.encoded)
    events: list[Event] = []
    return run(plan, sources, target, listen=events.append), events


class _Calls:
    """Counts what the program asks of the system while it is patched in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        self.of: Counter[str] = Counter()
        for name in names:
            monkeypatch.setattr(os, name, self._counting(name, getattr(os, name)))

    def _counting(self, name: str, real: Any) -> Any:
        def counted(*words: Any, **more: Any) -> Any:
            self.of[name] += 1
            return real(*words, **more)

        return counted


def test_a_small_blob_costs_few_calls(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {"source": LayoutStore(folder)}
    target = LayoutStore(folder.with_name("target"), create=True)
    with monkeypatch.context() as patch:
        asked = _Calls(patch, "lstat", "stat")
        plan = make_plan(Request(tuple(Item("source", name, name) for name in NAMES)), sources, target)
    blobs = len(list(plan.blob_steps()))
    manifests = len(IMAGES) * 14  # looking whether all is there, reading and writing them
    assert asked.of.total() < 4 * blobs + manifests + 100, "three to find each blob, one where it is missing"
    with monkeypatch.context() as patch:
        done = _Calls(patch, "open", "write", "fsync")
        outcome = run(plan, sources, target)
    assert all(each.error is None for each in outcome.images)
    assert done.of["open"] < 2 * blobs + manifests + 100, "one to read each blob, one to write it"
    assert done.of["write"] < blobs + manifests + 100
    together = flush_all_of(Folder(target.root)) is not None
    assert done.of["fsync"] < (len(IMAGES) if together else blobs + manifests)


def test_each_blob_is_told_as_if_it_were_read_alone(folder: Path) -> None:
    _, events = _mirror(folder)
    done = [event.step for event in events if isinstance(event, StepDone) and event.how == "copied"]
    for step in done:
        told = [event.position for event in events if isinstance(event, StepMoved) and event.step == step]
        assert told[0] == 0
        assert told[-1] > 0


def _change(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _link(path: Path) -> None:
    shutil.move(path, path.parent.parent.parent.parent / "secret")
    path.symlink_to(path.parent.parent.parent.parent / "secret")


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (_change, DigestMismatch),
        (Path.unlink, BlobUnknown),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), SizeMismatch),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), SizeMismatch),
        (_link, TransloadError),
    ],
    ids=["changed", "gone", "too long", "too short", "a link to another file"],
)
def test_one_wrong_blob_fails_its_image_only(folder: Path, spoil: Any, kind: type[TransloadError]) -> None:
    outcome, _ = _mirror(folder, spoil)
    failed = {number: each.error for number, each in enumerate(outcome.images) if each.error is not None}
    assert list(failed) == [7]
    assert isinstance(failed[7], kind)
    assert failed[7].side == "source"
