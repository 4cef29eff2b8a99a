"""Several targets: each blob is read once from the source, and no target waits for another or spoils it."""

from __future__ import annotations

import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.planning.scene import SOURCE, item
from transload.errors import LocalError, NotFound, ReadOnly
from transload.events import Event, ImageDone, StepDone, ignore
from transload.limits import SPOOLED_BLOBS, SPOOLED_BYTES
from transload.memory import MemoryStore
from transload.oci import Descriptor, Digest, Name
from transload.planning import BlobStep, Plan, Request, make_plan
from transload.ports import Chunk, RequestCosts
from transload.testing import faults
from transload.testing.images import fill
from transload.testing.releases import SeededRelease, release
from transload.threads import TaskGroup
from transload.transfer import Outcome, run
from transload.transfer.sharing import SharedReading, SpoolRoom
from transload.transfer.spooled import SpooledBlob

MUCH = 1 << 30


class Several:
    """A source far away with a release, and targets that are copied to at the same time."""

    def __init__(self, folder: Path, targets: int, *, images: int = 6, size: int = 600_000) -> None:
        self.made: SeededRelease = release(images=images, size=size)
        self.store = MemoryStore(SOURCE)
        for name, built in self.made.images.items():
            fill(self.store, built, name, "1")
        self.far(())
        self.targets = [faults.FaultyStore(MemoryStore(f"memory:{number}")) for number in range(targets)]
        self.room = SpoolRoom(folder=folder, bytes=MUCH, blobs=100)
        self.outcomes: list[Outcome | None] = [None] * targets
        self.after: list[threading.Event] = [threading.Event() for _ in range(targets)]
        self.listeners: list[Callable[[Any], None]] = [ignore] * targets

    def far(self, script: Iterable[faults.Fault]) -> None:
        self.source = faults.FaultyStore(self.store, script)
        self.source.request_costs = RequestCosts()

    def script(self, number: int, *script: faults.Fault) -> None:
        self.targets[number] = faults.FaultyStore(self.targets[number].store, script)

    def plan(self, number: int) -> Plan:
        wanted = tuple(item(f"{name}:1") for name in self.made.images)
        return make_plan(Request(wanted), {SOURCE: self.source}, self.targets[number], threads=4)

    def run(self, **more: object) -> SharedReading:
        plans = [self.plan(number) for number in range(len(self.targets))]
        self.source.subjects.clear()
        with SharedReading(len(self.targets), self.room) as shared, TaskGroup() as group:
            for number, plan in enumerate(plans):
                shared.expect(number, plan)
            for number, plan in enumerate(plans):
                group.start(self._copy, shared, number, plan)
        assert not shared._kept
        assert shared._used == 0
        return shared

    def _copy(self, shared: SharedReading, number: int, plan: Plan) -> None:
        settle, listen = shared.listening(number, plan), self.listeners[number]

        def tell(event: Event) -> None:
            settle(event)
            listen(event)

        try:
            self.outcomes[number] = run(
                plan, {SOURCE: shared.seen_by(number, self.source)}, self.targets[number], listen=tell, bodies=4
            )
        finally:
            shared.leave(number)
            self.after[number].set()

    @property
    def opened(self) -> Counter[str]:
        return Counter(subject for on, subject in self.source.subjects if on == "open")

    @property
    def once(self) -> dict[str, int]:
        return dict.fromkeys((content.descriptor.digest for content in self.made.contents()), 1)

    def is_whole(self, number: int) -> bool:
        outcome = self.outcomes[number]
        if outcome is None or not all(image.done and image.error is None for image in outcome.images):
            return False
        for name, built in self.made.images.items():
            assert self.targets[number].store.fetch(Name(name, "1")).raw == built.manifest.raw
            for descriptor, raw in built.walk_blobs():
                with self.targets[number].store.open(name, descriptor) as chunks:
                    assert b"".join(chunks) == raw
        return True


