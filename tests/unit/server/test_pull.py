"""Reading from a served store."""

from __future__ import annotations

import http.client
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.unit.server.asking import ask
from tests.unit.server.shelf import RepositoryContent
from transload.memory import MemoryStore
from transload.oci import Descriptor, Digest, mediatype
from transload.server import Served, ServeSettings, serve
from transload.testing.faults import Fault, FaultyStore, ends_early, truncates
from transload.testing.images import SIGNATURE, fill, image, signature

IMAGE = image("app", layers=(3000, 200_000))
LAYER = IMAGE.manifest.layers[1]
RAW = IMAGE.blobs[LAYER.digest]


@pytest.fixture(autouse=True)
def _filled(store: MemoryStore) -> None:
    fill(store, IMAGE, "team/app", "1.0")


def test_version(served: Served) -> None:
    answer = ask(served, "GET", "/v2/")
    assert answer.status == 200
    assert answer.headers["Docker-Distribution-API-Version"] == "registry/2.0"


@pytest.mark.parametrize("reference", ["1.0", IMAGE.digest, IMAGE.digest.replace(":", "%3A")])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_manifest(served: Served, method: str, reference: str) -> None:
    answer = ask(served, method, f"/v2/team/app/manifests/{reference}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == IMAGE.manifest.media_type
    assert answer.headers["Docker-Content-Digest"] == IMAGE.digest
    assert answer.headers["Content-Length"] == str(len(IMAGE.manifest.raw))
    assert answer.body == (IMAGE.manifest.raw if method == "GET" else b"")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v2/team/app/manifests/2.0", 404, "MANIFEST_UNKNOWN"),
        ("/v2/team/app/manifests/.no-tag", 404, "MANIFEST_UNKNOWN"),
        ("/v2/none/manifests/1.0", 404, "MANIFEST_UNKNOWN"),
        (f"/v2/team/app/manifests/{Digest.of(b'none')}", 404, "MANIFEST_UNKNOWN"),
        ("/v2/team/app/manifests/sha256:12", 400, "DIGEST_INVALID"),
        (f"/v2/team/app/blobs/{Digest.of(b'none')}", 404, "BLOB_UNKNOWN"),
        (f"/v2/none/blobs/{LAYER.digest}", 404, "BLOB_UNKNOWN"),
        ("/v2/team/app/blobs/latest", 400, "DIGEST_INVALID"),
        ("/v2/none/tags/list", 404, "NAME_UNKNOWN"),
        ("/v2/Team/tags/list", 400, "NAME_INVALID"),
        ("/v2/team/%2e%2e/secret/tags/list", 400, "NAME_INVALID"),
        ("/v2/team/app/tags/list?n=x", 400, "PAGINATION_NUMBER_INVALID"),
        ("/v2/team/app/referrers/1.0", 400, "DIGEST_INVALID"),
        ("/v3/", 404, "NAME_UNKNOWN"),
    ],
)
def test_what_is_not_there(served: Served, path: str, status: int, code: str) -> None:
    answer = ask(served, "GET", path)
    assert (answer.status, answer.code) == (status, code)
    assert ask(served, "HEAD", path).status == status


@pytest.mark.parametrize(
    ("header", "status", "part"),
    [
        (None, 200, slice(None)),
        ("bytes=10-19", 206, slice(10, 20)),
        ("bytes=150000-", 206, slice(150_000, None)),
        ("bytes=-5", 206, slice(-5, None)),
        ("bytes=0-1,4-5", 200, slice(None)),
    ],
)
def test_blob_and_its_parts(
    served: Served, shelved: Served, shelf: RepositoryContent, header: str, status: int, part: slice
) -> None:
    shelf.put(RAW)
    for where in (served, shelved):
        answer = ask(where, "GET", f"/v2/team/app/blobs/{LAYER.digest}", headers={"Range": header} if header else {})
        assert (answer.status, answer.body) == (status, RAW[part])
        assert answer.headers["Content-Length"] == str(len(answer.body))
        assert answer.headers["Docker-Content-Digest"] == LAYER.digest
        start, end, _ = part.indices(len(RAW))
        assert answer.headers["Content-Range"] == (f"bytes {start}-{end - 1}/{len(RAW)}" if status == 206 else None)
        assert where.requests.bytes_sent == len(answer.body)
    assert shelf.opened == [], "a blob that lies on disk is not read through the store"


