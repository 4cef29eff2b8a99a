"""A layer beyond four GiB passes, and memory does not grow with it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from transload.layout import LayoutStore
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.mediatype import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from transload.server import serve
from transload.testing.laboratory import Answer, Asked, Laboratory

SIZE = (4 << 30) + 5
PEAK_BYTES = 96 << 20
MEASURED = """
import re, sys
from transload.cli.main import main
code = main(sys.argv[1:])
print(re.search("VmHWM:(.*)", open("/proc/self/status").read())[1])
sys.exit(code)
"""
"""The command line, and its peak memory: what the parent would see counts the parent's own before the start."""


def test_a_layer_beyond_four_gib(tmp_path: Path) -> None:
    """The layer is a hole in a file, so no disk has to hold it; the target counts and hashes what it gets."""
    folder = tmp_path / "source"
    digest = zeros()
    store = LayoutStore(folder, create=True)
    manifest = published(store, folder, digest)
    vault = Vault()
    with serve(store) as served, Laboratory(vault) as target:
        words = [sys.executable, "-c", MEASURED, "mirror", f"{served.host_port}/app:1", "--to", target.host_port]
        variables = {**os.environ, "TRANSLOAD_STATE_DIR": str(tmp_path / "state")}
        done = subprocess.run(words, env=variables, stdout=subprocess.PIPE, text=True, check=True)
    assert (vault.largest, vault.tagged) == ((SIZE, digest), manifest.digest)
    assert int(done.stdout.split()[-2]) * 1024 <= PEAK_BYTES


def zeros() -> str:
    hashed, piece = hashlib.sha256(), bytes(1 << 20)
    for _ in range(SIZE >> 20):
        hashed.update(piece)
    hashed.update(bytes(SIZE % (1 << 20)))
    return f"sha256:{hashed.hexdigest()}"


def published(store: LayoutStore, folder: Path, digest: str) -> Manifest:
    config = Descriptor(OCI_CONFIG, Digest.of(b"{}"), 2)
    layer = Descriptor(OCI_LAYER, Digest(digest), SIZE)
    with store.begin("app", config) as ingest:
        ingest.write([b"{}"])
        ingest.commit()
    blob = folder / "blobs" / "sha256" / digest.removeprefix("sha256:")
    with blob.open("wb") as file:
        file.truncate(SIZE)
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.to_json(), "layers": [layer.to_json()]}
    manifest = Manifest.parse(json.dumps(document).encode())
    store.put_manifest(Name("app", "1"), manifest)
    return manifest


class Vault:
    """A registry that keeps the digests and sizes of what it gets, not the bytes."""

    def __init__(self) -> None:
        self.largest = (0, "")
        self.tagged = ""
        self._open: dict[str, tuple[int, hashlib._Hash]] = {}

    def __call__(self, asked: Asked) -> Answer:
        kind = asked.route.kind
        if asked.method == "POST":
            self._open[f"/v2/app/blobs/uploads/{len(self._open)}"] = (0, hashlib.sha256())
            return Answer.of(202, Location=list(self._open)[-1])
        if kind == "upload":
            return self._upload(asked)
        if asked.method == "PUT" and kind == "manifest":
            self.tagged = f"sha256:{hashlib.sha256(b''.join(asked.body)).hexdigest()}"
            return Answer.of(201, Location=asked.target, Docker_Content_Digest=self.tagged)
        return Answer.of(200 if kind == "version" else 404)

    def _upload(self, asked: Asked) -> Answer:
        size, hashed = self._open[asked.path]
        for piece in asked.body:
            hashed.update(piece)
            size += len(piece)
        self._open[asked.path] = size, hashed
        if asked.method == "PATCH":
            return Answer.of(202, Location=asked.path, Range=f"0-{size - 1}")
        digest = f"sha256:{hashed.hexdigest()}"
        self.largest = max(self.largest, (size, digest))
        return Answer.of(201 if [digest] == asked.query["digest"] else 400)
