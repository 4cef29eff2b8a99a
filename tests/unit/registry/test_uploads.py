"""The upload ladder against registries and proxies that take bodies in their own ways."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.unit.registry.wire import Asked, Said, refused, talking
from transload.errors import (
    AccessDenied,
    CorruptError,
    DigestMismatch,
    ReadOnly,
    Refused,
    RepositoryUnknown,
    ServerTrouble,
    SizeMismatch,
    StorageFull,
    TooLarge,
    TransloadError,
    Unreachable,
)
from transload.oci import Descriptor, Digest
from transload.registry.store import RegistryStore

MIB = 1 << 20
LARGE = bytes(range(256)) * (10 * 4096)  # 10 MiB
SMALL = b"small" * 100


def described(content: bytes) -> Descriptor:
    return Descriptor("application/octet-stream", Digest.of(content), len(content))


class Vault:
    """A registry that takes uploads; its attributes are its manners."""

    def __init__(self) -> None:
        self.sessions: dict[str, bytearray] = {}
        self.blobs: dict[str, bytes] = {}
        self.location: Callable[[str], str] = lambda path: path
        self.largest_body: int | None = None
        self.patch: Callable[[Asked], Said | None] = lambda asked: None
        self.put: Callable[[Asked], Said | None] = lambda asked: None
        self.patch_status = 202
        self.range: Callable[[int], str] = lambda size: f"0-{max(size - 1, 0)}"
        self.headers: dict[str, str] = {}
        self.keeps_interrupted = False
        self.generation = 0

    def __call__(self, asked: Asked) -> Said:
        length = int(asked.headers.get("Content-Length") or 0)
        if self.largest_body is not None and length > self.largest_body:
            return Said(413, {"Content-Type": "text/html"}, b"<h1>413 Request Entity Too Large</h1>", unread=True)
        return {"POST": self._post, "PATCH": self._patch, "PUT": self._put}.get(asked.method, self._other)(asked)

    def _post(self, asked: Asked) -> Said:
        name = f"session{len(self.sessions)}"
        self.sessions[name] = bytearray()
        return Said(202, {"Location": self._at(name), **self.headers})

    def _patch(self, asked: Asked) -> Said:
        said = self.patch(asked)
        if said is not None:
            return said
        name, content = self._session(asked)
        if content is None:
            return refused(404, "BLOB_UPLOAD_UNKNOWN")
        start = asked.headers.get("Content-Range")
        if start and int(start.partition("-")[0]) != len(content):
            return refused(416, "RANGE_INVALID")
        content += asked.body
        return Said(self.patch_status, {"Location": self._at(name), "Range": self.range(len(content))})

    def _put(self, asked: Asked) -> Said:
        said = self.put(asked)
        if said is not None:
            return said
        _, content = self._session(asked)
        if content is None:
            return refused(404, "BLOB_UPLOAD_UNKNOWN")
        content += asked.body
        digest = asked.query["digest"][0]
        if Digest.of(bytes(content)) != digest:
            return refused(400, "DIGEST_INVALID")
        self.blobs[digest] = bytes(content)
        return Said(201)

    def _other(self, asked: Asked) -> Said:
        if asked.method == "HEAD":
            blob = self.blobs.get(asked.path.rpartition("/")[2])
            return Said(404) if blob is None else Said(200, body=blob)
        name, content = self._session(asked, state=False)
        if asked.method == "DELETE":
            self.sessions.pop(name, None)
            return Said(204)
        if content is None or not self.keeps_interrupted:
            return refused(404, "BLOB_UPLOAD_INVALID")
        return Said(204, {"Location": self._at(name), "Range": self.range(len(content))})

    def _at(self, name: str) -> str:
        self.generation += 1
        return self.location(f"/v2/a/b/blobs/uploads/{name}?part=x%2Fy&_state={self.generation}")

    def _session(self, asked: Asked, *, state: bool = True) -> tuple[str, bytearray | None]:
        assert asked.query["part"] == ["x/y"]
        assert ("_state" in asked.query) is (state or asked.method == "DELETE")
        name = asked.path.rpartition("/")[2]
        return name, self.sessions.get(name)


def sending(content: bytes, size: int = MIB) -> Iterator[memoryview]:
    """Views of one buffer that is used again."""
    buffer = bytearray(size)
    for start in range(0, len(content), size):
        count = len(content[start : start + size])
        buffer[:count] = content[start : start + size]
        yield memoryview(buffer)[:count]
        buffer[:] = bytes(size)


def upload(store: RegistryStore, content: bytes, descriptor: Descriptor | None = None) -> None:
    with store.begin("a/b", descriptor or described(content)) as ingest:
        ingest.write(sending(content[ingest.offset :]))
        ingest.commit()


def until_done(store: RegistryStore, content: bytes, attempts: int) -> None:
    """As an engine does: begin again what may succeed."""
    for _ in range(attempts - 1):
        try:
            upload(store, content)
        except TransloadError as error:
            if not error.retryable:
                raise
        else:
            return
    upload(store, content)


def summary(asked: list[Asked]) -> list[str]:
    return [f"{each.method} {each.headers.get('Content-Length') or ''}".strip() for each in asked]


# --- the usual way


def test_a_small_blob_takes_two_requests() -> None:
    vault = Vault()
    with talking(vault) as (wire, store):
        upload(store, SMALL)
        assert vault.blobs == {described(SMALL).digest: SMALL}
        assert summary(wire.asked) == ["POST 0", "PUT 500"]
        assert store.traffic.requests == 2
        assert store.traffic.bytes_sent == 500


def test_where_every_last_request_with_content_loses_the_upload_it_is_sent_by_patch() -> None:
    vault = Vault()
    vault.put = lambda asked: refused(404, "BLOB_UPLOAD_UNKNOWN") if asked.body else None
    with talking(vault) as (wire, store):
        until_done(store, SMALL, 3)
        assert [line for line in summary(wire.asked) if line[:2] == "PA"] == ["PATCH 500"]
        assert store.capabilities.to_json()["put_with_body"] is False
        begun = len(wire.asked)
        upload(store, SMALL + b"2")
        assert summary(wire.asked[begun:]) == ["POST 0", "PATCH 501", "PUT 0"]
        assert set(vault.blobs) == {described(SMALL).digest, described(SMALL + b"2").digest}


@pytest.mark.parametrize("before", [0, 1])
def test_an_upload_that_is_lost_by_chance_changes_nothing(before: int) -> None:
    vault, lost = Vault(), [before, 1, 1]
    with talking(vault) as (wire, store):
        for number, times in enumerate(lost):
            left = [times]

            def lose(asked: Asked, left: list[int] = left) -> Said | None:
                left[0] -= 1
                return refused(404, "BLOB_UPLOAD_UNKNOWN") if left[0] >= 0 else None

            vault.put = lose
            until_done(store, SMALL + bytes([number]), 2)
        assert not any(asked.method == "PATCH" for asked in wire.asked)


def test_a_large_blob_takes_three_requests_and_one_stream() -> None:
    vault = Vault()
    with talking(vault) as (wire, store):
        upload(store, LARGE)
        assert vault.blobs == {described(LARGE).digest: LARGE}
        assert summary(wire.asked) == ["POST 0", f"PATCH {len(LARGE)}", "PUT 0"]
        assert "Content-Range" not in wire.asked[1].headers
        assert "Transfer-Encoding" not in wire.asked[1].headers
        assert "_state=1" in wire.asked[1].target
        assert "_state=2" in wire.asked[2].target  # always the latest Location
        assert wire.asked[2].target.endswith(f"&digest={described(LARGE).digest}")


@pytest.mark.parametrize("content", [b"", b"x", b"x" * MIB, b"x" * (MIB + 1)])
def test_sizes_at_the_border(content: bytes) -> None:
    vault = Vault()
    with talking(vault) as (_, store):
        upload(store, content)
        assert vault.blobs == {described(content).digest: content}


def test_a_location_may_be_absolute() -> None:
    vault = Vault()
    with talking(vault) as (wire, store):
        vault.location = lambda path: f"http://{wire.host}{path}"
        upload(store, LARGE)
        assert len(wire.asked) == 3


def test_a_location_on_another_host_gets_no_credentials() -> None:
    storage = Vault()
    with talking(storage) as (far, _):

        def registry(asked: Asked) -> Said:
            if not asked.headers.get("Authorization"):
                return (
                    refused(401, WWW_Authenticate='Bearer realm="/token"')
                    if asked.path != "/token"
                    else Said(body=b'{"token": "t"}')
                )
            return storage(asked)

        storage.location = lambda path: f"http://{far.host}{path}"
        with talking(registry) as (near, store):
            upload(store, LARGE)
            assert summary(far.asked) == [f"PATCH {len(LARGE)}", "PUT 0"]
            assert all("Authorization" not in asked.headers for asked in far.asked)
            assert [asked.path for asked in near.asked] == [
                "/v2/a/b/blobs/uploads/",
                "/token",
                "/v2/a/b/blobs/uploads/",
            ]


# --- wrong content


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_wrong_content_is_never_committed(content: bytes) -> None:
    vault = Vault()
    wrong = b"!" + content[1:]
    with talking(vault) as (wire, store):
        with pytest.raises(DigestMismatch):
            upload(store, wrong, described(content))
        assert vault.blobs == {}
        assert not any(asked.method == "PUT" for asked in wire.asked)
        if content is LARGE:
            assert wire.asked[-1].method == "DELETE"
        upload(store, content)
        assert vault.blobs[described(content).digest] == content


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("change", [-1, 1])
def test_wrong_sizes_are_noticed_here(content: bytes, change: int) -> None:
    vault = Vault()
    with talking(vault) as (wire, store):
        with pytest.raises(SizeMismatch):
            upload(store, (content + b"x")[: len(content) + change], described(content))
        assert not any(asked.method == "PUT" for asked in wire.asked)
        upload(store, content)


# --- interruptions


def breaking(content: bytes, error: BaseException) -> Iterator[bytes]:
    yield from (content[start : start + MIB] for start in range(0, len(content), MIB))
    raise error


def test_an_error_of_the_source_passes_and_the_rest_is_sent_where_the_registry_can_resume() -> None:
    vault = Vault()
    vault.keeps_interrupted = True

    broken = iter([True])

    def keep(asked: Asked) -> Said | None:
        """What distribution 3 does: what arrived is kept, though the connection broke."""
        if not next(broken, False):
            return None
        vault.sessions["session0"] += asked.body[: 3 * MIB]
        noted.set()
        return Said(hang_up=True)

    noted = threading.Event()
    vault.patch = keep
    mine = ConnectionResetError("of the source")
    with talking(vault) as (wire, store):
        with pytest.raises(ConnectionResetError) as caught, store.begin("a/b", described(LARGE)) as ingest:
            ingest.write(breaking(LARGE[: 4 * MIB], mine))
        assert caught.value is mine
        assert noted.wait(60)
        with store.begin("a/b", described(LARGE)) as ingest:
            assert ingest.offset == 3 * MIB
            ingest.write(sending(LARGE[3 * MIB :]))
            ingest.commit()
        assert vault.blobs[described(LARGE).digest] == LARGE
        assert store.capabilities.resumes is True
        probe, resumed = wire.asked[2], wire.asked[3]
        assert (probe.method, "_state" in probe.target) == ("GET", False)
        assert resumed.headers["Content-Range"] == f"{3 * MIB}-{len(LARGE) - 1}"
        assert summary(wire.asked)[3:] == [f"PATCH {7 * MIB}", "PUT 0"]


def test_a_registry_that_still_takes_in_what_a_broken_connection_left_is_asked_again() -> None:
    vault = Vault()
    vault.keeps_interrupted = True
    late = iter([b"", b"", LARGE[: 3 * MIB]])
    broken, over = iter([True]), threading.Event()

    def script(asked: Asked) -> Said:
        if asked.method == "GET":
            vault.sessions["session0"] += next(late)
        if asked.method == "PATCH" and next(broken, False):
            assert len(asked.body) <= 4 * MIB
            over.set()
            return Said(hang_up=True)
        return vault(asked)

    with talking(script) as (wire, store):
        with pytest.raises(ConnectionResetError), store.begin("a/b", described(LARGE)) as ingest:
            ingest.write(breaking(LARGE[: 4 * MIB], ConnectionResetError()))
        assert over.wait(60)
        upload(store, LARGE)
        assert vault.blobs[described(LARGE).digest] == LARGE
        assert store.capabilities.resumes is True
        assert summary(wire.asked) == ["POST 0", f"PATCH {10 * MIB}", "GET", "GET", "GET", f"PATCH {7 * MIB}", "PUT 0"]


def test_a_registry_that_cannot_resume_is_given_a_new_session_and_not_asked_again() -> None:
    vault = Vault()
    failures = iter([True, True])

    def fail(asked: Asked) -> Said | None:
        return Said(hang_up=True) if next(failures, False) else None

    vault.patch = fail
    with talking(vault) as (wire, store):
        for _ in range(2):
            with pytest.raises(Unreachable):
                upload(store, LARGE)
        upload(store, LARGE)
        assert vault.blobs[described(LARGE).digest] == LARGE
        assert [asked.method for asked in wire.asked] == [
            "POST",
            "PATCH",
            "GET",
            "DELETE",  # nobody will go on with it
            "POST",
            "PATCH",
            "DELETE",
            "POST",
            "PATCH",
            "PUT",
        ]
        assert store.capabilities.resumes is False


def test_parts_that_were_mixed_up_are_sent_again_from_the_start() -> None:
    vault = Vault()
    vault.keeps_interrupted = True
    calls: list[Asked] = []

    def corrupt(asked: Asked) -> Said | None:
        calls.append(asked)
        if len(calls) > 1:
            return None
        vault.sessions["session0"] += b"?" * len(asked.body[: 2 * MIB])
        return Said(hang_up=True)

    vault.patch = corrupt
    with talking(vault) as (_, store):
        until_done(store, LARGE, 3)
        assert vault.blobs[described(LARGE).digest] == LARGE
        assert store.capabilities.resumes is False


def test_a_failed_commit_is_repeated_without_the_bytes() -> None:
    vault = Vault()
    left = iter([True] * 7)
    vault.put = lambda asked: Said(503) if next(left, False) else None
    with talking(vault, attempts=2) as (wire, store):
        until_done(store, LARGE, 5)
        assert sum(asked.method == "PATCH" for asked in wire.asked) == 1
        assert vault.blobs[described(LARGE).digest] == LARGE


def test_a_refused_commit_of_a_blob_that_is_there_is_none() -> None:
    """The answer got lost, or somebody else was faster."""
    vault = Vault()

    def late(asked: Asked) -> Said | None:
        vault.blobs[asked.query["digest"][0]] = LARGE
        return refused(400, "BLOB_UPLOAD_INVALID", "cannot be updated")

    vault.put = late
    with talking(vault) as (wire, store):
        upload(store, LARGE)
        assert wire.asked[-1].method == "HEAD"


def test_early_ends_leave_it_unfinished() -> None:
    vault = Vault()
    with talking(vault) as (_, store):
        with store.begin("a/b", described(LARGE)) as ingest:
            ingest.write(sending(LARGE[: 2 * MIB]))
            ingest.write(sending(LARGE[ingest.offset :]))
            ingest.commit()
        assert vault.blobs[described(LARGE).digest] == LARGE


# --- other ways


@pytest.mark.parametrize("limit", [9 * MIB, 5 * MIB, MIB])
def test_bodies_that_are_too_large_are_cut_smaller_and_that_is_remembered(limit: int) -> None:
    vault = Vault()
    vault.largest_body = limit
    with talking(vault) as (wire, store):
        until_done(store, LARGE, 6)
        assert vault.blobs[described(LARGE).digest] == LARGE
        assert store.capabilities.upload_mode == "pieces"
        before = len(wire.asked)
        other = LARGE[::-1]
        upload(store, other)
        pieces = wire.asked[before + 1 : -1]
        assert {asked.method for asked in pieces} == {"PATCH"}
        assert all(int(asked.headers["Content-Length"] or 0) <= limit for asked in pieces)
        ranges = [asked.headers["Content-Range"] or "" for asked in pieces]
        assert all(re.fullmatch(r"\d+-\d+", each) for each in ranges)
        assert ranges[-1].endswith(f"-{len(other) - 1}")


def test_a_limit_below_reason_is_told() -> None:
    vault = Vault()
    vault.largest_body = 1000
    with talking(vault) as (_, store):
        with pytest.raises(TooLarge, match="413"):
            until_done(store, LARGE, 12)
        assert vault.blobs == {}


def test_small_blobs_go_in_pieces_too_where_they_must() -> None:
    vault = Vault()
    vault.largest_body = 300 << 10
    content = LARGE[: 800 << 10]
    with talking(vault) as (_, store):
        until_done(store, content, 6)
        assert vault.blobs[described(content).digest] == content


def test_the_registrys_smallest_chunk_is_heeded() -> None:
    vault = Vault()
    vault.headers = {"OCI-Chunk-Min-Length": str(4 * MIB)}
    with talking(vault) as (wire, store):
        store.capabilities.upload_mode, store.capabilities.piece_bytes = "pieces", MIB
        upload(store, LARGE)
        sizes = [int(asked.headers["Content-Length"] or 0) for asked in wire.asked if asked.method == "PATCH"]
        assert sizes == [4 * MIB, 4 * MIB, 2 * MIB]


@pytest.mark.parametrize("said", [Said(404), Said(405), refused(400, "UNSUPPORTED"), Said(501)])
def test_where_patch_is_unknown_the_body_goes_with_the_put(said: Said) -> None:
    vault = Vault()
    vault.patch = lambda asked: said
    with talking(vault) as (wire, store):
        until_done(store, LARGE, 2)
        assert vault.blobs[described(LARGE).digest] == LARGE
        assert store.capabilities.upload_mode == "put"
        before = len(wire.asked)
        upload(store, LARGE[::-1])
        assert summary(wire.asked)[before:] == ["POST 0", f"PUT {len(LARGE)}"]


def test_a_put_with_the_body_does_not_commit_wrong_content() -> None:
    vault = Vault()
    with talking(vault) as (_, store):
        store.capabilities.upload_mode = "put"
        with pytest.raises(CorruptError):
            upload(store, b"!" + LARGE[1:], described(LARGE))
        assert vault.blobs == {}


def test_where_the_put_takes_no_body_small_ones_are_patched() -> None:
    vault = Vault()
    vault.put = lambda asked: Said(404) if int(asked.headers["Content-Length"] or 0) else None
    with talking(vault) as (wire, store):
        until_done(store, SMALL, 2)
        assert vault.blobs[described(SMALL).digest] == SMALL
        before = len(wire.asked)
        upload(store, SMALL[::-1])
        assert summary(wire.asked)[before:] == ["POST 0", "PATCH 500", "PUT 0"]


def test_a_patch_that_answers_created_and_a_range_that_stands_still() -> None:
    vault = Vault()
    vault.patch_status = 201
    vault.range = lambda size: "0-0"
    with talking(vault) as (wire, store):
        upload(store, LARGE)
        assert len(wire.asked) == 3


def test_a_range_shorter_than_what_was_sent_is_no_success() -> None:
    vault = Vault()
    vault.range = lambda size: "0-99"
    with talking(vault) as (wire, store):
        with pytest.raises(ServerTrouble, match="kept 100 of"):
            upload(store, LARGE)
        assert not any(asked.method == "PUT" for asked in wire.asked)


def test_a_lost_session_is_begun_anew() -> None:
    vault = Vault()
    lost = iter([True])
    vault.patch = lambda asked: refused(404, "BLOB_UPLOAD_UNKNOWN") if next(lost, False) else None
    with talking(vault) as (_, store):
        until_done(store, LARGE, 2)
        assert store.capabilities.upload_mode == "stream"


# --- refusals


@pytest.mark.parametrize(
    ("said", "error", "text"),
    [
        (refused(405, "UNSUPPORTED", "The operation is unsupported."), ReadOnly, "unsupported"),
        (refused(404, "NAME_UNKNOWN", "repository name not known"), RepositoryUnknown, "not known"),
        (refused(403, "DENIED"), AccessDenied, "403"),
        (refused(400, "NAME_INVALID", "invalid repository name"), Refused, "invalid repository name"),
        (
            refused(
                500, "UNKNOWN", "unknown error", {"DriverName": "filesystem", "Enclosed": {"Op": "write", "Err": 28}}
            ),
            StorageFull,
            "the disk of .* is full",
        ),
        (Said(200, {"Content-Type": "text/html"}, b"<html>hello"), TransloadError, "does not look like a registry"),
    ],
)
def test_a_refused_beginning(said: Said, error: type[Exception], text: str) -> None:
    with talking(lambda asked: said) as (_, store), pytest.raises(error, match=text):
        upload(store, SMALL)


def test_a_token_that_ends_in_the_middle_is_no_final_refusal() -> None:
    vault = Vault()
    vault.patch = lambda asked: refused(401, "UNAUTHORIZED", WWW_Authenticate='Bearer realm="/token"')
    with talking(vault) as (_, store), pytest.raises(ServerTrouble, match="stopped accepting"):
        upload(store, LARGE)


def test_abandoning_tells_the_registry() -> None:
    vault = Vault()
    with talking(vault) as (wire, store):
        with store.begin("a/b", described(LARGE)) as ingest:
            ingest.write(sending(LARGE))
            ingest.abandon()
        assert vault.sessions == {}
        assert wire.asked[-1].method == "DELETE"
        with store.begin("a/b", described(LARGE)) as ingest:
            assert ingest.offset == 0


def test_an_upload_address_that_cannot_be_reached_is_told_with_the_registry_that_named_it() -> None:
    vault = Vault()
    vault.location = lambda path: f"http://127.0.0.1:1{path}"
    with talking(vault, attempts=1) as (wire, store), pytest.raises(Unreachable) as caught:
        upload(store, SMALL)
    assert f"({wire.host} sent us to 127.0.0.1:1)" in caught.value.message


@pytest.mark.parametrize(
    ("said", "kind", "hint"),
    [
        (refused(404, "NAME_UNKNOWN", "the repository does not exist"), RepositoryUnknown, "be created first"),
        (refused(404, "NOT_FOUND", "project x not found"), RepositoryUnknown, "be created first"),
        (refused(403, "DENIED", "requested access to the resource is denied"), AccessDenied, "be created first"),
        (refused(400, "NAME_INVALID", "invalid repository name"), Refused, "--flatten"),
        (refused(403, "DENIED", "which will exceed the configured upper limit of 10 GiB"), Refused, "quota"),
        (refused(412, "PRECONDITION", "'app:1' configured as immutable"), Refused, "--target-tag"),
        (refused(400, "TAG_INVALID", "cannot be overwritten because the tag is immutable"), Refused, "--target-tag"),
    ],
)
def test_what_a_target_that_refuses_a_path_may_want(said: Said, kind: type[TransloadError], hint: str) -> None:
    with talking(lambda asked: said) as (_, store), pytest.raises(kind) as caught:
        upload(store, SMALL)
    assert hint in (caught.value.hint or "")


# --- one request for a small blob


def single_post(vault: Vault, answer: Callable[[Asked], Said | None]) -> Callable[[Asked], Said]:
    """The registry with another way of answering a POST that has the whole blob."""

    def script(asked: Asked) -> Said:
        return (answer(asked) if "digest" in asked.query and asked.method == "POST" else None) or vault(asked)

    return script


def test_a_registry_that_takes_it_gets_a_small_blob_in_one_request() -> None:
    vault = Vault()

    def store_it(asked: Asked) -> Said:
        vault.blobs[asked.query["digest"][0]] = asked.body
        return Said(201)

    with talking(single_post(vault, store_it)) as (wire, store):
        store.capabilities.learn("single_post", True)
        assert store.request_costs
        assert store.request_costs.ingest(len(SMALL)) == 1
        upload(store, SMALL)
        assert vault.blobs == {described(SMALL).digest: SMALL}
        assert summary(wire.asked) == ["POST 500"]


@pytest.mark.parametrize("status", [202, 400, 405])
def test_a_registry_that_no_longer_takes_it_gets_the_blob_in_the_usual_way(status: int) -> None:
    vault = Vault()

    def refuse(asked: Asked) -> Said | None:
        asked.body  # noqa: B018 - it reads the body, as servers do
        return None if status == 202 else refused(status, "UNSUPPORTED")

    with talking(single_post(vault, refuse)) as (wire, store):
        store.capabilities.learn("single_post", True)
        upload(store, SMALL)
        assert vault.blobs == {described(SMALL).digest: SMALL}
        usual = ["PUT 500"] if status == 202 else ["POST 0", "PUT 500"]
        assert summary(wire.asked) == ["POST 500", *usual]
        assert store.capabilities.single_post is False
        assert store.request_costs
        assert store.request_costs.ingest(len(SMALL)) == 2
