"""What follows behind the writers: sums that count only what is proved, and flushing whose failures are not lost."""

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.bundle.packing import blobs_of, contents_of, named, send
from transload.bundle import BundleStore, BundleWriter, lay_out
from transload.bundle.format.volumes import Cut
from transload.bundle.writing import ingest
from transload.bundle.writing.frontier import Flusher
from transload.bundle.writing.journal import PackJournal
from transload.bundle.writing.sums import Sums
from transload.errors import DigestMismatch, DiskFull, Truncated
from transload.oci import Digest
from transload.ports import Ingest
from transload.testing.images import put
from transload.testing.releases import release

MADE = named(release(images=4, size=400_000))
FIRST = max(blobs_of(MADE).values(), key=lambda each: (each.descriptor.size, each.descriptor.digest))


def are_right(sums: Path) -> bool:
    lines = [line.split() for line in sums.read_text().splitlines()]
    return all(hashlib.sha256((sums.parent / name).read_bytes()).hexdigest() == value for value, name in lines)


def _commit(taken: Ingest, raw: bytes) -> None:
    taken.write([raw[start : start + 500] for start in range(0, len(raw), 500)])
    taken.commit()


@pytest.mark.parametrize("volume_bytes", [None, 10_000, 60_000])
def test_sums_that_followed_wrong_bytes_are_computed_anew(
    tmp_path: Path, volume_bytes: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "NOTE_BYTES", 1000)
    monkeypatch.setattr("transload.bundle.writing.sums._READ_BYTES", 700)
    wrong = bytes(FIRST.descriptor.size)
    with BundleWriter(tmp_path / "b", lay_out(contents_of(MADE), volume_bytes)) as writer:
        for _ in range(3):
            with writer.begin("", FIRST.descriptor) as taken, pytest.raises(DigestMismatch):
                _commit(taken, wrong)
        send(writer, MADE)
        *_, sums = writer.finish()
    assert are_right(sums)
    assert all(each.error is None for each in BundleStore(tmp_path / "b").check())


class Volumes:
    """Two volumes of 1000 bytes, their sums followed in pieces of one byte."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("transload.bundle.writing.sums._READ_BYTES", 1)
        self.folder = folder
        self.content = bytes(range(250)) * 8
        for volume in (1, 2):
            self.path(volume).write_bytes(self.content[1000 * (volume - 1) : 1000 * volume])
        self.progress = PackJournal(folder / "journal", Digest.of(b"ledger"))
        self.sums = Sums(Cut(2000, 1000), self.path, self.progress)
        self.wanted = {n: hashlib.sha256(self.content[1000 * (n - 1) : 1000 * n]).hexdigest() for n in (1, 2)}

    def path(self, volume: int) -> Path:
        return self.folder / str(volume)


@pytest.fixture
def volumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Volumes]:
    made = Volumes(tmp_path, monkeypatch)
    yield made
    made.sums.stop()
    made.progress.close()


def test_a_sum_counts_only_when_its_volume_is_settled(volumes: Volumes) -> None:
    volumes.path(1).write_bytes(volumes.content[:100] + bytes(900))
    volumes.sums.start()
    volumes.sums.advance(100, 1500)
    while not volumes.sums._unsettled:  # the thread has hashed the wrong bytes
        with volumes.sums._changed:
            volumes.sums._changed.wait(0.1)
    assert volumes.progress.sums == {}
    volumes.sums.retract(100)
    with volumes.path(1).open("r+b") as file:
        file.write(volumes.content[:1000])
    volumes.sums.advance(1200, 1200)
    volumes.sums.advance(2000, 2000)
    assert volumes.sums.result() == volumes.wanted


def test_going_back_behind_the_frontier_changes_nothing(volumes: Volumes) -> None:
    volumes.sums.start()
    volumes.sums.advance(1000, 1000)
    volumes.sums.retract(1500)
    volumes.sums.advance(2000, 2000)
    assert volumes.sums.result() == volumes.wanted


def test_sums_of_an_earlier_run_are_not_computed_again(volumes: Volumes) -> None:
    volumes.progress.note_sum(1, "ab" * 32)
    volumes.path(1).unlink()
    volumes.sums.start()
    volumes.sums.advance(2000, 2000)
    assert volumes.sums.result() == {1: "ab" * 32, 2: volumes.wanted[2]}


def test_a_volume_that_becomes_shorter_is_told(volumes: Volumes) -> None:
    volumes.path(2).write_bytes(b"short")
    volumes.sums.start()
    volumes.sums.advance(2000, 2000)
    with pytest.raises(Truncated):
        volumes.sums.result()


def test_stopping_does_not_wait_for_what_never_comes(volumes: Volumes) -> None:
    volumes.sums.start()
    volumes.sums.advance(0, 500)
    volumes.sums.stop()
    assert volumes.progress.sums == {}


# --- flushing


def test_flushing_begins_when_enough_was_written() -> None:
    flushed = threading.Event()
    flusher = Flusher(flushed.set, 100)
    flusher.start()
    flusher.wrote(99)
    assert not flushed.wait(0.02)
    flusher.wrote(1)
    assert flushed.wait(60)
    flusher.stop()


def test_what_flushing_raises_is_raised_by_the_next_write() -> None:
    reached = threading.Event()

    def full() -> None:
        reached.set()
        raise DiskFull("no room")

    flusher = Flusher(full, 1)
    flusher.start()
    flusher.wrote(1)
    assert reached.wait(60)
    flusher.stop()
    with pytest.raises(DiskFull):
        flusher.wrote(1)


def test_a_disk_that_is_full_when_it_is_flushed_stops_the_packing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems find out only then."""
    import errno

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no room")

    with BundleWriter(tmp_path / "b", lay_out(contents_of(MADE), 100_000)) as writer:
        send(writer, MADE)
        monkeypatch.setattr("transload.bundle.writing.partial.os.fsync", full)
        with pytest.raises(DiskFull, match="are free"):
            writer.finish()
    monkeypatch.undo()
    with BundleWriter(tmp_path / "b", lay_out(contents_of(MADE), 100_000)) as writer:
        assert send(writer, MADE) == 0
        *_, sums = writer.finish()
    assert are_right(sums)


def test_threads_end_with_the_writer(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with BundleWriter(tmp_path / "b", lay_out(contents_of(MADE), 100_000)) as writer:
        put(writer, "", FIRST)
        assert set(threading.enumerate()) - before
    assert not set(threading.enumerate()) - before
