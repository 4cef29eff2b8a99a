"""Which bodies move, between real servers: never more than allowed, more where it helps, and nothing waits for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.planning.scene import Scene
from transload.errors import TooManyRequests
from transload.events import Event, ImageDone, StepStarted
from transload.memory import MemoryStore
from transload.net.http import Http
from transload.oci import Descriptor, Name
from transload.planning import Item, Request, make_plan
from transload.ports import Chunk
from transload.registry.store import RegistryStore
from transload.server import ServeSettings, serve
from transload.testing import faults
from transload.testing.faults import FaultyStore
from transload.testing.images import fill, image
from transload.transfer import Outcome, run
from transload.transfer.agenda import LIGHT_BYTES

HEAVY = LIGHT_BYTES + 1
Passing = Callable[[int, Iterator[Chunk]], Iterator[Chunk]]


class Doors(MemoryStore):
    """Counts the large blobs that are read at a time; `through` gets that number and the bytes, and may hold them.

    More than it `bears` are refused (429), and `refusing` is set.
    """

    def __init__(self, through: Passing, *, bears: int | None = None, refusing: threading.Event | None = None) -> None:
        super().__init__("memory:doors")
        self.through, self.bears, self.refusing = through, bears, refusing
        self.most = self.reads = self.under_way = 0
        self._counting = threading.Lock()

    @contextmanager
    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[Chunk]]:
        if descriptor.size <= LIGHT_BYTES or descriptor.is_manifest:
            with super().open(repository, descriptor, offset, length) as chunks:
                yield chunks
            return
        with self._counting:
            self.reads += 1
            self.under_way += 1
            self.most, number = max(self.most, self.under_way), self.under_way
        try:
            if self.bears is not None and number > self.bears and self.refusing:
                self.refusing.set()
                raise TooManyRequests("not so many at a time")
            with super().open(repository, descriptor, offset, length) as chunks:
                yield self.through(number, chunks)
        finally:
            with self._counting:
                self.under_way -= 1


@contextmanager
def served(
    source: MemoryStore, target: MemoryStore | FaultyStore, folder: Path
) -> Iterator[tuple[RegistryStore, RegistryStore]]:
    """Both stores as registries, reached over real sockets."""
    settings = ServeSettings(writable=True, spool_folder=folder)
    with serve(source) as there, serve(target, settings) as here, Http() as http:
        yield (
            RegistryStore(there.host_port, http, side="source"),
            RegistryStore(here.host_port, http, side="target"),
        )


def copied(source: RegistryStore, target: RegistryStore, names: list[str], **more: object) -> Outcome:
    items = tuple(Item(source.locator, Name.parse(name), Name.parse(name)) for name in names)
    plan = make_plan(Request(items), {source.locator: source}, target, threads=2)
    return run(plan, {source.locator: source}, target, **more)  # type: ignore[arg-type] # what each test varies


def published(store: MemoryStore, count: int, size: int = HEAVY) -> list[str]:
    names = [f"app{number}" for number in range(count)]
    for name in names:
        fill(store, image(name, (size,)), name, "1")
    return [f"{name}:1" for name in names]


def is_well(outcome: Outcome) -> bool:
    return all(ended.done and ended.error is None for ended in outcome.images)


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_never_more_bodies_move_than_the_user_allows(jobs: int, tmp_path: Path) -> None:
    full = threading.Barrier(jobs)

    def through(_: int, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        full.wait(60)  # so many do move at a time
        yield from chunks

    doors = Doors(through)
    names = published(doors, 4 * jobs)
    with served(doors, MemoryStore(), tmp_path) as (source, target):
        assert is_well(copied(source, target, names, bodies=jobs))
    assert doors.reads == 4 * jobs
    assert doors.most == jobs


def test_more_move_where_each_connection_is_slow(tmp_path: Path) -> None:
    def through(_: int, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        for chunk in chunks:
            view = memoryview(chunk)
            for start in range(0, len(view), 32 << 10):
                time.sleep(0.02)  # this server's connections carry 1.6 MB/s each, however many there are
                yield view[start : start + (32 << 10)]

    doors = Doors(through)
    names = published(doors, 40, 1 << 20)
    with served(doors, MemoryStore(), tmp_path) as (source, target):
        assert is_well(copied(source, target, names))
        known = source.capabilities.at_a_time("reads")
    assert known is not None
    assert known > 8
    assert 8 < doors.most <= 14


def test_a_registry_that_refuses_so_many_gets_fewer(tmp_path: Path) -> None:
    full, stores, known = threading.Event(), list[RegistryStore](), list[int | None]()

    def through(_: int, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        full.wait(60)  # until one was refused
        known.append(stores[0].capabilities.at_a_time("reads"))  # later it may try more again
        yield from chunks

    doors = Doors(through, bears=3, refusing=full)
    names = published(doors, 12)
    with served(doors, MemoryStore(), tmp_path) as (source, target):
        stores.append(source)
        assert is_well(copied(source, target, names))
    assert min(number for number in known if number is not None) < 8


def test_small_requests_do_not_wait_behind_bodies(tmp_path: Path) -> None:
    gate = threading.Event()

    def through(_: int, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        gate.wait(60)
        yield from chunks

    doors, here = Doors(through), MemoryStore()
    names = published(doors, 20)
    small = image("small", (100,))
    fill(doors, small, "small", "1")
    fill(here, image("known", (200,)), "known", "1")
    fill(doors, image("known", (200,)), "known", "2")
    done = set[int]()

    def listen(event: Event) -> None:
        if isinstance(event, ImageDone):
            done.add(event.image)
        if {20, 21} <= done:
            gate.set()  # all bodies stand still until the small image and the new name of a known one are there

    with served(doors, here, tmp_path) as (source, target):
        assert is_well(copied(source, target, [*names, "small:1", "known:2"], listen=listen))
    assert gate.is_set()


def test_the_last_request_of_an_upload_overlaps_with_the_next_body(tmp_path: Path) -> None:
    gate = threading.Event()
    begun = list[int]()

    def through(_: int, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        begun.append(1)
        if len(begun) == 2:
            gate.set()  # the first upload is closed only when the second body has begun
        yield from chunks

    doors = Doors(through)
    names = published(doors, 2, 3 << 20)
    here = FaultyStore(MemoryStore(), [faults.waits("commit", gate)])
    with served(doors, here, tmp_path) as (source, target):
        assert is_well(copied(source, target, names, bodies=1))
    assert doors.most == 1


def test_the_flush_of_a_file_overlaps_with_the_next_body() -> None:
    gate, scene, begun = threading.Event(), Scene(), set[str]()
    layers = [scene.publish(image(name, (HEAVY,)), f"{name}:1").manifest.blobs[-1].digest for name in ("a", "b")]
    plan = scene.plan("a:1", "b:1")
    scene.script(*(faults.waits("commit", gate, subject=layer) for layer in layers), at="target")

    def listen(event: Event) -> None:
        if isinstance(event, StepStarted) and event.subject in layers:
            begun.add(event.subject)
            if len(begun) == 2:
                gate.set()

    assert is_well(scene.run(plan, bodies=1, listen=listen))
    assert gate.is_set()


def test_a_source_of_which_few_can_be_read_at_a_time_does_not_hold_up_another(tmp_path: Path) -> None:
    gate = threading.Event()

    def held(_: int, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        gate.wait(60)
        yield from chunks

    slow, swift = Doors(held), Doors(lambda _, chunks: chunks)
    names = published(slow, 20)
    fill(swift, image("other", (HEAVY,)), "other", "1")

    def listen(event: Event) -> None:
        if event == ImageDone(20, None):
            gate.set()  # the bodies of the slow source stand still until the image of the other one is there

    with serve(swift) as elsewhere, served(slow, MemoryStore(), tmp_path) as (source, target), Http() as http:
        other = RegistryStore(elsewhere.host_port, http)
        sources = {source.locator: source, other.locator: other}
        items = [Item(source.locator, Name.parse(name), Name.parse(name)) for name in names]
        items.append(Item(other.locator, Name.parse("other:1"), Name.parse("other:1")))
        plan = make_plan(Request(tuple(items)), sources, target, threads=2)
        assert is_well(run(plan, sources, target, listen=listen))
    assert gate.is_set()