@pytest.mark.parametrize("targets", [2, 3, 5])
def test_each_blob_is_read_once_for_all_targets(tmp_path: Path, targets: int) -> None:
    scene = Several(tmp_path, targets)
    shared = scene.run()
    assert all(map(scene.is_whole, range(targets)))
    assert scene.opened == scene.once
    assert shared.read_again.blobs == 0
    assert not list(tmp_path.iterdir())


def test_what_a_target_has_already_is_not_kept_for_it(tmp_path: Path) -> None:
    scene = Several(tmp_path, 2)
    for name, built in scene.made.images.items():
        fill(scene.targets[1].store, built, name, "1")
    shared = scene.run()
    assert scene.is_whole(0)
    assert scene.is_whole(1)
    assert scene.opened == scene.once
    assert shared.peak_bytes == 0


def test_a_slow_target_holds_nobody_up(tmp_path: Path) -> None:
    """Every write to the second target waits until the first one is complete: then it is served from the files."""
    scene = Several(tmp_path, 2)
    scene.script(1, *(faults.waits("write", scene.after[0]) for _ in range(200)))
    scene.run()
    assert scene.is_whole(0)
    assert scene.is_whole(1)
    assert scene.opened == scene.once


def test_a_target_that_stops_in_the_middle_of_a_blob_holds_nobody_up(tmp_path: Path) -> None:
    """It has opened the source and taken a piece: the other one goes on reading where it stopped."""
    scene = Several(tmp_path, 2, images=1, size=900_000)
    slow = _StopsInTheMiddle(scene.targets[0].store, scene.after[1])
    scene.targets[0] = slow
    scene.script(1, faults.waits("begin", slow.stopped, times=1))
    scene.run()
    assert scene.is_whole(0)
    assert scene.is_whole(1)
    assert scene.opened == scene.once


class _StopsInTheMiddle(faults.FaultyStore):
    """The first large blob stops after its first chunk, until `gate`."""

    def __init__(self, store: object, gate: threading.Event) -> None:
        super().__init__(store)  # type: ignore[arg-type]
        self.stopped = threading.Event()
        self._gate = gate

    @contextmanager
    def begin(self, repository: str, descriptor: Descriptor) -> Iterator[faults.FaultyIngest]:
        with super().begin(repository, descriptor) as ingest:
            yield _Stopping(self, ingest, descriptor.digest)

    def stop(self) -> None:
        self.stopped.set()
        self._gate.wait()


class _Stopping(faults.FaultyIngest):
    def write(self, chunks: Iterable[Chunk]) -> None:
        assert isinstance(self._store, _StopsInTheMiddle)
        super().write(self._stopping(chunks, self._store))

    @staticmethod
    def _stopping(chunks: Iterable[Chunk], store: _StopsInTheMiddle) -> Iterator[Chunk]:
        for chunk in chunks:
            yield chunk
            store.stop()


@pytest.mark.parametrize("after", [0, 1000])
def test_a_target_that_dies_spoils_no_other(tmp_path: Path, after: int) -> None:
    scene = Several(tmp_path, 3)
    scene.script(1, faults.out_of_space(after))
    scene.run()
    assert scene.is_whole(0)
    assert scene.is_whole(2)
    assert not scene.is_whole(1)
    assert scene.opened == scene.once


def test_a_target_that_refuses_everything_spoils_no_other(tmp_path: Path) -> None:
    scene = Several(tmp_path, 2)
    scene.script(0, *faults.read_only())
    scene.run()
    assert scene.is_whole(1)
    outcome = scene.outcomes[0]
    assert outcome is not None
    assert all(isinstance(image.error, ReadOnly) for image in outcome.images)
    assert scene.opened == scene.once


def test_a_target_that_fails_for_a_moment_reads_on_in_the_file(tmp_path: Path) -> None:
    scene = Several(tmp_path, 2, images=2)
    scene.script(0, faults.fails("write", after=1000), faults.fails("commit"))
    scene.run()
    assert scene.is_whole(0)
    assert scene.is_whole(1)
    assert scene.opened == scene.once


def test_a_source_that_breaks_off_is_asked_for_the_rest(tmp_path: Path) -> None:
    scene = Several(tmp_path, 2, images=1)
    scene.far([faults.truncates(5000)])
    scene.run()
    assert scene.is_whole(0)
    assert scene.is_whole(1)
    assert sum(scene.opened.values()) == len(scene.once) + 1


