"""Writing to a served store."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

import pytest

from tests.unit.registry.wire import plain_http
from tests.unit.server.asking import Answer, ask, until
from tests.unit.server.shelf import RepositoryContent, Slow
from transload.limits import MANIFEST_BYTES
from transload.memory import MemoryStore
from transload.oci import Descriptor, Digest, Name
from transload.oci.mediatype import OCI_INDEX
from transload.registry.store import RegistryStore
from transload.server import Served, ServeSettings, serve
from transload.testing.faults import FaultyStore, out_of_space
from transload.testing.images import fill, image, multi_platform, signature

SMALL = b"a small blob"
LARGE = os.urandom(3_500_000)
UPLOADS = "/v2/team/app/blobs/uploads/"
OCTETS = "application/octet-stream"


def begin(served: Served) -> str:
    answer = ask(served, "POST", UPLOADS)
    assert answer.status == 202
    assert answer.headers["Docker-Upload-UUID"] in answer.headers["Location"]
    return answer.headers["Location"]


def stored(store: MemoryStore, content: bytes, repository: str = "team/app") -> bool:
    return store.exists(repository, Descriptor(OCTETS, Digest.of(content), len(content)))


def check_created(answer: Answer, content: bytes) -> None:
    digest = Digest.of(content)
    assert answer.status == 201
    assert answer.headers["Location"] == f"/v2/team/app/blobs/{digest}"
    assert answer.headers["Docker-Content-Digest"] == digest


@pytest.mark.parametrize("content", [SMALL, LARGE, b""], ids=["small", "large", "empty"])
class TestUploads:
    def test_post_and_put(self, served: Served, store: MemoryStore, content: bytes) -> None:
        answer = ask(served, "PUT", f"{begin(served)}?digest={Digest.of(content)}", content)
        check_created(answer, content)
        assert stored(store, content)

    def test_single_post(self, served: Served, store: MemoryStore, content: bytes) -> None:
        check_created(ask(served, "POST", f"{UPLOADS}?digest={Digest.of(content)}", content), content)
        assert stored(store, content)

    def test_streamed_patch(self, served: Served, store: MemoryStore, content: bytes) -> None:
        location = begin(served)
        pieces = (content[at : at + 70_000] for at in range(0, len(content), 70_000))
        patched = ask(served, "PATCH", location, pieces)
        assert (patched.status, patched.headers["Range"]) == (202, f"0-{max(0, len(content) - 1)}")
        check_created(ask(served, "PUT", f"{patched.headers['Location']}?digest={Digest.of(content)}"), content)
        assert stored(store, content)

    def test_sha512(self, served: Served, store: MemoryStore, content: bytes) -> None:
        digest = Digest.of(content, "sha512")
        assert ask(served, "PUT", f"{begin(served)}?digest={digest}", content).status == 201
        assert store.exists("team/app", Descriptor(OCTETS, digest, len(content)))


def patch(served: Served, location: str, content: bytes, start: int, end: int | None = None) -> Answer:
    last = start + len(content) - 1 if end is None else end
    return ask(served, "PATCH", location, content, {"Content-Range": f"{start}-{last}"})


def test_chunks_in_order(served: Served, store: MemoryStore) -> None:
    location = begin(served)
    assert patch(served, location, LARGE[:1000], 0).headers["Range"] == "0-999"
    assert patch(served, location, LARGE[1000:2_000_000], 1000).headers["Range"] == "0-1999999"
    status = ask(served, "GET", location)
    assert (status.status, status.headers["Range"], status.headers["Location"]) == (204, "0-1999999", location)
    headers = {"Content-Range": f"2000000-{len(LARGE) - 1}"}
    last = ask(served, "PUT", f"{location}?digest={Digest.of(LARGE)}", LARGE[2_000_000:], headers)
    check_created(last, LARGE)
    assert stored(store, LARGE)
    assert ask(served, "GET", location).code == "BLOB_UPLOAD_UNKNOWN"


@pytest.mark.parametrize("start", [0, 500, 1001])
def test_a_chunk_out_of_order_leaves_the_upload_as_it_is(served: Served, store: MemoryStore, start: int) -> None:
    location = begin(served)
    patch(served, location, SMALL * 100, 0, len(SMALL) * 100 - 1)
    answer = patch(served, location, b"x" * 10, start)
    assert (answer.status, answer.headers["Range"]) == (416, "0-1199")
    digest = Digest.of(SMALL * 100)
    assert ask(served, "PUT", f"{answer.headers['Location']}?digest={digest}").status == 201


@pytest.mark.parametrize("stated", ["0-5", "0-50", "5-0", "bytes 0-11/12", "x"])
def test_a_chunk_that_is_not_what_it_states(served: Served, stated: str) -> None:
    location = begin(served)
    assert ask(served, "PATCH", location, SMALL, {"Content-Range": stated}).status == 400
    assert ask(served, "PATCH", location, iter([SMALL]), {"Content-Range": stated}).status == 400


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_a_wrong_digest(served: Served, shelved: Served, store: MemoryStore, content: bytes) -> None:
    for where in (served, shelved):
        location = begin(where)
        answer = ask(where, "PUT", f"{location}?digest={Digest.of(b'other')}", content)
        assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
        assert ask(where, "GET", location).status == 404, "the session is over"
        assert ask(where, "HEAD", f"/v2/team/app/blobs/{Digest.of(b'other')}").status == 404


@pytest.mark.parametrize("query", ["", "?digest=", "?digest=md5:00", "?digest=sha256:12"])
def test_a_digest_that_is_none(served: Served, query: str) -> None:
    location = begin(served)
    answer = ask(served, "PUT", location + query, SMALL)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert ask(served, "PUT", f"{location}?digest={Digest.of(SMALL)}", SMALL).status == 201


def test_an_upload_belongs_to_its_repository(served: Served) -> None:
    location = begin(served)
    assert ask(served, "GET", location.replace("team/app", "other")).code == "BLOB_UPLOAD_UNKNOWN"
    assert ask(served, "PATCH", UPLOADS + "no-such", SMALL).code == "BLOB_UPLOAD_UNKNOWN"


def test_cancel(served: Served) -> None:
    location = begin(served)
    assert ask(served, "DELETE", location).status == 204
    assert ask(served, "PATCH", location, SMALL).status == 404


def test_a_broken_upload_goes_on_where_it_stopped(served: Served, store: MemoryStore) -> None:
    location = begin(served)
    host, _, port = served.host_port.partition(":")
    with socket.create_connection((host, int(port))) as broken:
        head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(LARGE)}\r\n\r\n"
        broken.sendall(head.encode() + LARGE[:2_500_000])
        until(lambda: served.requests.bytes_received >= 2_500_000)
    offset = int(ask(served, "GET", location).headers["Range"].partition("-")[2]) + 1
    assert 0 < offset <= 2_500_000
    assert patch(served, location, LARGE[offset:], offset).status == 202
    check_created(ask(served, "PUT", f"{location}?digest={Digest.of(LARGE)}"), LARGE)


def test_the_newest_request_owns_an_upload(served: Served, store: MemoryStore) -> None:
    """A connection that died silently does not block the one that goes on."""
    location, slow, answers = begin(served), Slow(b"first", b"late"), []
    old = threading.Thread(target=lambda: answers.append(ask(served, "PATCH", location, slow)))
    old.start()
    until(lambda: served.requests.bytes_received == len(b"first"))
    assert ask(served, "PATCH", location, SMALL).status == 202
    slow.gate.set()
    old.join()
    assert answers[0].status == 416
    assert ask(served, "PUT", f"{location}?digest={Digest.of(SMALL)}").status == 201


def test_a_client_that_stalls_is_cut_off(store: MemoryStore) -> None:
    with serve(store, ServeSettings(writable=True, stall_timeout_s=0.05)) as served:
        location = begin(served)
        host, _, port = served.host_port.partition(":")
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nfirst".encode())
            assert connection.recv(12) == b"HTTP/1.1 408"
        assert ask(served, "GET", location).headers["Range"] == "0-4"


def test_expect_100_continue(served: Served, store: MemoryStore) -> None:
    location = begin(served)
    host, _, port = served.host_port.partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection, connection.makefile("rb") as answers:
        head = f"PUT {location}?digest={Digest.of(SMALL)} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        connection.sendall(f"{head}Content-Length: {len(SMALL)}\r\n\r\n".encode())
        assert answers.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert answers.readline() == b"\r\n"
        connection.sendall(SMALL)
        assert answers.readline().startswith(b"HTTP/1.1 201")


def test_two_clients_bring_the_same_blob(served: Served, store: MemoryStore) -> None:
    path, statuses = f"{UPLOADS}?digest={Digest.of(LARGE)}", []
    threads = [
        threading.Thread(target=lambda: statuses.append(ask(served, "POST", path, LARGE).status)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [201] * 4


def test_a_full_disk_is_the_servers_trouble(store: MemoryStore) -> None:
    faulty = FaultyStore(store, [out_of_space()])
    with serve(faulty, ServeSettings(writable=True)) as served:
        assert ask(served, "POST", f"{UPLOADS}?digest={Digest.of(SMALL)}", SMALL).status == 507


class TestMounts:
    def test_from_another_repository(self, served: Served, store: MemoryStore) -> None:
        ask(served, "POST", f"{UPLOADS}?digest={Digest.of(SMALL)}", SMALL)
        answer = ask(served, "POST", f"/v2/other/blobs/uploads/?mount={Digest.of(SMALL)}&from=team/app")
        assert (answer.status, answer.headers["Location"]) == (201, f"/v2/other/blobs/{Digest.of(SMALL)}")
        assert stored(store, SMALL, "other")

    @pytest.mark.parametrize("query", ["&from=none", ""])
    def test_what_cannot_be_mounted_is_uploaded(self, served: Served, store: MemoryStore, query: str) -> None:
        answer = ask(served, "POST", f"{UPLOADS}?mount={Digest.of(SMALL)}{query}")
        assert answer.status == 202
        put = ask(served, "PUT", f"{answer.headers['Location']}?digest={Digest.of(SMALL)}", SMALL)
        assert put.status == 201

    @pytest.mark.parametrize("query", ["&from=other", ""])
    def test_one_pool_for_all_needs_no_mount(self, shelved: Served, shelf: RepositoryContent, query: str) -> None:
        assert ask(shelved, "POST", f"{UPLOADS}?mount={shelf.put(SMALL)}{query}").status == 201

    def test_an_origin_that_is_no_repository(self, served: Served) -> None:
        assert ask(served, "POST", f"{UPLOADS}?mount={Digest.of(SMALL)}&from=../x").code == "NAME_INVALID"


class TestManifests:
    IMAGE = image("pushed", layers=(2000,))

    @pytest.fixture(autouse=True)
    def _blobs(self, served: Served) -> None:
        for digest, raw in self.IMAGE.blobs.items():
            assert ask(served, "POST", f"{UPLOADS}?digest={digest}", raw).status == 201

    def put(self, served: Served, reference: str, raw: bytes | None = None, media_type: str | None = None) -> Answer:
        headers = {"Content-Type": media_type or self.IMAGE.manifest.media_type}
        return ask(served, "PUT", f"/v2/team/app/manifests/{reference}", raw or self.IMAGE.manifest.raw, headers)

    def test_by_tag_and_by_digest(self, served: Served, store: MemoryStore) -> None:
        answer = self.put(served, self.IMAGE.digest)
        assert (answer.status, answer.headers["Docker-Content-Digest"]) == (201, self.IMAGE.digest)
        assert answer.headers["Location"] == f"/v2/team/app/manifests/{self.IMAGE.digest}"
        assert list(store.tags("team/app")) == []
        assert self.put(served, "1.0").status == 201
        assert store.resolve(Name("team/app", "1.0")) == self.IMAGE.descriptor
        assert ask(served, "GET", "/v2/team/app/manifests/1.0").body == self.IMAGE.manifest.raw

    def test_by_digest_with_tags(self, served: Served, store: MemoryStore) -> None:
        answer = self.put(served, f"{self.IMAGE.digest}?tag=a&tag=b")
        assert answer.headers.get_all("OCI-Tag") == ["a", "b"]
        assert list(store.tags("team/app")) == ["a", "b"]

    def test_another_digest(self, served: Served) -> None:
        assert self.put(served, Digest.of(b"other")).code == "DIGEST_INVALID"

    def test_missing_blobs(self, served: Served) -> None:
        answer = self.put(served, "1.0", image("other").manifest.raw)
        assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")

    def test_missing_children_are_taken_only_where_that_is_allowed(self, served: Served, store: MemoryStore) -> None:
        raw = multi_platform("absent").manifest.raw
        answer = self.put(served, "1.0", raw, OCI_INDEX)
        assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
        with serve(store, ServeSettings(writable=True, allow_sparse=True)) as lenient:
            assert self.put(lenient, "1.0", raw, OCI_INDEX).status == 201
            assert ask(lenient, "GET", "/v2/team/app/manifests/1.0").body == raw

    @pytest.mark.parametrize("raw", [b"{}", b"[", b'{"schemaVersion": 1}', b"\xff"])
    def test_what_is_no_manifest(self, served: Served, raw: bytes) -> None:
        answer = self.put(served, "1.0", raw)
        assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")

    def test_the_limit(self, served: Served) -> None:
        raw = json.dumps({"schemaVersion": 2, "annotations": {"a": "x" * MANIFEST_BYTES}}).encode()
        assert self.put(served, "1.0", raw).status == 413
        path = "/v2/team/app/manifests/1.0"
        assert ask(served, "PUT", path, (raw[at : at + 65536] for at in range(0, len(raw), 65536))).status == 413

    def test_a_tag_that_is_none(self, served: Served) -> None:
        assert self.put(served, ".x").status == 400

    def test_a_subject_is_acknowledged(self, served: Served, store: MemoryStore) -> None:
        fill(store, self.IMAGE, "team/app", "1.0")
        signed = signature(self.IMAGE)
        for digest, raw in signed.blobs.items():
            ask(served, "POST", f"{UPLOADS}?digest={digest}", raw)
        answer = self.put(served, signed.digest, signed.manifest.raw, signed.manifest.media_type)
        assert (answer.status, answer.headers["OCI-Subject"]) == (201, self.IMAGE.digest)


class Keeping(MemoryStore):
    """A store that deletes nothing."""

    deletes = None  # type: ignore[assignment]


class TestDeletions:
    def test_the_registry_behind_a_served_one_keeps_everything(self, served: Served, store: MemoryStore) -> None:
        fill(store, image("kept"), "a", "1.0")
        with plain_http() as http:
            behind = RegistryStore(served.host_port, http)
            with serve(behind, ServeSettings(writable=True)) as front:
                assert ask(front, "DELETE", "/v2/a/manifests/1.0").status == 405
        assert list(store.tags("a")) == ["1.0"]

    def test_where_the_store_can(self, shelved: Served, shelf: RepositoryContent) -> None:
        digest = shelf.put(SMALL)
        assert ask(shelved, "DELETE", f"/v2/a/blobs/{digest}").status == 202
        assert ask(shelved, "DELETE", f"/v2/a/blobs/{digest}").code == "BLOB_UNKNOWN"
        assert ask(shelved, "DELETE", "/v2/a/manifests/1.0").status == 202
        again = ask(shelved, "DELETE", "/v2/a/manifests/1.0")
        assert (again.status, again.code) == (404, "MANIFEST_UNKNOWN")
        assert ask(shelved, "DELETE", f"/v2/a/manifests/{digest}").status == 202
        assert shelf.gone == {Name("a", "1.0"), Name("a", None, digest)}

    @pytest.mark.parametrize("path", ["manifests/1.0", f"blobs/{Digest.of(SMALL)}"])
    def test_where_it_cannot(self, path: str) -> None:
        with serve(Keeping(), ServeSettings(writable=True)) as served:
            answer = ask(served, "DELETE", f"/v2/a/{path}")
        assert (answer.status, answer.code) == (405, "UNSUPPORTED")


class TestSpools:
    def test_a_proved_file_is_adopted(self, shelved: Served, shelf: RepositoryContent, tmp_path: Path) -> None:
        assert ask(shelved, "POST", f"{UPLOADS}?digest={Digest.of(LARGE)}", LARGE).status == 201
        assert shelf.adopted == [Digest.of(LARGE)]
        assert [path.read_bytes() == LARGE for path in tmp_path.iterdir()] == [True]

    def test_small_ones_and_other_algorithms_take_the_usual_way(
        self, shelved: Served, shelf: RepositoryContent
    ) -> None:
        for digest, raw in ((Digest.of(SMALL), SMALL), (Digest.of(LARGE, "sha512"), LARGE)):
            assert ask(shelved, "POST", f"{UPLOADS}?digest={digest}", raw).status == 201
            assert ask(shelved, "GET", f"/v2/team/app/blobs/{digest}").body == raw
        assert shelf.adopted == []

    def test_the_folder_is_empty_afterwards(self, store: MemoryStore, tmp_path: Path) -> None:
        settings = ServeSettings(writable=True, spool_folder=tmp_path)
        with serve(store, settings) as served:
            for digest in (Digest.of(LARGE), Digest.of(SMALL)):
                ask(served, "POST", f"{UPLOADS}?digest={digest}", LARGE)
            assert list(tmp_path.iterdir()) == []
            ask(served, "PATCH", begin(served), LARGE)
            assert len(list(tmp_path.iterdir())) == 1
        assert list(tmp_path.iterdir()) == [], "what is unfinished goes with the server"

    def test_a_folder_that_is_not_there(self, store: MemoryStore, tmp_path: Path) -> None:
        settings = ServeSettings(writable=True, spool_folder=tmp_path / "none", shutdown_timeout_s=0.1)
        with serve(store, settings) as served:
            answer = ask(served, "PATCH", begin(served), LARGE)
            assert (answer.status, answer.code) == (500, "UNKNOWN")


def test_a_beginning_that_the_store_kept_from_elsewhere(served: Served, store: MemoryStore) -> None:
    """Kept bytes that do not belong to the blob are not held against the client who sends the right ones."""
    for kept in (SMALL[:5], b"wrong", b"longer than the small blob"):
        descriptor = Descriptor(OCTETS, Digest.of(SMALL), len(SMALL))
        with store.begin("team/app", descriptor) as ingest:
            ingest.write([kept])
        assert ask(served, "POST", f"{UPLOADS}?digest={Digest.of(SMALL)}", SMALL).status == 201
        assert stored(store, SMALL)