def test_blob_head(served: Served) -> None:
    answer = ask(served, "HEAD", f"/v2/team/app/blobs/{LAYER.digest}", headers={"Range": "bytes=0-1"})
    assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(RAW)))


def test_a_range_beyond_the_end(served: Served) -> None:
    answer = ask(served, "GET", f"/v2/team/app/blobs/{LAYER.digest}", headers={"Range": f"bytes={len(RAW)}-"})
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(RAW)}"


@pytest.mark.parametrize(("etag", "status"), [(f'"{LAYER.digest}"', 206), ('"other"', 200)])
def test_a_range_of_content_known_before(served: Served, etag: str, status: int) -> None:
    headers = {"Range": "bytes=0-1", "If-Range": etag}
    assert ask(served, "GET", f"/v2/team/app/blobs/{LAYER.digest}", headers=headers).status == status


def test_an_empty_blob(shelved: Served, shelf: RepositoryContent) -> None:
    answer = ask(shelved, "GET", f"/v2/any/blobs/{shelf.put(b'')}")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "0")


def test_a_large_file_leaves_in_several_parts(shelved: Served, shelf: RepositoryContent) -> None:
    content = os.urandom(9 << 20)
    digest = shelf.put(content)
    assert ask(shelved, "GET", f"/v2/any/blobs/{digest}").body == content


@pytest.mark.parametrize("fault", [truncates, ends_early])
def test_a_blob_that_breaks_off_breaks_the_connection(store: MemoryStore, fault: Callable[..., Fault]) -> None:
    faulty = FaultyStore(store, [fault(1000, subject=LAYER.digest)])
    path = f"/v2/team/app/blobs/{LAYER.digest}"
    with serve(faulty) as served:
        assert ask(served, "GET", "/v2/team/app/manifests/1.0").status == 200
        with pytest.raises((http.client.IncompleteRead, OSError)):
            ask(served, "GET", path)
        assert ask(served, "GET", path).body == RAW


class Plain:
    """A source that has no optional power at all."""

    def __init__(self, store: MemoryStore) -> None:
        self.locator, self.request_costs, self.refers = "plain:", None, None
        self.resolve, self.fetch, self.tags, self.repositories = (
            store.resolve,
            store.fetch,
            store.tags,
            store.repositories,
        )
        self.exists, self.open = store.exists, store.open


def test_sizes_are_learnt_from_manifests(store: MemoryStore) -> None:
    with serve(Plain(store)) as served:
        path = f"/v2/team/app/blobs/{LAYER.digest}"
        assert ask(served, "GET", path).status == 404
        assert ask(served, "GET", "/v2/team/app/manifests/1.0").status == 200
        assert ask(served, "GET", path).body == RAW
        assert ask(served, "GET", f"/v2/other/blobs/{LAYER.digest}").status == 404
        assert ask(served, "GET", f"/v2/team/app/referrers/{IMAGE.digest}").status == 404


def test_tags_and_catalog_in_pages(served: Served, store: MemoryStore) -> None:
    for tag in ("b", "a", "c"):
        fill(store, IMAGE, "zoo", tag)
    assert ask(served, "GET", "/v2/zoo/tags/list").document == {"name": "zoo", "tags": ["a", "b", "c"]}
    first = ask(served, "GET", "/v2/zoo/tags/list?n=2")
    assert first.document["tags"] == ["a", "b"]
    link = first.headers["Link"]
    assert link.endswith('>; rel="next"')
    second = ask(served, "GET", link[1 : link.index(">")])
    assert (second.document["tags"], second.headers["Link"]) == (["c"], None)
    assert ask(served, "GET", "/v2/zoo/tags/list?n=0").document["tags"] == []
    assert ask(served, "GET", "/v2/_catalog").document == {"repositories": ["team/app", "zoo"]}
    assert ask(served, "GET", "/v2/_catalog?n=1&last=team/app").document == {"repositories": ["zoo"]}


