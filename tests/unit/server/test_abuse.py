"""A served store and clients that mean harm, or are only many: nobody keeps others out, nothing is told too much."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.server.asking import ask, until
from transload.clock import Clock
from transload.errors import TooManyRequests
from transload.layout import LayoutStore
from transload.limits import INDEX_DEPTH, SERVED_UPLOADS
from transload.memory import MemoryStore
from transload.oci import Digest, Manifest, Name
from transload.oci.mediatype import OCI_INDEX
from transload.server import Served, ServeSettings, bodies, connections, serve
from transload.server.serving import _Troubles
from transload.server.spools import Room, Spool
from transload.server.uploads import ServedUploads
from transload.testing.contract import blob
from transload.testing.faults import FaultyStore, out_of_space
from transload.testing.images import fill, image, index, put

IMAGE = image("abused", layers=(100,))


def connect(served: Served) -> socket.socket:
    host, _, port = served.host_port.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=60)


# --- connections


def test_silent_connections_make_room(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SERVED_CONNECTIONS", 20)
    with serve(store) as served:
        silent = [connect(served) for _ in range(60)]
        try:
            assert ask(served, "GET", "/v2/").status == 200
            assert silent[0].recv(1) == b""  # the one that had waited longest
        finally:
            for each in silent:
                each.close()


def test_connections_that_find_no_place_leave_no_traceback(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "SERVED_CONNECTIONS", 16)
    head = b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n"
    path = head.replace(b"uploads/ ", f"uploads/?digest={Digest.of(b'content')} ".encode())
    with serve(store, ServeSettings(writable=True)) as served, contextlib.ExitStack() as stack:
        busy = [stack.enter_context(connect(served)) for _ in range(16)]
        for each in busy:
            each.sendall(path)
            assert each.recv(100).startswith(b"HTTP/1.1 100")
        for _ in range(20):
            with connect(served) as more:
                assert more.recv(1000).startswith(b"HTTP/1.1 503")
    gc.collect()  # or nobody tells of a task that failed
    assert not [record for record in caplog.records if record.name == "asyncio"]


def test_no_file_for_a_connection_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()
    told = _Troubles()
    for _ in range(3):
        told(
            loop, {"message": "socket.accept() out of system resource", "exception": OSError(errno.EMFILE, "too many")}
        )
    loop.close()
    assert [record.getMessage() for record in caplog.records] == ["a connection could not be taken: too many"]


def test_connections_that_work_stay(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SERVED_CONNECTIONS", 16)
    digest = Digest.of(b"content")
    head = f"POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n"
    with serve(store, ServeSettings(writable=True)) as served, contextlib.ExitStack() as stack:
        busy = [stack.enter_context(connect(served)) for _ in range(16)]
        for each in busy:
            each.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
            assert each.recv(100).startswith(b"HTTP/1.1 100 ")
        assert ask(served, "GET", "/v2/").status == 503
        busy[0].sendall(b"content")
        assert busy[0].recv(100).startswith(b"HTTP/1.1 201 ")
        assert ask(served, "GET", "/v2/").status == 200  # in place of the one that waits again


def heard(connection: socket.socket) -> bytes:
    """What the server says next; nothing if it has hung up, in whichever way."""
    try:
        return connection.recv(4096)
    except ConnectionError:
        return b""


@pytest.mark.parametrize("sent", [b"", b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_a_head_that_does_not_come_is_not_waited_for(store: MemoryStore, sent: bytes) -> None:
    with serve(store, ServeSettings(stall_timeout_s=0.2)) as served, connect(served) as silent:
        with contextlib.suppress(OSError):  # it may be cut off before it has sent anything
            silent.sendall(sent)
        assert heard(silent) == b""


def test_a_second_head_that_does_not_come(store: MemoryStore) -> None:
    with serve(store, ServeSettings(stall_timeout_s=1)) as served, connect(served) as kept:
        kept.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        got = kept.recv(4096)
        assert b" 200 OK" in got
        kept.sendall(b"GET /v2")
        while heard(kept):
            pass


def test_a_body_that_drips_is_cut_off(store: MemoryStore) -> None:
    """At a byte now and then no stall period passes without one."""
    with serve(store, ServeSettings(writable=True, stall_timeout_s=0.5)) as served, connect(served) as slow:
        slow.sendall(b"PUT /v2/a/manifests/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n")
        answer: list[bytes] = []
        reader = threading.Thread(target=lambda: answer.append(heard(slow)))
        reader.start()
        while reader.is_alive():
            try:
                slow.sendall(b"x")
            except OSError:
                break
            reader.join(0.05)
        reader.join()
        assert answer[0].startswith(b"HTTP/1.1 408 ") or answer[0] == b""


HEAD = b"PUT /v2/a/manifests/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_body_in_chunks_of_nothing_is_cut_off(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs work, so four million of them would keep a server busy for seconds."""
    monkeypatch.setattr(bodies, "SMALL_CHUNKS", 100)
    with serve(store, ServeSettings(writable=True)) as served, connect(served) as client:
        client.sendall(HEAD)
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):
                client.sendall(b"1\r\nx\r\n" * 100)
            client.sendall(b"0\r\n\r\n")
            assert client.recv(1000) == b""
        assert served.requests.bytes_received < 10_000


