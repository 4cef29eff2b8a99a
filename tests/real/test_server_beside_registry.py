"""The same questions to Debian's docker-registry and to a served store: what clients rely on is answered alike."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.real.servers import Registry, StartRegistry
from tests.unit.server.asking import ask
from transload.memory import MemoryStore
from transload.oci import Digest
from transload.server import Served, ServeSettings, serve
from transload.testing.images import image

IMAGE = image("beside", layers=(1000, 300_000))
LAYER = IMAGE.manifest.layers[1].digest
NONE = Digest.of(b"none")
TYPE = {"Content-Type": IMAGE.manifest.media_type}
OCTETS = {"Content-Type": "application/octet-stream"}
BLOB = f"/v2/a/b/blobs/{LAYER}"
HEADERS = ("Content-Length", "Content-Range", "Docker-Content-Digest", "Content-Type", "Link")


@pytest.fixture
def served() -> Iterator[Served]:
    with serve(MemoryStore(), ServeSettings(writable=True)) as served:
        yield served


class Both:
    """One question, two answers."""

    def __init__(self, registry: Registry, served: Served) -> None:
        self._registry = registry
        self._served = served

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> int:
        """The status, after checking that both say the same."""
        theirs, their_headers, their_body = self._registry.request(path, method, headers, body)
        ours = ask(self._served, method, path, body, headers)
        assert ours.status == theirs
        if theirs < 300:
            for name in HEADERS:
                self._check(name, ours.headers[name], their_headers[name], their_body)
        if method != "HEAD" and theirs >= 400 and their_body.startswith(b"{"):
            assert ours.code == json.loads(their_body)["errors"][0]["code"]
        if method == "GET" and not path.startswith("/v2/_") and theirs < 300 and "list" not in path:
            assert ours.body == their_body
        return ours.status

    def _check(self, name: str, ours: str | None, theirs: str | None, body: bytes) -> None:
        if name in {"Content-Type", "Content-Length"} and (theirs is None or theirs.startswith("application/json")):
            return
        if name == "Content-Length" and body.startswith(b'{"'):  # JSON may be spaced differently
            return
        assert ours == theirs, name

    def upload(self, content: bytes) -> None:
        """Bring a blob in by POST and PUT, each server at its own location."""
        opened = self._registry.request("/v2/a/b/blobs/uploads/", "POST", {"Content-Length": "0"})
        location = opened[1]["Location"].removeprefix(self._registry.url)
        digest = Digest.of(content)
        assert self._registry.request(f"{location}&digest={digest}", "PUT", OCTETS, content)[0] == 201
        location = ask(self._served, "POST", "/v2/a/b/blobs/uploads/").headers["Location"]
        assert ask(self._served, "PUT", f"{location}?digest={digest}", content, OCTETS).status == 201


@pytest.fixture
def both(start_registry: StartRegistry, served: Served) -> Both:
    both = Both(start_registry(http={"relativeurls": True}), served)
    for content in IMAGE.blobs.values():
        both.upload(content)
    for tag in ("1", "2", "3"):
        assert both.ask("PUT", f"/v2/a/b/manifests/{tag}", IMAGE.manifest.raw, TYPE) == 201
    return both


def test_pulling(both: Both) -> None:
    accept = {"Accept": IMAGE.manifest.media_type}
    assert both.ask("GET", "/v2/") == 200
    for method in ("GET", "HEAD"):
        assert both.ask(method, "/v2/a/b/manifests/1", headers=accept) == 200
        assert both.ask(method, f"/v2/a/b/manifests/{IMAGE.digest}", headers=accept) == 200
        assert both.ask(method, BLOB) == 200
        assert both.ask(method, "/v2/a/b/manifests/none", headers=accept) == 404
        assert both.ask(method, f"/v2/a/b/manifests/{NONE}", headers=accept) == 404
        assert both.ask(method, f"/v2/a/b/blobs/{NONE}") == 404
        assert both.ask(method, "/v2/no/such/manifests/1", headers=accept) == 404


# A range beyond the end is not among them: there docker-registry 2.8 promises the whole blob's length and ends short.
@pytest.mark.parametrize("value", ["0-0", "10-19", "299000-", "-7", "5-99999999"])
def test_ranges(both: Both, value: str) -> None:
    assert both.ask("GET", BLOB, headers={"Range": f"bytes={value}"}) == 206


def test_lists(both: Both) -> None:
    for path in ("/v2/a/b/tags/list", "/v2/_catalog", "/v2/_catalog?n=1"):
        assert both.ask("GET", path) == 200
    assert both.ask("GET", "/v2/no/such/tags/list") == 404


def test_pushing(both: Both) -> None:
    manifests = "/v2/a/b/manifests"
    assert both.ask("PUT", f"{manifests}/{IMAGE.digest}", IMAGE.manifest.raw, TYPE) == 201
    assert both.ask("PUT", f"{manifests}/{NONE}", IMAGE.manifest.raw, TYPE) == 400
    assert both.ask("PUT", f"{manifests}/4", image("absent").manifest.raw, TYPE) == 400
    assert both.ask("PUT", f"{manifests}/4", b"{", TYPE) == 400
    assert both.ask("POST", f"/v2/c/blobs/uploads/?mount={LAYER}&from=a/b") == 201
    assert both.ask("POST", f"/v2/c/blobs/uploads/?mount={NONE}&from=a/b") == 202
