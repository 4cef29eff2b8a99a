"""The engine packs and unpacks: what was published arrives, by the ports alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.unit.bundle.packing import blobs_of, contents_of, joined, named, pack
from transload.bundle import BundleStore, BundleWriter, lay_out
from transload.events import Event, StepDone
from transload.memory import MemoryStore
from transload.oci import Descriptor, Digest
from transload.planning.planner import make_plan
from transload.planning.request import Item, Request
from transload.ports import Chunk, Source, Target
from transload.testing.images import fill
from transload.testing.releases import release
from transload.transfer import run

MADE = named(release(images=6, size=600_000))


def carry(source: Source, target: Target, planned_for: Target | None = None) -> list[Event]:
    items = tuple(Item(source_store=source.locator, source=name, target=name) for name in sorted(MADE))
    plan = make_plan(Request(items=items), {source.locator: source}, planned_for or target)
    events: list[Event] = []
    outcome = run(plan, {source.locator: source}, target, listen=events.append)
    assert [image.error for image in outcome.images] == [None] * len(MADE)
    return events


class Counted(MemoryStore):
    """Remembers which blobs were opened."""

    def __init__(self) -> None:
        super().__init__("memory:published")
        self.opened: list[Digest] = []

    @contextmanager
    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[Chunk]]:
        self.opened.append(descriptor.digest)
        with super().open(repository, descriptor, offset, length) as chunks:
            yield chunks


def published() -> Counted:
    store = Counted()
    for name, built in MADE.items():
        fill(store, built, name.repository, name.tag)
    return store


def test_a_release_goes_through_a_bundle(tmp_path: Path) -> None:
    source, target = published(), MemoryStore()
    with BundleWriter(tmp_path / "b", lay_out(contents_of(MADE), 100_000)) as writer:
        writer.check_space()
        carry(source, writer)
        files = writer.finish()
    assert joined(files) == joined(pack(tmp_path / "again", MADE, 100_000)[1])
    carry(BundleStore(tmp_path / "b"), target)
    for name, built in MADE.items():
        assert target.fetch(name).raw == built.manifest.raw


def test_a_second_run_of_the_same_plan_reads_nothing_at_the_source(tmp_path: Path) -> None:
    blueprint = lay_out(contents_of(MADE), None)
    source = published()
    with BundleWriter(tmp_path / "b", blueprint) as writer:
        carry(source, writer, Pool())
    assert len(source.opened) == len(blobs_of(MADE))
    source.opened.clear()
    with BundleWriter(tmp_path / "b", blueprint) as writer:
        events = carry(source, writer, Pool())
        writer.finish()
    assert [each for each in events if isinstance(each, StepDone)]
    assert source.opened == []
    assert all(each.error is None for each in BundleStore(tmp_path / "b").check())


class Pool(MemoryStore):
    """A target that holds nothing, as a plan for packing is made against."""

    blobs_per_repository = False