def test_referrers(served: Served, store: MemoryStore) -> None:
    signed = signature(IMAGE)
    fill(store, signed, "team/app")
    path = f"/v2/team/app/referrers/{IMAGE.digest}"
    answer = ask(served, "GET", path)
    assert answer.headers["Content-Type"] == mediatype.OCI_INDEX
    (found,) = answer.document["manifests"]
    assert (found["digest"], found["artifactType"]) == (signed.digest, SIGNATURE)
    assert answer.headers["OCI-Filters-Applied"] is None
    filtered = ask(served, "GET", f"{path}?artifactType=application/none")
    assert (filtered.document["manifests"], filtered.headers["OCI-Filters-Applied"]) == ([], "artifactType")
    assert len(ask(served, "GET", f"{path}?artifactType={quote(SIGNATURE)}").document["manifests"]) == 1
    assert ask(served, "GET", f"/v2/team/app/referrers/{Digest.of(b'none')}").document["manifests"] == []


def test_requests_are_counted(served: Served) -> None:
    ask(served, "GET", "/v2/")
    ask(served, "HEAD", f"/v2/team/app/blobs/{LAYER.digest}")
    ask(served, "GET", "/v2/team/app/manifests/2.0")
    counted = served.requests
    assert counted.total == 3
    assert counted.by_kind == {("GET", "version"): 1, ("HEAD", "blob"): 1, ("GET", "manifest"): 1}
    assert counted.by_status == {200: 2, 404: 1}


def test_a_file_that_vanished(shelved: Served, shelf: RepositoryContent, tmp_path: Path) -> None:
    digest = shelf.put(b"short")
    (tmp_path / digest.encoded).unlink()
    assert ask(shelved, "GET", f"/v2/any/blobs/{digest}").code == "BLOB_UNKNOWN"


class Heard(logging.Handler):
    """Knows when the server has said that it broke a transfer off."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if "broke off" in record.getMessage():
            self.said.set()


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler, logger = Heard(), logging.getLogger("transload.server")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(handler)


@pytest.mark.parametrize("on_disk", [True, False])
def test_a_client_that_does_not_read_is_cut_off(shelf: RepositoryContent, heard: Heard, on_disk: bool) -> None:
    content = bytes(40 << 20)
    digest = shelf.put(content)
    if not on_disk:
        shelf.paths = None
        with MemoryStore.begin(shelf, "a", Descriptor("x", digest, len(content))) as ingest:
            ingest.write([content])
            ingest.commit()
    with serve(shelf, ServeSettings(stall_timeout_s=0.1)) as served:
        host, _, port = served.host_port.partition(":")
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(f"GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert heard.said.wait(60)
        assert served.requests.bytes_sent < len(content)
        assert ask(served, "GET", "/v2/").status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("form", "status"),
    [
        ('"{}"', 304),
        ('W/"{}"', 304),
        ("{}", 304),
        ("*", 304),
        ('"a", W/"{}" , "b"', 304),
        ('"sha256:other"', 200),
        ('"x{}"', 200),
        ("", 200),
    ],
)
def test_what_a_client_has_already_is_not_sent(
    served: Served, store: MemoryStore, method: str, form: str, status: int
) -> None:
    made = image("conditional", layers=(10,))
    fill(store, made, "team/app", "1")
    for path, digest in (
        ("manifests/1", made.digest),
        (f"manifests/{made.digest}", made.digest),
        (f"blobs/{made.contents[1].descriptor.digest}", made.contents[1].descriptor.digest),
    ):
        answer = ask(served, method, f"/v2/team/app/{path}", headers={"If-None-Match": form.format(digest)})
        assert answer.status == status
        assert (answer.headers["ETag"], answer.headers["Docker-Content-Digest"]) == (f'"{digest}"', digest)
        assert status == 200 or answer.body == b""


def test_what_is_not_there_is_not_unchanged(served: Served) -> None:
    assert ask(served, "GET", "/v2/team/app/manifests/none", headers={"If-None-Match": "*"}).status == 404