def test_a_body_in_chunks_that_hold_something_on_average_is_read(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "SMALL_CHUNKS", 100)
    with serve(store, ServeSettings(writable=True)) as served, connect(served) as client:
        client.sendall(HEAD)
        for _ in range(20):
            client.sendall(b"1\r\nx\r\n" * 50 + b"7fff\r\n" + b"y" * 0x7FFF + b"\r\n")
        client.sendall(b"0\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 400 ")  # read to its end, and no manifest
        assert served.requests.bytes_received == 20 * (50 + 0x7FFF)


# --- uploads


class _Now(Clock):
    now_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        return time.time()

    def sleep_s(self, seconds: float, wake: threading.Event | None = None) -> None:
        raise NotImplementedError


def test_idle_sessions_make_room_and_busy_ones_do_not(tmp_path: Path) -> None:
    clock = _Now()
    uploads = ServedUploads(tmp_path, clock)
    opened = [uploads.begin("a") for _ in range(SERVED_UPLOADS)]
    with pytest.raises(TooManyRequests):
        uploads.begin("a")
    clock.now_s = 61
    uploads.touch(opened[-1])
    uploads.begin("a")
    assert uploads.find("a", opened[-1].id) is opened[-1]
    clock.now_s = 10_000
    uploads.sweep()
    assert not uploads._open
    uploads.close()


def test_sessions_share_their_memory(tmp_path: Path) -> None:
    room = Room(1000)
    first, second = Spool("0a", tmp_path, room=room), Spool("0b", tmp_path, room=room)
    first.write(bytes(600))
    second.write(bytes(600))
    assert (first.path, second.path is not None) == (None, True)
    first.discard()
    first.discard()
    assert room.take(1000)
    second.discard()
    assert list(tmp_path.iterdir()) == []


# --- graphs


def nested(depth: int) -> tuple[list[Manifest], Manifest]:
    """Indexes in indexes, each with the one below it twice; all but the first, and the first."""
    below, made = IMAGE.manifest.descriptor.to_json(), []
    for level in range(depth):
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [below, below]}
        made.append(Manifest.parse(json.dumps(document | {"annotations": {"level": str(level)}}).encode()))
        below = made[-1].descriptor.to_json()
    return made[:-1], made[-1]


@pytest.fixture
def layout(tmp_path: Path) -> LayoutStore:
    store = LayoutStore(tmp_path / "secret-place", create=True)
    fill(store, IMAGE, "a", "1")
    return store


