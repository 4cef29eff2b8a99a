"""A small engine on a socket of its own, which speaks as much of docker's API as a load needs."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import socketserver
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


class SmallEngine:
    """`images` maps names to the digests of configs, as docker's ids are; `loads` has the members of each archive.

    `full_after`: after so many bytes of an archive, it says that its disk is full.
    """

    def __init__(self, path: Path, version: str = "24.0.7") -> None:
        self.path = path
        self.version = version
        self.images: dict[str, str] = {}
        self.loads: list[dict[str, bytes]] = []
        self.broken = 0
        self.full_after: int | None = None
        self.layers: set[tuple[str, ...]] = set()

    @property
    def address(self) -> str:
        """As it is written for `--engine-address`."""
        return f"unix://{self.path}"

    def take(self, raw: bytes) -> tuple[int, dict[str, str]]:
        """Load an archive as docker does: all of it is read before a name is given."""
        with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
            members = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
        self.loads.append(members)
        for entry in json.loads(members["manifest.json"]):
            for number, layer in enumerate(entry["Layers"], 1):
                below = tuple(entry["Layers"][:number])
                if below not in self.layers and layer not in members:
                    return 500, {"message": f"open /tmp/{layer}: no such file or directory"}
                self.layers.add(below)
            for name in entry["RepoTags"]:
                self.images[name] = f"sha256:{hashlib.sha256(members[entry['Config']]).hexdigest()}"
        return 200, {"stream": "Loaded"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine: SmallEngine

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server looks for
        path = unquote(urlsplit(self.path).path)
        name = path.removeprefix("/images/").removesuffix("/json")
        if path == "/_ping":
            self._answer(200, "OK")
        elif path == "/version":
            self._answer(200, {"Version": self.engine.version, "Os": "linux", "Arch": "amd64"})
        elif path.startswith("/images/") and name in self.engine.images:
            self._answer(200, {"Id": self.engine.images[name]})
        else:
            self._answer(404, {"message": f"No such image: {name}"})

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server looks for
        body = bytearray()
        for chunk in self._chunks():
            body += chunk
            if self.engine.full_after is not None and len(body) > self.engine.full_after:
                self.close_connection = True
                self._answer(500, {"message": "write /var/lib/x: no space left on device"})
                return
        if self.close_connection:
            self.engine.broken += 1
        else:
            self._answer(*self.engine.take(bytes(body)))

    def _chunks(self) -> Iterator[bytes]:
        while True:
            size = self.rfile.readline().strip()
            if not size:
                self.close_connection = True
                return
            if size == b"0":
                self.rfile.readline()
                return
            yield self.rfile.read(int(size, 16))
            self.rfile.readline()

    def _answer(self, status: int, value: Any) -> None:
        raw = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Tests need no log."""

    def address_string(self) -> str:
        """A unix socket has no host."""
        return "local"


@contextlib.contextmanager
def small_engine(path: Path, version: str = "24.0.7") -> Iterator[SmallEngine]:
    """The engine, served for a block."""
    engine = SmallEngine(path, version)
    handler = type("Handler", (_Handler,), {"engine": engine})
    with socketserver.ThreadingUnixStreamServer(str(path), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield engine
        finally:
            server.shutdown()
            thread.join(10)
