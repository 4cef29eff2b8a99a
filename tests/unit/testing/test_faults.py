"""The wrapper keeps the contract when its script is empty, and does what the script says when it is not."""

import threading
from collections.abc import Callable

import pytest

from transload.errors import (
    DigestMismatch,
    DiskFull,
    ManifestUnknown,
    ReadOnly,
    TransloadError,
    Truncated,
    Unreachable,
)
from transload.memory import MemoryStore
from transload.oci import Digest, Name
from transload.testing import faults
from transload.testing.contract import APP, OTHER, StoreContract, blob, read
from transload.testing.faults import ALWAYS, Fault, FaultyStore
from transload.testing.images import fill, image, put
from transload.threads import TaskGroup

CONTENT = blob("content", 100_000)
RAW = CONTENT.read()
IMAGE = image("faults", layers=(100,))


class TestWithoutFaults(StoreContract):
    @pytest.fixture
    def store(self) -> FaultyStore:
        return FaultyStore(MemoryStore())


def faulty(*script: Fault) -> FaultyStore:
    inner = MemoryStore()
    put(inner, APP, CONTENT)
    fill(inner, IMAGE, APP, "1")
    return FaultyStore(inner, script)


def test_a_failing_open_comes_right_after_its_times() -> None:
    store = faulty(faults.fails("open", skip=1, times=2))
    assert read(store, APP, CONTENT.descriptor) == RAW
    for _ in range(2):
        with pytest.raises(Unreachable):
            read(store, APP, CONTENT.descriptor)
    assert read(store, APP, CONTENT.descriptor) == RAW
    assert store.calls == {"open": 4}
    assert store.subjects[0] == ("open", CONTENT.descriptor.digest)


def test_a_fault_of_another_subject_does_not_strike() -> None:
    store = faulty(faults.fails("open", subject=Digest.of(b"other"), times=ALWAYS))
    assert read(store, APP, CONTENT.descriptor) == RAW


@pytest.mark.parametrize("after", [0, 1, 65_536, 99_999])
def test_truncation_tells_and_an_early_end_does_not(after: int) -> None:
    store = faulty(faults.truncates(after), faults.ends_early(after))
    got = b""
    with pytest.raises(Truncated), store.open(APP, CONTENT.descriptor) as chunks:  # noqa: PT012 - what came before counts
        for chunk in chunks:
            got += chunk
    assert got == RAW[:after]
    assert read(store, APP, CONTENT.descriptor) == RAW[:after]


@pytest.mark.parametrize("offset", [0, 70_000])
def test_one_byte_is_wrong_wherever_reading_begins(offset: int) -> None:
    store = faulty(faults.corrupts(at=80_000))
    got = read(store, APP, CONTENT.descriptor, offset)
    assert [place for place, byte in enumerate(got) if byte != RAW[offset + place]] == [80_000 - offset]
    assert read(store, APP, CONTENT.descriptor) == RAW


def test_lies_about_descriptors() -> None:
    other = Digest.of(b"other")
    store = faulty(faults.lies_about_size(by=3, times=1), faults.lies_about_digest(other, times=1))
    assert store.resolve(Name(APP, "1")).size == IMAGE.descriptor.size + 3
    assert store.resolve(Name(APP, "1")).digest == other
    assert store.resolve(Name(APP, "1")) == IMAGE.descriptor


def test_a_refused_mount_and_a_forgotten_blob() -> None:
    store = faulty(faults.refuses_mount(), faults.forgets(times=1))
    assert store.mount(CONTENT.descriptor, APP, OTHER) is False
    assert not store.exists(APP, CONTENT.descriptor)
    assert store.exists(APP, CONTENT.descriptor)
    assert not store.exists(OTHER, CONTENT.descriptor)


@pytest.mark.parametrize(
    "write",
    [
        lambda store: put(store, APP, CONTENT),
        lambda store: store.put_manifest(Name(APP, "2"), IMAGE.manifest),
        lambda store: store.mount(CONTENT.descriptor, APP, OTHER),
    ],
    ids=["begin", "put_manifest", "mount"],
)
def test_a_read_only_store_can_be_read(write: Callable[[FaultyStore], None]) -> None:
    store = faulty(*faults.read_only())
    with pytest.raises(ReadOnly):
        write(store)
    assert read(store, APP, CONTENT.descriptor) == RAW
    with pytest.raises(ManifestUnknown):
        store.resolve(Name(APP, "2"))


def test_a_full_disk_keeps_what_fitted() -> None:
    content = blob("full", 9000)
    store = faulty(faults.out_of_space(after=4000, times=1))
    with pytest.raises(DiskFull):
        put(store, APP, content)
    with store.begin(APP, content.descriptor) as ingest:
        assert ingest.offset == 4000
    put(store, APP, content)
    assert read(store, APP, content.descriptor) == content.read()


@pytest.mark.parametrize("on", ["commit", "begin"])
def test_a_retryable_failure_of_writing(on: faults.Operation) -> None:
    content = blob("retry", 9000)
    store = faulty(faults.fails(on, times=2))
    for _ in range(2):
        with pytest.raises(TransloadError) as caught:
            put(store, APP, content)
        assert caught.value.retryable
    put(store, APP, content)
    assert store.exists(APP, content.descriptor)


def test_a_corrupt_source_is_refused_by_an_honest_target() -> None:
    source, target = faulty(faults.corrupts(at=5)), MemoryStore()
    with source.open(APP, CONTENT.descriptor) as chunks, target.begin(APP, CONTENT.descriptor) as ingest:
        ingest.write(chunks)
        with pytest.raises(DigestMismatch):
            ingest.commit()


def test_a_gate_holds_work_until_it_opens() -> None:
    gate, seen = threading.Event(), []
    store = faulty(faults.waits("open", gate))
    with TaskGroup() as group:
        group.start(lambda: seen.append(read(store, APP, CONTENT.descriptor)))
        assert not seen
        gate.set()
    assert seen == [RAW]