def test_deep_indexes_are_refused_before_anything_is_stored(layout: LayoutStore) -> None:
    with serve(layout, ServeSettings(writable=True)) as served:
        below, top = nested(INDEX_DEPTH)
        for manifest in (*below, top):
            assert ask(served, "PUT", f"/v2/a/manifests/{manifest.digest}", manifest.raw).status == 201
        _, deeper = nested(INDEX_DEPTH + 1)
        answer = ask(served, "PUT", "/v2/a/manifests/deep", deeper.raw)
        assert (answer.status, answer.code) == (413, "MANIFEST_INVALID")
        assert ask(served, "GET", "/v2/a/manifests/deep").status == 404


def test_a_graph_that_repeats_is_walked_once(layout: LayoutStore) -> None:
    """Every manifest lists the one below twice, forty levels deep, as no push of ours would leave it."""
    below, top = nested(40)
    for manifest in below:
        layout.put_manifest(Name("a", None, manifest.digest), manifest)
    layout.put_manifest(Name("a", "deep"), top)
    put(layout, "a", spare := blob("spare", 10))
    with serve(layout, ServeSettings(writable=True)) as served:
        assert ask(served, "DELETE", f"/v2/a/blobs/{spare.descriptor.digest}").status == 202
        refused = ask(served, "DELETE", f"/v2/a/blobs/{IMAGE.contents[0].descriptor.digest}")
        assert (refused.status, refused.code) == (405, "UNSUPPORTED")
        assert ask(served, "DELETE", f"/v2/a/blobs/{top.digest}").status == 405  # a manifest that is listed
        assert ask(served, "DELETE", "/v2/a/manifests/deep").status == 202


def test_many_tags_at_once_are_refused(layout: LayoutStore) -> None:
    tags = "&".join(f"tag=t{number}" for number in range(101))
    with serve(layout, ServeSettings(writable=True)) as served:
        assert ask(served, "PUT", f"/v2/a/manifests/{IMAGE.digest}?{tags}", IMAGE.manifest.raw).status == 414


# --- what is told


@pytest.fixture
def folder(layout: LayoutStore) -> Iterator[tuple[Served, LayoutStore]]:
    with serve(layout, ServeSettings(writable=True)) as served:
        yield served, layout


MISSING = Digest.of(b"missing")
ASKED = [
    ("GET", "/v2/none/tags/list", 404),
    ("GET", "/v2/a/manifests/none", 404),
    ("GET", f"/v2/a/manifests/{MISSING}", 404),
    ("GET", f"/v2/a/blobs/{MISSING}", 404),
    ("DELETE", f"/v2/a/blobs/{MISSING}", 404),
    ("DELETE", f"/v2/a/manifests/{MISSING}", 404),
    ("PUT", "/v2/a/manifests/..", 400),
]


@pytest.mark.parametrize(("method", "path", "status"), ASKED)
def test_where_the_store_lies_is_not_told(
    folder: tuple[Served, LayoutStore], method: str, path: str, status: int
) -> None:
    answer = ask(folder[0], method, path)
    assert answer.status == status
    assert b"secret-place" not in answer.body
    assert answer.document["errors"][0]["message"]


