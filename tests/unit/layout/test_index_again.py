"""A large `index.json` is not read again for every name, and no change of another program is overlooked."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.unit.registry.lines import SimulatedClock
from transload.layout import LayoutStore
from transload.layout.indexfile import SETTLED_S
from transload.oci import Name
from transload.testing.images import fill, image


def _change_in_place(index: Path) -> None:
    """Other bytes, with the same size and time."""
    status = index.stat()
    with index.open("r+b") as file:
        content = file.read()
        file.seek(0)
        file.write(content.replace(b"app0", b"appx"))
    os.utime(index, ns=(status.st_atime_ns, status.st_mtime_ns))


def _layout(folder: Path, images: int = 60) -> Path:
    store = LayoutStore(folder, create=True)
    for number in range(images):
        fill(store, image(f"app{number}", layers=(10,)), f"app{number}", "v1")
    return folder


def _settled(folder: Path, clock: SimulatedClock) -> LayoutStore:
    """A store that has seen for long enough that its index does not change."""
    store = LayoutStore(folder, clock=clock)
    for _ in range(3):
        store.resolve(Name("app1", "v1"))
        clock.now_s += SETTLED_S
    return store


def _bytes_read() -> int:
    fields = Path("/proc/thread-self/io").read_text().split()
    return int(fields[fields.index("rchar:") + 1])


@pytest.mark.skipif(not Path("/proc/thread-self/io").exists(), reason="only Linux counts the bytes that are read")
def test_names_do_not_each_read_the_whole_index(tmp_path: Path) -> None:
    folder = _layout(tmp_path / "layout")
    store = _settled(folder, SimulatedClock())
    before = _bytes_read()
    for number in range(60):
        store.resolve(Name(f"app{number}", "v1"))
    assert _bytes_read() - before < (folder / "index.json").stat().st_size


def test_an_index_that_was_just_read_is_read_again(tmp_path: Path) -> None:
    """Two changes within one step of the file system's clock have the same time."""
    folder = _layout(tmp_path / "layout", 2)
    index, store = folder / "index.json", LayoutStore(folder, clock=SimulatedClock())
    assert sorted(store.repositories()) == ["app0", "app1"]
    assert sorted(store.repositories()) == ["app0", "app1"]
    _change_in_place(index)
    assert sorted(store.repositories()) == ["app1", "appx"]


@pytest.mark.skipif(sys.platform == "win32", reason="the bytes are read each time there")
def test_a_change_in_place_with_the_old_time_and_size_is_seen(tmp_path: Path) -> None:
    folder = _layout(tmp_path / "layout", 2)
    index, store = folder / "index.json", _settled(folder, SimulatedClock())
    _change_in_place(index)
    assert sorted(store.repositories()) == ["app1", "appx"]


def test_an_index_that_another_process_replaced_is_seen(tmp_path: Path) -> None:
    folder = _layout(tmp_path / "layout", 2)
    store = _settled(folder, SimulatedClock())
    other = LayoutStore(folder)
    fill(other, image("new", layers=(10,)), "new", "v1")
    assert sorted(store.repositories()) == ["app0", "app1", "new"]


def test_an_own_change_is_seen_at_once(tmp_path: Path) -> None:
    store = _settled(_layout(tmp_path / "layout", 2), SimulatedClock())
    fill(store, image("new", layers=(10,)), "new", "v1")
    assert sorted(store.repositories()) == ["app0", "app1", "new"]
