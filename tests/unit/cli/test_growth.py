"""Four times as many images are four times as much work, and no more: counted in calls, bytes and memory, not in time.

Sizes of everyday use show nothing: what looks through all images for each image is a tenth of the work for a hundred
of them, and all of it for ten thousand. `python -m benchmarks.growth` makes folders of that size.
"""

from __future__ import annotations

import sys
import threading
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

import pytest

from benchmarks.growth import filled
from transload.cli.main import main
from transload.limits import PLAN_BYTES, PLAN_VALUES
from transload.strictjson import values_in

FEW, MANY = 36, 144
TIMES = MANY // FEW
AT_MOST = 1.1 * TIMES  # what is done once makes it less; threads that look for work make it a little more
IMAGE_BYTES = 24 << 10
"""Memory for one more image with ten blobs, all of them to be copied: its manifest alone is counted as 7 KiB."""


class Calls:
    """Counts the calls in all threads; each item of a generator counts as one."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        self.count += event in {"call", "c_call"}


def calls_of(work: Callable[[], object]) -> int:
    calls, before = Calls(), sys.getprofile()
    threading.setprofile(calls)
    sys.setprofile(calls)
    try:
        work()
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
    return calls.count


def written_by(work: Callable[[], object]) -> int:
    before = _written()
    work()
    return _written() - before


def _written() -> int:
    fields = Path("/proc/self/io").read_text().split()
    return int(fields[fields.index("wchar:") + 1])


def peak_of(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same kind of folder with few and with many images, in repositories of six."""
    base = tmp_path_factory.mktemp("growth")
    return filled(base / "few", FEW, FEW // 6), filled(base / "many", MANY, MANY // 6)


def ran(*words: object) -> None:
    assert main([str(word) for word in words]) == 0


def plan(source: Path, target: Path, out: Path) -> Callable[[], None]:
    return lambda: ran("plan", "--from", f"oci:{source}", "--to", f"oci:{target}", "-o", out)


def mirror(source: Path, target: Path, *more: object) -> Callable[[], None]:
    return lambda: ran("mirror", "--from", f"oci:{source}", "--to", f"oci:{target}", *more)


def test_a_plan_grows_with_the_images_and_not_faster(folders: tuple[Path, Path], tmp_path: Path) -> None:
    few, many = (calls_of(plan(folder, tmp_path / folder.name, tmp_path / f"{folder.name}.json")) for folder in folders)
    assert many < AT_MOST * few, f"{few} calls for {FEW} images, {many} for {MANY}"
    sizes = [(tmp_path / name).read_bytes() for name in ("few.json", "many.json")]
    assert len(sizes[1]) < AT_MOST * len(sizes[0])
    images = 10_000
    assert images * len(sizes[1]) // MANY < PLAN_BYTES
    assert images * values_in(sizes[1]) // MANY < PLAN_VALUES
    few, many = (calls_of(partial(ran, "apply", tmp_path / f"{folder.name}.json")) for folder in folders)
    assert many < AT_MOST * few, f"{few} calls for {FEW} images, {many} for {MANY}"


def test_a_mirror_grows_with_the_images_and_not_faster(folders: tuple[Path, Path], tmp_path: Path) -> None:
    for what in ("cold", "unchanged"):
        few, many = (calls_of(mirror(folder, tmp_path / folder.name)) for folder in folders)
        assert many < AT_MOST * few, f"{what}: {few} calls for {FEW} images, {many} for {MANY}"


def test_a_report_grows_with_the_images_and_not_faster(folders: tuple[Path, Path], tmp_path: Path) -> None:
    for kind in ("html", "json"):
        few, many = (
            calls_of(mirror(folder, tmp_path / kind / folder.name, "--report", tmp_path / f"{folder.name}.{kind}"))
            for folder in folders
        )
        assert many < AT_MOST * few, f"{kind}: {few} calls for {FEW} images, {many} for {MANY}"
    few, many = (calls_of(partial(ran, "report", tmp_path / f"{folder.name}.json")) for folder in folders)
    assert many < AT_MOST * few, f"report: {few} calls for {FEW} images, {many} for {MANY}"


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="only Linux counts the bytes that are written")
def test_what_is_written_grows_with_the_images_and_not_faster(folders: tuple[Path, Path], tmp_path: Path) -> None:
    few, many = (written_by(mirror(folder, tmp_path / folder.name)) for folder in folders)
    assert many < AT_MOST * few, f"mirror: {few} bytes for {FEW} images, {many} for {MANY}"
    for folder in folders:
        plan(folder, tmp_path / "applied" / folder.name, tmp_path / f"{folder.name}.json")()
    few, many = (written_by(partial(ran, "apply", tmp_path / f"{folder.name}.json")) for folder in folders)
    assert many < AT_MOST * few, f"apply: {few} bytes for {FEW} images, {many} for {MANY}"


def test_memory_grows_with_the_images_and_not_faster(folders: tuple[Path, Path], tmp_path: Path) -> None:
    mirror(folders[1], tmp_path / "there")()
    for what, target in (("new", "absent"), ("unchanged", "there")):
        few, many = (peak_of(plan(folder, tmp_path / target, tmp_path / "plan.json")) for folder in folders)
        assert (many - few) / (MANY - FEW) < IMAGE_BYTES, f"{what}: {few} bytes for {FEW} images, {many} for {MANY}"
