"""`verify --policy` of a registry that wants to wear it out: it ends soon, in little memory, and says why."""

from __future__ import annotations

import json
import re
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from attrs import define, field

import transload
from tests.unit.app.signed import Notary, Signer
from transload import Environment, Verification
from transload.limits import SIGNATURES
from transload.oci import Digest
from transload.oci import mediatype as types
from transload.testing.images import Built, image

APP = image("app")
SIGNED_BY_NOTATION = "application/vnd.cncf.notary.signature"
LARGE = 100 << 20
_COSIGN = re.compile(r"sha256-[0-9a-f]{64}\.(sig|att)")
_PIECE = b" " * (1 << 16)


@define
class Hostile:
    """A registry with one image. `listed` are its referrers; every other manifest has `size` bytes of blanks."""

    listed: list[dict[str, object]] = field(factory=list)
    size: int = 100
    tags: dict[str, Built] = field(factory=dict)
    sent: int = 0
    requests: int = 0
    host: str = ""

    def answer(self, path: str) -> tuple[str, bytes | int] | None:
        """The type of the answer, and its bytes or how many there are; None for a tag of cosign that is not there."""
        name = path.rpartition("/")[2]
        if path == "/v2/":
            return "application/json", b"{}"
        if _COSIGN.fullmatch(name) and name not in self.tags:
            return None
        if "/referrers/" in path:
            document = {"schemaVersion": 2, "mediaType": types.OCI_INDEX, "manifests": self.listed}
            return types.OCI_INDEX, json.dumps(document).encode()
        for built in (APP, *self.tags.values()):
            if name in {"v1", built.digest} or self.tags.get(name) is built:
                return built.manifest.media_type, built.manifest.raw
            for blob, content in built.walk_blobs():
                if name == blob.digest:
                    return "application/octet-stream", content
        return types.OCI_MANIFEST, self.size


def _pieces(content: bytes | int) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    for begin in range(0, content, len(_PIECE)):
        yield _PIECE[: content - begin]


@contextmanager
def served(registry: Hostile) -> Iterator[Hostile]:
    """The registry at a port of this machine, for a block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            registry.requests += 1
            found = registry.answer(self.path)
            if found is None:
                self.send_error(404)
                return
            media_type, content = found
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(content if isinstance(content, int) else len(content)))
            if isinstance(content, bytes):
                self.send_header("Docker-Content-Digest", Digest.of(content))
            self.end_headers()
            if body:
                for piece in _pieces(content):
                    self.wfile.write(piece)
                    registry.sent += len(piece)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that hangs up is what is wanted here."""

    with Server(("127.0.0.1", 0), Handler) as server:
        registry.host = f"127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield registry
        server.shutdown()
        thread.join()


def referrer(number: int, size: int = 100) -> dict[str, object]:
    return {
        "mediaType": types.OCI_MANIFEST,
        "digest": Digest.of(b"referrer %d" % number),
        "size": size,
        "artifactType": SIGNED_BY_NOTATION,
    }


def verified(registry: Hostile, folder: Path) -> tuple[Verification, str]:
    """What verify says, within a minute (memory is traced meanwhile) and 48 MiB; and why the image is refused."""
    (folder / "vendor.pub").write_bytes(Signer("vendor.pub").pem)
    (folder / "policy.yaml").write_text(
        'version: 1\nrules: [{prefix: "", mode: require, any-of: [{cosign-key: vendor.pub}, '
        '{notation: {trust-stores: [site.crt], identities: ["*"]}}]}]\n'
    )
    (folder / "site.crt").write_bytes(Notary("root", "signer").certificate)
    tracemalloc.start()
    began = time.monotonic()
    try:
        with served(registry):
            place = f"{registry.host}/app:v1"
            checked = transload.verify(place, policy=folder / "policy.yaml", environment=Environment())
        took, peak = time.monotonic() - began, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert took < 60
    assert peak < 48 << 20
    assert checked.exit_code == 7
    return checked, checked.troubles["app:v1"].message


def test_ten_thousand_referrers(tmp_path: Path) -> None:
    registry = Hostile([referrer(number) for number in range(10_000)])
    _, told = verified(registry, tmp_path)
    assert registry.requests < 3 * SIGNATURES
    assert f"there are more than {SIGNATURES}, so the others were not looked at" in told


def test_more_referrers_than_are_listed_at_all(tmp_path: Path) -> None:
    registry = Hostile([referrer(number) for number in range(10_001)])
    _, told = verified(registry, tmp_path)
    assert "more than 10000 referrers" in told


@pytest.mark.parametrize("stated", [100, LARGE])
def test_a_signature_manifest_of_100_mb(tmp_path: Path, stated: int) -> None:
    registry = Hostile([referrer(1, stated)], size=LARGE)
    verified(registry, tmp_path)
    assert registry.sent < 16 << 20


def test_a_signature_that_is_the_image_itself(tmp_path: Path) -> None:
    """Under cosign's tag, and in the list of what refers to it."""
    own = {"mediaType": types.OCI_MANIFEST, "digest": APP.digest, "size": 100, "artifactType": SIGNED_BY_NOTATION}
    registry = Hostile([own], tags={f"sha256-{APP.digest.encoded}.sig": APP})
    _, told = verified(registry, tmp_path)
    assert "its manifest refers to no image" in told