@pytest.mark.skipif(os.name == "nt", reason="needs links of POSIX")
def test_trouble_with_the_store_is_for_the_log(
    folder: tuple[Served, LayoutStore], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served, store = folder
    layer = IMAGE.contents[1].descriptor.digest
    place = store.paths.expected_path(layer)
    place.unlink()
    place.symlink_to("/etc/passwd")
    (store.root / ".transload" / "ingest" / f"sha256-{MISSING.encoded}").symlink_to(tmp_path / "victim")
    asked = [
        ("GET", f"/v2/a/blobs/{layer}", None),
        ("HEAD", f"/v2/a/blobs/{layer}", None),
        ("POST", f"/v2/a/blobs/uploads/?digest={MISSING}", b"missing"),
    ]
    for method, path, body in asked:
        answer = ask(served, method, path, body)
        assert answer.status == 500
        assert b"secret-place" not in answer.body
        assert "link" in caplog.records[-1].getMessage()
    (store.root / "index.json").unlink()
    for path in ("/v2/_catalog", "/v2/a/tags/list", "/v2/a/manifests/1", f"/v2/a/referrers/{MISSING}"):
        answer = ask(served, "GET", path)
        assert (answer.status, b"secret-place" in answer.body) == (404, False)
    assert not (tmp_path / "victim").exists()


def test_a_disk_that_is_full_is_not_named(store: MemoryStore) -> None:
    with serve(FaultyStore(store, [out_of_space()]), ServeSettings(writable=True)) as served:
        answer = ask(served, "POST", f"/v2/a/blobs/uploads/?digest={Digest.of(b'x')}", b"x")
    assert (answer.status, answer.document["errors"][0]["message"]) == (507, "the disk of this registry is full")


@pytest.mark.parametrize(
    "line",
    [
        b"GET /v2/\xff\xfe/manifests/1",
        b"GET /v2/a/manifests/\xff",
        b"GET /v2/a/manifests/%ff",
        b"GET /v2/a/tags/list?n=1&last=%ff%00",
        b"GET /v2/a/tags/list?n=%C2%B2",
        b"GET /v2/a/tags/list?n=-1",
        b"GET /v2/a%0d%0aX-Evil:%201/tags/list",
        b"GET /v2/a/manifests/1%0d%0aX-Evil:%201",
        b"GET /v2/a/blobs/sha256:%0d%0aX-Evil:%201",
        b"POST /v2/a/blobs/uploads/?mount=%0d%0aX-Evil:%201&from=%0d%0a",
        b"DELETE /v2/a/manifests/%0d%0aX-Evil:%201",
    ],
)
def test_odd_paths_are_answered_with_a_refusal(folder: tuple[Served, LayoutStore], line: bytes) -> None:
    with connect(folder[0]) as connection:
        connection.sendall(line + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head = answer.partition(b"\r\n\r\n")[0]
    assert head.startswith((b"HTTP/1.1 4", b"HTTP/1.0 400", b"HTTP/1.1 200"))
    assert b"\nX-Evil" not in head


def test_a_type_from_outside_does_not_become_a_header(layout: LayoutStore) -> None:
    document = json.loads((layout.root / "index.json").read_text())
    document["manifests"][0]["mediaType"] = "application/x\r\nX-Evil: 1"
    (layout.root / "index.json").write_text(json.dumps(document))
    with serve(layout) as served:
        for method in ("GET", "HEAD"):
            answer = ask(served, method, "/v2/a/manifests/1")
            assert "X-Evil" not in answer.headers
            assert answer.status in {404, 500}


def test_many_ranges_are_one_answer(folder: tuple[Served, LayoutStore]) -> None:
    ranges = "bytes=" + ",".join(["0-0"] * 1000)
    layer = IMAGE.contents[1]
    answer = ask(folder[0], "GET", f"/v2/a/blobs/{layer.descriptor.digest}", headers={"Range": ranges})
    assert (answer.status, answer.body) == (200, layer.read())


def test_an_index_of_images_costs_no_further_read(served: Served, store: MemoryStore) -> None:
    both = index([IMAGE])
    fill(store, both, "a", "all")
    assert ask(served, "PUT", "/v2/a/manifests/again", both.manifest.raw).status == 201


def test_what_a_pausing_client_sent_is_not_kept_in_memory(store: MemoryStore) -> None:
    """It goes to the session, so that another request sees how far the upload has come."""
    with serve(store, ServeSettings(writable=True, stall_timeout_s=60)) as served, connect(served) as slow:
        location = ask(served, "POST", "/v2/a/blobs/uploads/").headers["Location"]
        slow.sendall(f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode() + bytes(500))
        uploads = served._service.uploads
        until(lambda: uploads.find("a", location.rpartition("/")[2]).spool.size == 500)
