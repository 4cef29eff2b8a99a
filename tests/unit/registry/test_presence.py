"""Whether something is there, asked of registries that cannot answer HEAD."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.unit.registry.wire import Asked, Said, Wire, plain_http, refused, serving, talking
from transload.errors import AccessDenied, ProtocolTrouble, ServerTrouble
from transload.oci import Name
from transload.registry.store import RegistryStore
from transload.testing.images import image
from transload.testing.layers import layer

BLOB = layer("there", 5000)
IMAGE = image("a", (100,))
SIZE = BLOB.descriptor.size
UNKNOWN = [Said(400), Said(405), Said(501), Said(length=0), Said(headers={"Content-Length": ""})]


@contextlib.contextmanager
def redirecting(head: Said, there: bool = True) -> Iterator[tuple[Wire, Wire, RegistryStore]]:
    """A registry whose blobs are in storage that answers HEAD with `head`."""

    def store(asked: Asked) -> Said:
        if asked.method == "HEAD":
            return head
        return Said(206, {"Content-Range": f"bytes 0-0/{SIZE}"}, b"x") if there else Said(404)

    with serving(store) as storage:
        moved = Said(307, {"Location": f"http://{storage.host}/signed"})
        with serving(lambda asked: moved) as wire, plain_http() as http:
            yield wire, storage, RegistryStore(wire.host, http)


@pytest.mark.parametrize("head", [*UNKNOWN, Said(401), Said(403)])
@pytest.mark.parametrize("there", [True, False])
def test_storage_that_cannot_answer_head_is_asked_by_get(head: Said, there: bool) -> None:
    with redirecting(head, there) as (_, storage, store):
        assert store.exists("a/b", BLOB.descriptor) is there
        assert store.exists("a/b", BLOB.descriptor) is there
        assert [asked.method for asked in storage.asked] == ["HEAD", "GET", "GET"]
        assert storage.asked[1].headers["Range"] == "bytes=0-0"


def test_storage_behind_the_registrys_own_host_too() -> None:
    def hub(asked: Asked) -> Said:
        if asked.path != "/storage":
            return Said(307, {"Location": "/storage"})
        return Said(403) if asked.method == "HEAD" else Said(206, {"Content-Range": f"bytes 0-0/{SIZE}"}, b"x")

    with talking(hub) as (_, store):
        assert store.exists("a/b", BLOB.descriptor)


@pytest.mark.parametrize("head", UNKNOWN)
@pytest.mark.parametrize("size", [SIZE, SIZE - 1])
def test_a_registry_that_cannot_answer_head_is_asked_by_get_and_its_size_is_believed(head: Said, size: int) -> None:
    with talking(lambda asked: head if asked.method == "HEAD" else Said(length=size)) as (wire, store):
        assert store.exists("a/b", BLOB.descriptor) is (size == SIZE)
        again = [] if size == SIZE else ["GET"]  # another size may be an accident on the way
        assert [asked.method for asked in wire.asked] == ["HEAD", "GET", *again]


def test_a_registry_that_answers_is_asked_once() -> None:
    with talking(lambda asked: Said(length=SIZE)) as (wire, store):
        assert store.exists("a/b", BLOB.descriptor)
        assert store.exists("a/b", BLOB.descriptor)
        assert [asked.method for asked in wire.asked] == ["HEAD", "HEAD"]


@pytest.mark.parametrize(("said", "kind"), [(refused(403), AccessDenied), (refused(500), ServerTrouble)])
def test_what_the_registry_itself_says_to_head_is_an_answer(said: Said, kind: type[Exception]) -> None:
    with talking(lambda asked: said) as (wire, store), pytest.raises(kind):
        store.exists("a/b", BLOB.descriptor)
    assert "GET" not in [asked.method for asked in wire.asked]


@pytest.mark.parametrize("head", [Said(403), Said(400), Said(length=0)])
def test_manifests_too(head: Said) -> None:
    manifest = IMAGE.manifest

    def store(asked: Asked) -> Said:
        return head if asked.method == "HEAD" else Said(200, {"Content-Type": manifest.media_type}, manifest.raw)

    with serving(store) as storage:
        moved = Said(307, {"Location": f"http://{storage.host}/signed"})
        with serving(lambda asked: moved) as wire, plain_http() as http:
            registry = RegistryStore(wire.host, http)
            assert registry.resolve(Name("a/b", "1")).digest == manifest.digest
            assert registry.exists("a/b", manifest.descriptor)


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_web_page_says_nothing_of_a_blob(method: str) -> None:
    page = Said(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>Log in</html>")

    def portal(asked: Asked) -> Said:
        return page if asked.method == method else Said(405)

    with talking(portal) as (_, store), pytest.raises(ProtocolTrouble, match="does not look like a registry"):
        store.exists("a/b", BLOB.descriptor)


def test_a_web_page_is_no_damaged_blob() -> None:
    page = Said(200, {"Content-Type": "text/html"}, b"<html>Log in</html>")
    with (
        talking(lambda asked: page) as (_, store),
        pytest.raises(ProtocolTrouble, match="does not look like a registry"),
        store.open("a/b", BLOB.descriptor) as chunks,
    ):
        list(chunks)
