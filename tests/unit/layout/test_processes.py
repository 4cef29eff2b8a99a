"""Several processes at once, and processes killed at any moment: the layout is right, and work goes on."""

import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from transload.clock import SystemClock
from transload.errors import Busy
from transload.layout import LayoutStore
from transload.oci import Name
from transload.testing.contract import APP, blob, read
from transload.testing.images import fill, image, put

WRITER = Path(__file__).with_name("writer.py")
HALF = blob("half", 3_000_000)


@contextmanager
def writer(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A writing process; killed when the block is left, if it has not ended."""
    command = [sys.executable, str(WRITER), *map(str, arguments)]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def check(folder: Path) -> dict[str, str]:
    """What any other tool relies on, checked without our own code; gives the names of `index.json`."""
    assert json.loads((folder / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    for path in (folder / "blobs").glob("*/*"):
        assert hashlib.new(path.parent.name, path.read_bytes()).hexdigest() == path.name
    names = {}
    for entry in json.loads((folder / "index.json").read_bytes())["manifests"]:
        raw = _blob(folder, entry)
        manifest = json.loads(raw)
        for child in (manifest["config"], *manifest["layers"]):
            _blob(folder, child)
        name = entry.get("annotations", {}).get("org.opencontainers.image.ref.name")
        assert name not in names
        if name:
            names[name] = entry["digest"]
    return names


def _blob(folder: Path, descriptor: dict[str, object]) -> bytes:
    raw = (folder / "blobs" / str(descriptor["digest"]).replace(":", "/")).read_bytes()
    assert len(raw) == descriptor["size"]
    return raw


def test_killed_at_any_moment(tmp_path: Path) -> None:
    moments = random.Random(7)
    for turn in range(10):
        with writer("loop", tmp_path, f"turn{turn}") as process:
            reached = [line(process) for _ in range(moments.randrange(1, 6))]
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(moments.random() / 20)
        names = check(tmp_path)
        assert set(names) <= {f"{APP}:t{tag}" for tag in range(5)}
        assert len(names) >= min(5, int(reached[-1]) + 1)
    store = LayoutStore(tmp_path)
    built = image("afterwards")
    fill(store, built, APP, "afterwards")
    assert store.fetch(Name(APP, "afterwards")).raw == built.manifest.raw
    assert f"{APP}:afterwards" in check(tmp_path)
    assert not list(tmp_path.glob(".index.json.*"))


def test_killed_while_a_layout_is_made(tmp_path: Path) -> None:
    """Whatever the order in which files came, what is there is either completed or not yet a layout."""
    made = LayoutStore(tmp_path / "whole", create=True)
    for missing in (["oci-layout"], ["oci-layout", "index.json"], ["index.json"]):
        for name in missing:
            (made.root / name).unlink()
        (made.root / ".index.json.1.ab").touch()
        (made.root / ".oci-layout.1.ab").touch()
        put(LayoutStore(made.root, create=True), APP, HALF)
        assert check(made.root) == {}


def test_half_a_blob_is_taken_up_by_the_next_process(tmp_path: Path) -> None:
    with writer("half", tmp_path) as process:
        assert line(process) == "half"
    store = LayoutStore(tmp_path)
    with store.begin(APP, HALF.descriptor) as ingest:
        assert ingest.offset == 2_000_000
    put(store, APP, HALF)
    assert read(store, APP, HALF.descriptor) == HALF.read()
    assert not list((tmp_path / ".transload" / "ingest").iterdir())


def test_a_blob_that_another_process_is_writing_is_not_waited_for(tmp_path: Path) -> None:
    with writer("half", tmp_path) as process:
        assert line(process) == "half"
        store = LayoutStore(tmp_path)
        put(store, APP, HALF)
        assert read(store, APP, HALF.descriptor) == HALF.read()
        assert process.poll() is None
    check(tmp_path)


def test_processes_write_at_once(tmp_path: Path) -> None:
    with writer("count", tmp_path, "a", 12) as one, writer("count", tmp_path, "b", 12) as two:
        assert (one.wait(60), two.wait(60)) == (0, 0)
    assert set(check(tmp_path)) == {f"{APP}:{seed}{number}" for seed in "ab" for number in range(12)}


def test_threads_of_two_processes_want_the_same_blobs(tmp_path: Path) -> None:
    """Lock files come and go here all the time: whoever locks one that was just deleted must notice."""
    with writer("same", tmp_path) as one, writer("same", tmp_path) as two:
        assert (one.wait(60), two.wait(60)) == (0, 0)
    check(tmp_path)
    assert len(list((tmp_path / "blobs").glob("*/*"))) == 2


class CountedClock(SystemClock):
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s

    def sleep_s(self, seconds: float, wake: object = None) -> None:
        self.now_s += seconds


def test_an_index_that_stays_locked_is_busy(tmp_path: Path) -> None:
    clock, built = CountedClock(), image("busy", layers=(10,))
    store = LayoutStore(tmp_path, create=True, clock=clock)
    with writer("lock", tmp_path) as process:
        assert line(process) == "locked"
        with pytest.raises(Busy) as caught:
            fill(store, built, APP, "1")
        assert 30 <= clock.now_s < 31
        assert caught.value.hint
    fill(store, built, APP, "1")
    assert check(tmp_path) == {f"{APP}:1": built.digest}
