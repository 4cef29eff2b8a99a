"""Sessions of uploads, and where their bytes lie."""

from __future__ import annotations

import tempfile
import threading
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.server.shelf import RepositoryContent
from transload.errors import TooManyRequests
from transload.limits import SERVED_UPLOADS
from transload.oci import Descriptor, Digest
from transload.server.refusals import Refusal
from transload.server.spools import IN_MEMORY_BYTES, Spool
from transload.server.uploads import IDLE_S, ServedUploads

OPEN_FILES = Path("/proc/self/fd")


class Clock:
    now_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        return self.now_s

    def sleep_s(self, seconds: float, wake: threading.Event | None = None) -> None:
        raise AssertionError


@given(st.lists(st.binary(max_size=50)), st.integers(0, 100), st.booleans())
def test_a_spool_gives_back_what_it_took(batches: list[bytes], offset: int, large: bool) -> None:
    spools, content = RepositoryContent(Path(tempfile.gettempdir())), b"".join(batches)
    spool = Spool(uuid.uuid4().hex, None, spools=spools)
    first = bytes(IN_MEMORY_BYTES) if large else b""
    try:
        for batch in (first, *batches):
            spool.write(batch)
        whole = first + content
        assert b"".join(map(bytes, spool.chunks(offset))) == whole[offset:]
        assert spool.proves(Descriptor("", Digest.of(whole), len(whole)))
        assert not spool.proves(Descriptor("", Digest.of(whole + b"x"), len(whole)))
    finally:
        spool.discard()


def test_a_spool_lies_in_a_file_only_when_it_is_large(tmp_path: Path) -> None:
    spool = Spool("0a", tmp_path)
    spool.write(bytes(IN_MEMORY_BYTES))
    assert list(tmp_path.iterdir()) == []
    spool.write(b"x")
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [IN_MEMORY_BYTES + 1]
    assert not spool.proves(Descriptor("", Digest.of(bytes(IN_MEMORY_BYTES) + b"x"), 0)), "it was not told to hash"
    spool.discard()
    spool.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="the system does not list what is open")
def test_sessions_that_wait_hold_no_file_open(tmp_path: Path) -> None:
    uploads = ServedUploads(tmp_path, Clock())
    before = len(list(OPEN_FILES.iterdir()))
    waiting = [uploads.begin("a/b") for _ in range(50)]
    for upload in waiting:
        upload.spool.write(bytes(IN_MEMORY_BYTES + 1))
        upload.spool.write(b"end")
    assert len(list(OPEN_FILES.iterdir())) < before + 10
    assert b"".join(map(bytes, waiting[0].spool.chunks(IN_MEMORY_BYTES))) == b"\0end"
    uploads.close()
    assert list(tmp_path.iterdir()) == []


def test_sessions_that_nobody_touches_are_forgotten(tmp_path: Path) -> None:
    clock = Clock()
    uploads = ServedUploads(tmp_path, clock)
    idle, busy = uploads.begin("a"), uploads.begin("a")
    for upload in (idle, busy):
        upload.spool.write(bytes(IN_MEMORY_BYTES + 1))
    clock.now_s = IDLE_S
    assert uploads.find("a", busy.id) is busy
    clock.now_s = IDLE_S + 1
    uploads.sweep()
    assert uploads.find("a", busy.id) is busy
    with pytest.raises(Refusal):
        uploads.find("a", idle.id)
    assert len(list(tmp_path.iterdir())) == 1
    uploads.close()
    assert list(tmp_path.iterdir()) == []


def test_sessions_are_limited() -> None:
    uploads = ServedUploads(None, Clock())
    for _ in range(SERVED_UPLOADS):
        uploads.begin("a")
    with pytest.raises(TooManyRequests):
        uploads.begin("a")
