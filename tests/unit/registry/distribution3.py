"""A registry that treats uploads as distribution 3.1.1 does, on real sockets, and counts every byte of blobs.

What a broken connection has brought is kept. GET of a session's address, without `_state`, says where it stands; PATCH
and PUT with a stale `_state` are refused with 416, and the session is kept.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import uuid
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from attrs import define, field

from transload.oci import Digest

_READ = 64 << 10


@define
class Session:
    repository: str
    content: bytearray = field(factory=bytearray)
    lock: threading.RLock = field(factory=threading.RLock)


class Distribution3:
    """`with Distribution3() as registry:`; `received` and `sent` are the bytes of blobs in all bodies.

    `cut_every`: the connection breaks after so many bytes of each body. `hold_at`: after so many bytes in all, `held`
    is set, and no more are read or sent until `go_on` is set. `checks` is whether the digest is compared at the end.
    """

    def __init__(self, *, cut_every: int | None = None, hold_at: int | None = None, checks: bool = True) -> None:
        self.cut_every = cut_every
        self.hold_at = hold_at
        self.checks = checks
        self.held, self.go_on = threading.Event(), threading.Event()
        self.received = self.sent = self.taking = 0
        self.asked: list[str] = []
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.sessions: dict[str, Session] = {}
        self.changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _READ)  # what was sent was soon read
        self._server.registry = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def methods(self) -> Counter[str]:
        return Counter(line.partition(" ")[0] for line in self.asked)

    def __enter__(self) -> Distribution3:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for(self, count: int) -> int:
        """Wait until so many bytes of bodies were read: a client may be gone before its last bytes are."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.received >= count, 60)
            return self.received

    def settle(self) -> None:
        """Wait until no body is being read: clients that are gone have left bytes on the way."""
        self.go_on.set()
        with self.changed:
            assert self.changed.wait_for(lambda: self.taking == 0, 60)

    def take(self, bodies: int) -> None:
        with self.changed:
            self.taking += bodies
            self.changed.notify_all()

    def arrived(self, count: int) -> None:
        with self.changed:
            self.received += count
            self.changed.notify_all()
        self.hold()

    def left(self, count: int) -> None:
        with self.changed:
            self.sent += count
        self.hold()

    def hold(self) -> None:
        full = self.hold_at is not None and self.received + self.sent >= self.hold_at
        if full and not self.go_on.is_set():
            self.held.set()
            self.go_on.wait()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def registry(self) -> Distribution3:
        registry: Distribution3 = self.server.registry  # type: ignore[attr-defined]
        return registry

    @property
    def query(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}

    def _answer(self) -> None:
        self.registry.asked.append(f"{self.command} {self.path}")
        name, _, rest = urlsplit(self.path).path.removeprefix("/v2/").partition("/blobs/uploads/")
        if rest or urlsplit(self.path).path.endswith("/blobs/uploads/"):
            self._upload(name, rest)
        elif "/blobs/" in self.path:
            self._blob(*name.split("/blobs/"))
        elif "/manifests/" in self.path:
            self._manifest(*name.split("/manifests/"))
        elif self.path.partition("?")[0].endswith("/tags/list"):
            self._tags(name.removesuffix("/tags/list"))
        else:
            self._say(200 if self.path == "/v2/" else 404)

    # --- uploads

    def _upload(self, repository: str, identifier: str) -> None:
        sessions = self.registry.sessions
        if self.command == "POST":
            identifier = str(uuid.uuid4())
            sessions[identifier] = Session(repository)
            self._say_where(202, identifier)
        elif identifier not in sessions or sessions[identifier].repository != repository:
            self._refuse(404, "BLOB_UPLOAD_UNKNOWN")
        elif self.command == "GET":
            self._say_where(204, identifier)
        elif self.command == "DELETE":
            del sessions[identifier]
            self._say(204)
        else:
            self.registry.take(1)
            try:
                with sessions[identifier].lock:
                    self._append(identifier, sessions[identifier])
            finally:
                self.registry.take(-1)

    def _append(self, identifier: str, session: Session) -> None:
        stale = self.query.get("_state") != f"at-{len(session.content)}"
        start = self.headers.get("Content-Range", "").partition("-")[0]
        if stale or (start and int(start) != len(session.content)):
            self.close_connection = True
            self._refuse(416, "BLOB_UPLOAD_INVALID")
        elif self._read_into(session) and self.command == "PATCH":
            self._say_where(202, identifier)
        elif not self.close_connection:
            self._close(identifier, session)

    def _read_into(self, session: Session) -> bool:
        left, taken = int(self.headers.get("Content-Length") or 0), 0
        while left:
            limit = min(left, _READ, self.registry.cut_every - taken if self.registry.cut_every else left)
            batch = self.rfile.read1(limit) if limit > 0 else b""
            if not batch:
                self.close_connection = True
                return False
            session.content += batch
            left, taken = left - len(batch), taken + len(batch)
            self.registry.arrived(len(batch))
        return True

    def _close(self, identifier: str, session: Session) -> None:
        digest = self.query["digest"]
        if self.registry.checks and Digest.of(bytes(session.content)) != digest:
            self._refuse(400, "DIGEST_INVALID")
            return
        self.registry.blobs[session.repository, digest] = bytes(session.content)
        del self.registry.sessions[identifier]
        self._say(201)

    def _say_where(self, status: int, identifier: str) -> None:
        session = self.registry.sessions[identifier]
        at = len(session.content)
        location = f"/v2/{session.repository}/blobs/uploads/{identifier}?_state=at-{at}"
        self._say(status, Location=location, Range=f"0-{max(at - 1, 0)}")

    # --- the rest

    def _blob(self, repository: str, digest: str) -> None:
        if self.command == "DELETE":
            self._say(202 if self.registry.blobs.pop((repository, digest), None) is not None else 404)
            return
        content = self.registry.blobs.get((repository, digest))
        if content is None:
            self._say(404)
        elif self.command == "HEAD":
            self._say(200, content)
        else:
            self._send(content)

    def _send(self, content: bytes) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        start, end = (int(wanted[1]), int(wanted[2]) + 1) if wanted else (0, len(content))
        self.send_response_only(206 if wanted else 200)
        self.send_header("Content-Length", str(end - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        self.end_headers()
        try:
            for at in range(start, end, _READ):
                self.wfile.write(memoryview(content)[at : min(at + _READ, end)])
                self.registry.left(min(_READ, end - at))
        except OSError:
            self.close_connection = True

    def _manifest(self, repository: str, reference: str) -> None:
        if self.command == "PUT":
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            for key in (reference, Digest.of(raw)):
                self.registry.manifests[repository, key] = (self.headers["Content-Type"], raw)
            self._say(201)
            return
        found = self.registry.manifests.get((repository, reference))
        if found is None:
            self._refuse(404, "MANIFEST_UNKNOWN")
        else:
            self._say(200, found[1], Content_Type=found[0], Docker_Content_Digest=Digest.of(found[1]))

    def _tags(self, repository: str) -> None:
        tags = [tag for name, tag in self.registry.manifests if name == repository and ":" not in tag]
        self._say(200, json.dumps({"tags": tags}).encode()) if tags else self._refuse(404, "NAME_UNKNOWN")

    def _refuse(self, status: int, code: str) -> None:
        self._say(status, json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode())

    def _say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response_only(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
        """Nobody reads it."""