def test_a_damaged_blob_is_read_again_and_the_damage_is_not_passed_on_twice(tmp_path: Path) -> None:
    scene = Several(tmp_path, 2, images=1)
    scene.far([faults.corrupts(10)])
    scene.run()
    assert scene.is_whole(0)
    assert scene.is_whole(1)
    assert sum(scene.opened.values()) == len(scene.once) + 1


def test_a_blob_that_the_source_lacks_is_lacking_for_each_target(tmp_path: Path) -> None:
    scene = Several(tmp_path, 2, images=1)
    scene.store.delete_blob(next(iter(scene.made.images)), next(scene.plan(0).blob_steps()).descriptor.digest)
    scene.run()
    for outcome in scene.outcomes:
        assert outcome is not None
        assert isinstance(outcome.images[0].error, NotFound)


@pytest.mark.parametrize("room", [{"bytes": 0, "blobs": 100}, {"bytes": MUCH, "blobs": 0}])
def test_without_room_each_target_reads_for_itself_which_is_counted(tmp_path: Path, room: dict[str, int]) -> None:
    scene = Several(tmp_path, 2)
    scene.room = SpoolRoom(folder=tmp_path, **room)
    shared = scene.run()
    assert scene.is_whole(0)
    assert scene.is_whole(1)
    assert scene.opened == dict.fromkeys(scene.once, 2)
    assert shared.read_again.blobs == len(scene.once)
    assert shared.read_again.bytes == scene.made.size


def test_a_little_room_is_used_again_and_never_exceeded(tmp_path: Path) -> None:
    scene = Several(tmp_path, 2, images=8, size=900_000)
    scene.room = SpoolRoom(folder=tmp_path, bytes=250_000, blobs=3)
    scene.script(1, *(faults.waits("write", scene.after[0]) for _ in range(5)))
    shared = scene.run()
    assert scene.is_whole(0)
    assert scene.is_whole(1)
    assert 0 < shared.peak_bytes <= 250_000
    assert shared.read_again.blobs == sum(scene.opened.values()) - len(scene.once)


def test_a_file_that_takes_no_more_costs_a_reading_and_no_target(tmp_path: Path) -> None:
    """As on a full disk: here by the limit of the process on the size of files (EFBIG)."""
    resource = pytest.importorskip("resource", reason="a limit of POSIX")
    scene = Several(tmp_path, 2, images=3)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        shared = scene.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert scene.is_whole(0)
    assert scene.is_whole(1)
    assert shared.read_again.blobs > 0


def test_a_folder_that_cannot_be_written_to_costs_a_reading_and_no_target(tmp_path: Path) -> None:
    scene = Several(tmp_path, 2, images=2)
    scene.room = SpoolRoom(folder=tmp_path / "absent", bytes=MUCH, blobs=10)
    scene.run()
    assert scene.is_whole(0)
    assert scene.is_whole(1)


def test_a_target_that_has_a_part_gets_the_rest_of_the_file(tmp_path: Path) -> None:
    """Both go on from different positions: the one that lacks more reads what the other one does not."""
    scene = Several(tmp_path, 2, images=1)
    shared = SharedReading(3, scene.room)
    name, built = next(iter(scene.made.images.items()))
    descriptor, raw = max(built.walk_blobs(), key=lambda pair: pair[0].size)
    views = [shared.seen_by(number, scene.source) for number in range(3)]
    with views[0].open(name, descriptor, 1000) as chunks:
        assert b"".join(map(bytes, chunks)) == raw[1000:]
    with views[1].open(name, descriptor, 5000) as chunks:
        assert b"".join(map(bytes, chunks)) == raw[5000:]
    assert scene.opened[descriptor.digest] == 1
    with views[2].open(name, descriptor, 10) as chunks:
        assert b"".join(map(bytes, chunks)) == raw[10:]
    assert scene.opened[descriptor.digest] == 2, "only what lies before the file"
    assert shared.read_again.blobs == 0
    for number in range(3):
        shared.leave(number)


