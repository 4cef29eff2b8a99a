"""Manifests of which parts are not there, pushed to a server that takes such: a layer, a platform, or all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.server.asking import Answer, ask
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Name
from transload.server import Served, ServeSettings, serve
from transload.testing.images import Built, fill, image, multi_platform

APP = "team/app"
IMAGE = image("an image", layers=(100, 200))
MANY = multi_platform("many", layers=(100,))
LAYER = IMAGE.manifest.layers[0].digest


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MemoryStore | LayoutStore:
    return MemoryStore() if request.param == "memory" else LayoutStore(tmp_path / "folder", create=True)


@pytest.fixture
def served(store: MemoryStore | LayoutStore) -> Iterator[Served]:
    with serve(store, ServeSettings(writable=True, allow_sparse=True)) as served:
        yield served


def put(served: Served, reference: str, built: Built) -> Answer:
    headers = {"Content-Type": built.manifest.media_type}
    return ask(served, "PUT", f"/v2/{APP}/manifests/{reference}", built.manifest.raw, headers)


def send_blobs(served: Served, built: Built, *, but: str = "") -> None:
    for digest, content in built.blobs.items():
        if digest != but:
            assert ask(served, "POST", f"/v2/{APP}/blobs/uploads/?digest={digest}", content).status == 201


def check_had(served: Served, reference: str, built: Built) -> None:
    for method, body in (("HEAD", b""), ("GET", built.manifest.raw)):
        answer = ask(served, method, f"/v2/{APP}/manifests/{reference}")
        assert (answer.status, answer.body) == (200, body)
        assert answer.headers["Docker-Content-Digest"] == built.digest


@pytest.mark.parametrize("reference", ["1.0", str(IMAGE.digest), f"{IMAGE.digest}?tag=1.0"])
def test_an_image_without_a_layer_is_taken_and_had(served: Served, reference: str) -> None:
    send_blobs(served, IMAGE, but=LAYER)
    assert put(served, reference, IMAGE).status == 201
    check_had(served, reference.partition("?")[0], IMAGE)
    assert ask(served, "GET", f"/v2/{APP}/blobs/{LAYER}").code == "BLOB_UNKNOWN"


def test_it_is_listed(served: Served) -> None:
    assert put(served, "1.0", IMAGE).status == 201
    assert json.loads(ask(served, "GET", f"/v2/{APP}/tags/list").body)["tags"] == ["1.0"]


def test_what_lacks_a_layer_was_not_meant_to(served: Served, store: MemoryStore | LayoutStore) -> None:
    assert put(served, "1.0", IMAGE).status == 201
    assert store.sparse.left_out(APP, IMAGE.digest) == frozenset()
    kept, absent = MANY.children
    assert put(served, str(kept.digest), kept).status == 201
    assert put(served, "many", MANY).status == 201
    assert store.sparse.left_out(APP, MANY.digest) == {absent.digest}


def test_what_was_missing_may_still_come(served: Served, store: MemoryStore | LayoutStore) -> None:
    assert put(served, "1.0", IMAGE).status == 201
    send_blobs(served, IMAGE)
    assert ask(served, "GET", f"/v2/{APP}/blobs/{LAYER}").body == IMAGE.blobs[LAYER]
    fill(store, IMAGE, APP, "1.0")
    assert store.resolve(Name(APP, "1.0")) == IMAGE.descriptor


def test_it_is_deleted_as_others_are(tmp_path: Path) -> None:
    with serve(
        LayoutStore(tmp_path / "folder", create=True), ServeSettings(writable=True, allow_sparse=True)
    ) as served:
        send_blobs(served, IMAGE, but=LAYER)
        assert [put(served, "1.0", IMAGE).status, put(served, "many", MANY).status] == [201, 201]
        for path in ("manifests/1.0", f"manifests/{IMAGE.digest}", "manifests/many", f"manifests/{MANY.digest}"):
            assert ask(served, "DELETE", f"/v2/{APP}/{path}").status == 202
            assert ask(served, "HEAD", f"/v2/{APP}/{path}").status == 404
        config = IMAGE.manifest.config
        assert config is not None
        assert ask(served, "DELETE", f"/v2/{APP}/blobs/{config.digest}").status == 202


def test_others_refuse_it(store: MemoryStore | LayoutStore) -> None:
    with serve(store, ServeSettings(writable=True)) as strict:
        send_blobs(strict, IMAGE, but=LAYER)
        assert [put(strict, "1.0", IMAGE).code, put(strict, "many", MANY).code] == ["MANIFEST_BLOB_UNKNOWN"] * 2
        assert ask(strict, "GET", f"/v2/{APP}/tags/list").body.find(b"1.0") == -1
