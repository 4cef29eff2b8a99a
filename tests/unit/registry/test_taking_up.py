"""Half an uploaded blob is taken up again by another process, and uploads that nobody goes on with are cancelled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.registry.distribution3 import Distribution3
from tests.unit.registry.wire import HastyClock, Said, plain_http, serving
from transload.errors import CorruptError, Unreachable
from transload.net.address import Origin
from transload.oci import Descriptor, Digest
from transload.planning import Plan
from transload.registry.ownsession import is_own_session
from transload.registry.store import RegistryStore
from transload.threads import Cancellation
from transload.transfer import Journal
from transload.transfer.leftovers import leftovers

MIB = 1 << 20
CONTENT = bytes(range(256)) * (48 * 4096)  # 48 MiB
BLOB = Descriptor("application/octet-stream", Digest.of(CONTENT), len(CONTENT))
HALF = 24 * MIB


class Source:
    """Reads `CONTENT` from an offset on, and counts."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.read = 0

    def chunks(self, offset: int, end: int | None = None) -> Iterator[bytes]:
        for start in range(offset, len(self.content) if end is None else end, MIB):
            chunk = self.content[start : start + MIB]
            self.read += len(chunk)
            yield chunk


def process(registry: Distribution3, journal: Path, source: Source, *, dies_at: int | None = None) -> RegistryStore:
    """What one process does with the blob: it breaks off at `dies_at`, or retries until it is there."""
    with plain_http() as http, (notes := Journal(journal)).held():
        store = RegistryStore(registry.host, http)
        store.continues.keep_notes(notes)
        for attempt in range(20):
            try:
                with store.begin("a/b", BLOB) as ingest:
                    ingest.write(source.chunks(ingest.offset, dies_at))
                    if dies_at is not None:
                        return store
                    ingest.commit()
                    return store
            except Unreachable:
                assert attempt < 19
    raise AssertionError


def half_done(registry: Distribution3, journal: Path) -> int:
    """A first process, of which `HALF` arrives; the bytes that did."""
    process(registry, journal, Source(), dies_at=HALF)
    return registry.wait_for(HALF)


def test_the_next_process_reads_and_sends_only_the_rest(tmp_path: Path) -> None:
    with Distribution3() as registry:
        arrived = half_done(registry, tmp_path / "journal")
        assert arrived == HALF
        source = Source()
        store = process(registry, tmp_path / "journal", source)
        assert registry.blobs["a/b", BLOB.digest] == CONTENT
        assert source.read == len(CONTENT) - HALF
        assert registry.received == len(CONTENT) + 56  # and the probe
        assert store.capabilities.refuses_wrong_digest is True
        assert not registry.sessions
        assert len(registry.blobs) == 1


def test_where_the_registry_does_not_prove_it_the_part_is_read_again_and_not_sent(tmp_path: Path) -> None:
    with Distribution3(checks=False) as registry:
        half_done(registry, tmp_path / "journal")
        source = Source()
        store = process(registry, tmp_path / "journal", source)
        assert registry.blobs == {("a/b", BLOB.digest): CONTENT}  # what the probe brought is deleted again
        assert source.read == len(CONTENT)
        assert registry.received == len(CONTENT) + 56
        assert store.capabilities.refuses_wrong_digest is False


def test_a_part_that_is_wrong_is_noticed_here_where_the_registry_would_not(tmp_path: Path) -> None:
    wrong = b"?" + CONTENT[1:]
    with Distribution3(checks=False) as registry:
        half_done(registry, tmp_path / "journal")
        with pytest.raises(CorruptError):
            process(registry, tmp_path / "journal", Source(wrong))
        assert registry.blobs == {}
        assert not registry.sessions


def test_a_part_that_is_wrong_is_refused_by_the_registry_and_all_is_sent_once_more(tmp_path: Path) -> None:
    with Distribution3() as registry:
        half_done(registry, tmp_path / "journal")
        (session,) = registry.sessions.values()
        session.content[7] ^= 0xFF
        source = Source()
        store = process(registry, tmp_path / "journal", source)
        assert registry.blobs["a/b", BLOB.digest] == CONTENT
        assert source.read == len(CONTENT) - HALF + len(CONTENT)
        assert store.capabilities.resumes is True  # that it was damaged says nothing about how it resumes
        assert not registry.sessions


def test_a_session_that_is_gone_costs_some_questions(tmp_path: Path) -> None:
    with Distribution3() as registry:
        half_done(registry, tmp_path / "journal")
        registry.sessions.clear()
        source = Source()
        process(registry, tmp_path / "journal", source)
        assert registry.blobs["a/b", BLOB.digest] == CONTENT
        assert source.read == len(CONTENT)
        # for the old one with and without its state; and whether one that is there can be asked for
        assert registry.methods == {"POST": 2, "PATCH": 2, "GET": 3, "DELETE": 1, "PUT": 1}


def test_killed_again_and_again_it_goes_on(tmp_path: Path) -> None:
    with Distribution3() as registry:
        source = Source()
        for end in range(8 * MIB, len(CONTENT), 8 * MIB):
            process(registry, tmp_path / "journal", source, dies_at=end)
            registry.wait_for(end)
        process(registry, tmp_path / "journal", source)
        assert registry.blobs["a/b", BLOB.digest] == CONTENT
        assert source.read == len(CONTENT)


