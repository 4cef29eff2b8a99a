"""Uploads to a layout outlive the server: the next one, or another one at the same time, goes on with them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.server.asking import Answer, ask
from transload.clock import SYSTEM_CLOCK
from transload.errors import Interrupted, TooManyRequests
from transload.layout.store import LayoutStore
from transload.limits import SERVED_UPLOAD_IDLE_S
from transload.oci import Descriptor, Digest
from transload.server import Served, ServeSettings, serve, uploads
from transload.server.refusals import Refusal
from transload.server.spools import _CATCH_UP_BYTES, IN_MEMORY_BYTES, KeptSpool, UploadGone, UploadMoved
from transload.server.uploads import IDLE_S, ServedUploads, belongs

WHOLE = os.urandom(3 * IN_MEMORY_BYTES)
UPLOADS = "/v2/team/app/blobs/uploads/"
WRITABLE = ServeSettings(writable=True)
POSIX = pytest.mark.skipif(os.name == "nt", reason="links and pipes of POSIX")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return LayoutStore(tmp_path / "site", create=True).root


def again(root: Path) -> LayoutStore:
    return LayoutStore(root)


def begin(served: Served) -> str:
    answer = ask(served, "POST", UPLOADS)
    assert answer.status == 202
    return answer.headers["Location"]


def patch(served: Served, location: str, content: bytes, start: int) -> Answer:
    return ask(served, "PATCH", location, content, {"Content-Range": f"{start}-{start + len(content) - 1}"})


def check_stands_at(served: Served, location: str, offset: int) -> None:
    answer = ask(served, "GET", location)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Range"] == f"0-{max(0, offset - 1)}"
    assert answer.headers["Location"] == location


def check_finished(served: Served, location: str, content: bytes, rest: bytes = b"") -> None:
    digest = Digest.of(content)
    assert ask(served, "PUT", f"{location}?digest={digest}", rest).status == 201
    assert ask(served, "GET", f"/v2/team/app/blobs/{digest}").body == content
    assert ask(served, "GET", location).code == "BLOB_UPLOAD_UNKNOWN"


def files_of_uploads(root: Path) -> list[str]:
    return sorted(path.name for path in (root / ".transload" / "ingest").iterdir())


# --- one server after the other


@pytest.mark.parametrize("arrived", [0, 1, 300, IN_MEMORY_BYTES, 2 * IN_MEMORY_BYTES + 7, len(WHOLE)])
@pytest.mark.parametrize("closing", ["PATCH", "PUT"])
def test_an_upload_goes_on_after_a_restart(root: Path, arrived: int, closing: str) -> None:
    with serve(again(root), WRITABLE) as served:
        location = begin(served)
        if arrived:
            assert patch(served, location, WHOLE[:arrived], 0).status == 202
    with serve(again(root), WRITABLE) as served:
        check_stands_at(served, location, arrived)
        rest = WHOLE[arrived:]
        if closing == "PATCH" and rest:
            assert patch(served, location, rest, arrived).status == 202
            rest = b""
        check_finished(served, location, WHOLE, rest)
    assert files_of_uploads(root) == []


def test_it_is_not_asked_where_it_stands(root: Path) -> None:
    with serve(again(root), WRITABLE) as served:
        location = begin(served)
        assert patch(served, location, WHOLE[:1000], 0).status == 202
    with serve(again(root), WRITABLE) as served:
        assert patch(served, location, WHOLE[1000:2000], 1000).status == 202
    with serve(again(root), WRITABLE) as served:
        check_finished(served, location, WHOLE, WHOLE[2000:])


def test_a_chunk_at_a_wrong_place_leaves_the_upload_as_it_was(root: Path) -> None:
    with serve(again(root), WRITABLE) as served:
        location = begin(served)
        assert patch(served, location, WHOLE[:1000], 0).status == 202
    with serve(again(root), WRITABLE) as served:
        for start in (0, 999, 1001):
            wrong = patch(served, location, WHOLE[start : start + 50], start)
            assert (wrong.status, wrong.headers["Range"]) == (416, "0-999")
        check_stands_at(served, location, 1000)
        check_finished(served, location, WHOLE, WHOLE[1000:])


def test_wrong_bytes_of_an_earlier_server_are_refused(root: Path) -> None:
    with serve(again(root), WRITABLE) as served:
        location = begin(served)
        assert patch(served, location, WHOLE[:1000], 0).status == 202
    (name,) = files_of_uploads(root)
    (root / ".transload" / "ingest" / name).write_bytes(bytes(1000))
    with serve(again(root), WRITABLE) as served:
        wrong = ask(served, "PUT", f"{location}?digest={Digest.of(WHOLE)}", WHOLE[1000:])
        assert (wrong.status, wrong.code) == (400, "DIGEST_INVALID")
        assert ask(served, "GET", location).code == "BLOB_UPLOAD_UNKNOWN"
    assert files_of_uploads(root) == []


def test_another_algorithm_after_a_restart(root: Path) -> None:
    with serve(again(root), WRITABLE) as served:
        location = begin(served)
        assert patch(served, location, WHOLE[:1000], 0).status == 202
    with serve(again(root), WRITABLE) as served:
        digest = Digest.of(WHOLE, "sha512")
        assert ask(served, "PUT", f"{location}?digest={digest}", WHOLE[1000:]).status == 201
    assert files_of_uploads(root) == []


def test_cancelled_is_cancelled(root: Path) -> None:
    with serve(again(root), WRITABLE) as served:
        location = begin(served)
        assert patch(served, location, WHOLE, 0).status == 202
    with serve(again(root), WRITABLE) as served:
        assert ask(served, "DELETE", location).status == 204
        assert ask(served, "DELETE", location).status == 404
    assert files_of_uploads(root) == []


def test_an_upload_belongs_to_its_repository_after_a_restart_too(root: Path) -> None:
    with serve(again(root), WRITABLE) as served:
        location = begin(served)
    with serve(again(root), WRITABLE) as served:
        for method in ("GET", "PATCH", "DELETE"):
            other = ask(served, method, location.replace("team/app", "team/other"))
            assert other.code == "BLOB_UPLOAD_UNKNOWN"
        check_stands_at(served, location, 0)


def test_a_blob_in_one_request_needs_no_file_of_an_upload(root: Path) -> None:
    store = again(root)
    with serve(store, WRITABLE) as served:
        content = WHOLE[:1000]
        assert ask(served, "POST", f"{UPLOADS}?digest={Digest.of(content)}", content).status == 201
        assert files_of_uploads(root) == []
        wrong = ask(served, "POST", f"{UPLOADS}?digest={Digest.of(b'other')}", WHOLE)
        assert wrong.code == "DIGEST_INVALID"
    assert files_of_uploads(root) == []


# --- two servers at the same time


def test_two_servers_share_an_upload(root: Path) -> None:
    with serve(again(root), WRITABLE) as first, serve(again(root), WRITABLE) as second:
        location = begin(first)
        assert patch(first, location, WHOLE[:1000], 0).status == 202
        check_stands_at(second, location, 1000)
        assert patch(second, location, WHOLE[1000:2000], 1000).status == 202
        stale = patch(first, location, WHOLE[1000:2000], 1000)
        assert (stale.status, stale.headers["Range"]) == (416, "0-1999")
        assert patch(first, location, WHOLE[2000:3000], 2000).status == 202
        check_finished(second, location, WHOLE, WHOLE[3000:])
        assert ask(first, "GET", location).code == "BLOB_UPLOAD_UNKNOWN"
        assert patch(first, location, b"x", len(WHOLE)).code == "BLOB_UPLOAD_UNKNOWN"


def test_two_servers_do_not_end_each_others_uploads(root: Path) -> None:
    with serve(again(root), WRITABLE) as first:
        location = begin(first)
        with serve(again(root), WRITABLE) as second:
            other = begin(second)
        check_stands_at(first, location, 0)
        check_stands_at(first, other, 0)


def kept(root: Path, identifier: str = "0a", stopping: threading.Event | None = None) -> KeptSpool:
    return KeptSpool(*again(root).spools.spool_file(identifier), stopping or threading.Event())


def test_what_another_server_wrote_is_not_overwritten(root: Path) -> None:
    first, second = kept(root), kept(root)
    first.create()
    first.write(b"abc")
    second.refresh()
    second.write(b"def")
    with pytest.raises(UploadMoved):
        first.write(b"ghi")
    first.refresh()
    first.write(b"ghi")
    assert first.proves(Descriptor("", Digest.of(b"abcdefghi"), 9))
    second.refresh()
    assert second.proves(Descriptor("", Digest.of(b"abcdefghi"), 9))
    assert not second.proves(Descriptor("", Digest.of(b"abcdefgh"), 8))


@POSIX
@pytest.mark.parametrize("ended", [KeptSpool.discard, lambda spool: spool.path.rename(spool.path.parent / "blob")])
def test_nothing_is_written_to_what_is_no_upload_any_more(root: Path, ended: Callable[[KeptSpool], object]) -> None:
    first = kept(root)
    first.create()
    first.write(b"abc")
    ended(first)
    with pytest.raises(UploadGone):
        first.write(b"def")
    with pytest.raises(UploadGone):
        first.refresh()
    with pytest.raises(UploadGone), first.still():
        raise AssertionError


# --- hashing what came before


def test_the_hash_catches_up_in_steps(root: Path) -> None:
    early = kept(root)
    early.create()
    content = os.urandom(3 * _CATCH_UP_BYTES)
    early.write(content)
    late = kept(root)
    late.refresh()
    for letter in (b"a", b"b"):
        late.write(letter)
    assert late._hashed == 2 * _CATCH_UP_BYTES
    assert late.proves(Descriptor("", Digest.of(content + b"ab"), len(content) + 2))


def test_a_file_that_was_cut_is_hashed_anew(root: Path) -> None:
    spool = kept(root)
    spool.create()
    spool.write(b"abcdef")
    os.truncate(spool.path, 3)
    spool.refresh()
    spool.write(b"xyz")
    assert spool.proves(Descriptor("", Digest.of(b"abcxyz"), 6))


def test_hashing_ends_when_the_server_stops(root: Path) -> None:
    early, stopping = kept(root), threading.Event()
    early.create()
    early.write(b"abc")
    late = kept(root, stopping=stopping)
    late.refresh()
    stopping.set()
    with pytest.raises(Interrupted):
        late.proves(Descriptor("", Digest.of(b"abc"), 3))


# --- what lies there and should not


def litter(root: Path, kind: str, outside: Path) -> Path:
    outside.write_bytes(b"private")
    folder, name = again(root).spools.spool_file(uploads._new_identifier("team/app"))
    path = folder.path / name
    if kind == "link":
        path.symlink_to(outside)
    elif kind == "second name":
        os.link(outside, path)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    return path


@POSIX
@pytest.mark.parametrize("kind", ["link", "second name", "pipe", "folder"])
def test_what_is_no_file_of_an_upload_is_not_touched_but_deleted(root: Path, tmp_path: Path, kind: str) -> None:
    path = litter(root, kind, tmp_path / "outside")
    location = UPLOADS + path.name.removeprefix("upload.").removesuffix(".second")
    with serve(again(root), WRITABLE) as served:
        assert ask(served, "GET", location).code == "BLOB_UPLOAD_UNKNOWN"
        assert patch(served, location, b"x", 0).code == "BLOB_UPLOAD_UNKNOWN"
        check_finished(served, begin(served), WHOLE, WHOLE)
    assert (tmp_path / "outside").read_bytes() == b"private"
    assert os.path.lexists(path) == (kind == "folder")


@POSIX
@pytest.mark.parametrize("kind", ["link", "second name", "pipe"])
def test_a_server_that_finds_it_deletes_it(root: Path, tmp_path: Path, kind: str) -> None:
    path = litter(root, kind, tmp_path / "outside")
    ServedUploads(None, SYSTEM_CLOCK, spools=again(root).spools).sweep()
    assert not os.path.lexists(path)
    assert (tmp_path / "outside").read_bytes() == b"private"


@pytest.mark.parametrize(
    "identifier", ["", "..", "../../index.json", "0a", "x" * 300, "0" * 32 + "-" + "0" * 16, "%2e%2e", "a.second"]
)
def test_an_identifier_that_is_none_leads_nowhere(root: Path, identifier: str) -> None:
    assert not belongs(identifier, "team/app")
    with pytest.raises(Refusal):
        ServedUploads(None, SYSTEM_CLOCK, spools=again(root).spools).find("team/app", identifier)


# --- the end of uploads


def aged(root: Path, seconds: float) -> None:
    for name in files_of_uploads(root):
        os.utime(root / ".transload" / "ingest" / name, (0, time.time() - seconds))


@pytest.mark.parametrize("seconds", [SERVED_UPLOAD_IDLE_S + 60, -SERVED_UPLOAD_IDLE_S - 60])
def test_an_upload_that_nobody_goes_on_with_ends_after_a_day(root: Path, seconds: float) -> None:
    """A clock that was set back does not keep it for ever."""
    ServedUploads(None, SYSTEM_CLOCK, spools=again(root).spools).begin("team/app")
    aged(root, SERVED_UPLOAD_IDLE_S - 60)
    later = ServedUploads(None, SYSTEM_CLOCK, spools=again(root).spools)
    later.sweep()
    assert len(files_of_uploads(root)) == 1
    aged(root, seconds)
    later.sweep()
    assert files_of_uploads(root) == []


def test_one_that_is_in_use_does_not_end(root: Path) -> None:
    sessions = ServedUploads(None, SYSTEM_CLOCK, spools=again(root).spools)
    upload = sessions.begin("team/app")
    aged(root, SERVED_UPLOAD_IDLE_S + 60)
    sessions.sweep()
    assert sessions.find("team/app", upload.id) is upload
    assert len(files_of_uploads(root)) == 1


def test_uploads_of_earlier_servers_count(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "SERVED_UPLOADS", 3)
    ended = [ServedUploads(None, SYSTEM_CLOCK, spools=again(root).spools).begin("team/app") for _ in range(3)]
    sessions = ServedUploads(None, SYSTEM_CLOCK, spools=again(root).spools)
    with pytest.raises(TooManyRequests):
        sessions.begin("team/app")
    os.utime(ended[1].spool.path or "", (0, time.time() - 100))
    sessions.begin("team/app")
    with pytest.raises(Refusal):  # it waited longest
        sessions.find("team/app", ended[1].id)
    assert sessions.find("team/app", ended[0].id).id == ended[0].id


def test_a_full_disk_ends_uploads_that_are_idle(root: Path) -> None:
    ServedUploads(None, SYSTEM_CLOCK, spools=again(root).spools).begin("team/app")
    aged(root, IDLE_S + 60)
    sessions = ServedUploads(None, SYSTEM_CLOCK, spools=again(root).spools)
    fresh = sessions.begin("team/app")
    sessions.end_idle()
    assert files_of_uploads(root) == [fresh.spool.path.name if fresh.spool.path else ""]