class _Endless:
    """Opens blobs of any size, which take no memory."""

    def __init__(self) -> None:
        self.opened = 0

    @contextmanager
    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[Chunk]]:
        assert repository
        assert length is None
        self.opened += 1
        piece = memoryview(bytes(1 << 20))
        yield (piece for _ in range(offset, descriptor.size, len(piece)))


def test_memory_does_not_grow_with_the_blobs(tmp_path: Path) -> None:
    """One target takes all of 100 MiB before the other begins."""
    descriptor = Descriptor("application/octet-stream", Digest.of(b""), 100 << 20)
    endless, shared = _Endless(), SharedReading(2, SpoolRoom(folder=tmp_path, bytes=MUCH, blobs=2))
    tracemalloc.start()
    for number in (0, 1):
        with shared.opened_by(number, endless).open("a", descriptor) as chunks:
            assert sum(map(len, chunks)) == descriptor.size
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert endless.opened == 1
    assert peak < 4 << 20
    shared.leave(0)
    shared.leave(1)


def test_the_room_is_what_the_folder_has(tmp_path: Path) -> None:
    assert SpoolRoom.within(tmp_path, 1000, 100) == SpoolRoom(folder=tmp_path, bytes=500, blobs=25)
    assert SpoolRoom.within(tmp_path, 1 << 60, None) == SpoolRoom(
        folder=tmp_path, bytes=SPOOLED_BYTES, blobs=SPOOLED_BLOBS
    )
    assert SpoolRoom.of(tmp_path / "new").bytes > 0
    assert (tmp_path / "new").is_dir()
    (tmp_path / "file").touch()
    assert SpoolRoom.of(tmp_path / "file" / "in").bytes == 0


def test_no_file_where_there_is_no_folder(tmp_path: Path) -> None:
    descriptor = next(iter(release(images=1, size=1000).images.values())).manifest.blobs[0]
    with pytest.raises(LocalError):
        SpooledBlob(descriptor, 0, tmp_path / "absent")


def test_images_end_at_the_pace_of_their_own_target(tmp_path: Path) -> None:
    """The slow target has not one image when the fast one has all."""
    scene = Several(tmp_path, 2)
    ended: list[tuple[int, int]] = []

    def noting(number: int) -> Callable[[object], None]:
        def listen(event: object) -> None:
            if isinstance(event, ImageDone):
                ended.append((number, event.image))

        return listen

    scene.listeners = [noting(0), noting(1)]
    scene.script(1, *(faults.waits("write", scene.after[0]) for _ in range(200)))
    scene.run()
    assert [number for number, _ in ended] == [0] * 6 + [1] * 6


@pytest.mark.parametrize("silent", [False, True], ids=["slow", "without a plan"])
def test_without_more_room_what_only_slow_targets_need_gives_way(tmp_path: Path, silent: bool) -> None:
    """Two targets go on together while two others take nothing: the two read each blob once, with room for a few."""
    scene = Several(tmp_path, 4)
    plans = [scene.plan(number) for number in range(4)]
    scene.source.subjects.clear()
    steps = [step for step in plans[0].blob_steps() if step.origin is None]
    largest = max(step.descriptor.size for step in steps)
    scene.room = SpoolRoom(folder=tmp_path, bytes=2 * largest, blobs=3)
    with SharedReading(4, scene.room) as shared:
        for number in range(2 if silent else 4):
            shared.expect(number, plans[number])
        listening = [shared.listening(number, plans[number]) for number in range(4)]

        def bring(number: int, step: BlobStep) -> None:
            source = shared.seen_by(number, scene.source)
            with source.open(step.source_repository, step.descriptor) as chunks:
                assert sum(map(len, chunks)) == step.descriptor.size
            listening[number](StepDone(step.id, "copied", step.descriptor.size, 0.0))

        for step in steps:
            bring(0, step)
            bring(1, step)
        assert scene.opened == scene.once
        for step in steps:
            bring(2, step)
        assert max(scene.opened.values()) == 2
        assert shared.peak_bytes <= scene.room.bytes