def test_the_line_breaks_again_after_the_blob_was_taken_up(tmp_path: Path) -> None:
    with Distribution3() as registry:
        half_done(registry, tmp_path / "journal")
        registry.cut_every = 5 * MIB
        process(registry, tmp_path / "journal", Source())
        assert registry.blobs["a/b", BLOB.digest] == CONTENT
        assert registry.received == len(CONTENT) + 56


def test_all_arrived_and_only_the_last_request_is_missing(tmp_path: Path) -> None:
    with Distribution3() as registry:
        process(registry, tmp_path / "journal", Source(), dies_at=len(CONTENT))
        registry.wait_for(len(CONTENT))
        source = Source()
        process(registry, tmp_path / "journal", source)
        assert registry.blobs["a/b", BLOB.digest] == CONTENT
        assert source.read == 0


def test_two_runs_do_not_share_a_session(tmp_path: Path) -> None:
    with Distribution3() as registry:
        half_done(registry, tmp_path / "journal")
        with Journal(tmp_path / "journal").held():
            source = Source()
            process(registry, tmp_path / "journal", source)
        assert source.read == len(CONTENT)
        assert registry.blobs["a/b", BLOB.digest] == CONTENT
        assert len(registry.sessions) == 1


def test_what_nobody_goes_on_with_is_cancelled(tmp_path: Path) -> None:
    with Distribution3() as registry:
        half_done(registry, tmp_path / "journal")
        with plain_http() as http, (journal := Journal(tmp_path / "journal")).held():
            (upload,) = journal.uploads()
            RegistryStore(registry.host, http).continues.cancel(upload.repository, upload.digest, upload.address)
        assert not registry.sessions


def test_an_upload_of_other_images_is_kept_for_a_day(tmp_path: Path) -> None:
    """Two products are mirrored to one registry: the run of one does not spoil what a stopped run of the other left."""
    plan, path = Plan(target="registry", images=(), steps=(), manifests={}), tmp_path / "journal"
    with Distribution3() as registry, plain_http() as http:
        half_done(registry, path)
        store = RegistryStore(registry.host, http)
        for later_s, left in [(3600, 1), (90_000, 0)]:
            clock = HastyClock()
            clock.sleep_s(time.time() + later_s - clock.wall_s())
            journal = Journal(path)
            with leftovers(plan, store, journal, Cancellation(), clock):
                pass
            journal.clear()
            assert len(registry.sessions) == left
            assert path.exists() is bool(left)


def test_the_upload_of_a_blob_that_has_arrived_is_cancelled_at_once(tmp_path: Path) -> None:
    plan, path = Plan(target="registry", images=(), steps=(), manifests={}), tmp_path / "journal"
    with Distribution3() as registry, plain_http() as http:
        half_done(registry, path)
        journal = Journal(path)
        journal.note("a/b", BLOB.digest)
        with leftovers(plan, RegistryStore(registry.host, http), journal, Cancellation()):
            pass
        journal.clear()
        assert not registry.sessions
        assert not path.exists()


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("/v2/a/b/blobs/uploads/1234-abc?_state=x", True),
        ("/v2/a/b/blobs/upload/1234", True),
        ("/v2/a/b/manifests/latest", False),
        ("/v2/a/b/blobs/uploads/", False),
        ("/v2/a/b/blobs/uploads/..", False),
        ("/v2/a/b/blobs/uploads/x/../../../manifests/latest", False),
        ("/v2/a/b/blobs/uploads/%2e%2e", False),
        ("/v2/other/blobs/uploads/1234", False),
        ("/v2/a/b/blobs/sha256:00", False),
    ],
)
def test_only_an_upload_to_the_repository_itself_is_gone_on_with(address: str, own: bool) -> None:
    here = Origin.of("https://registry.example")
    assert is_own_session(f"https://registry.example{address}", here, "a/b") is own
    assert not is_own_session(f"https://other.example{address}", here, "a/b")
    assert not is_own_session(f"http://registry.example{address}", here, "a/b")
    assert not is_own_session(f"https://user@registry.example{address}", here, "a/b")
    assert not is_own_session(address, here, "a/b")


def test_an_address_that_somebody_wrote_is_not_asked(tmp_path: Path) -> None:
    def stranger(asked: object) -> Said:
        raise AssertionError(asked)

    with Distribution3() as registry, serving(stranger) as far:
        for address in (f"http://{far.host}/v2/a/b/blobs/uploads/1", f"http://{registry.host}/v2/a/b/manifests/1"):
            Journal(tmp_path / "journal").note_address("a/b", BLOB.digest, address)
            process(registry, tmp_path / "journal", Source())
            with plain_http() as http:
                RegistryStore(registry.host, http).continues.cancel("a/b", BLOB.digest, address)
            assert registry.blobs.pop(("a/b", BLOB.digest)) == CONTENT
        assert far.asked == []
        assert not any("manifests" in line for line in registry.asked)
        assert isinstance(http.clock, HastyClock)
