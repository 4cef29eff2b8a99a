"""A registry at the end of a wire: it answers HTTP as the distribution specification says, in virtual time.

Blobs are zeros: only their sizes are kept. What it may refuse: requests above a rate, requests above a number at a
time, mounts, parts of blobs; and its wire may break connections.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from attrs import define, field, frozen

from benchmarks.simulation.lines import Line
from benchmarks.simulation.virtual import Virtual
from benchmarks.simulation.wires import Flow, Link, Payload, size_of

_ROUTE = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs/uploads|blobs|referrers|tags)/(?P<rest>[^?]*)")
_ENDLESS = 1e15


@frozen(kw_only=True)
class Wire:
    """What lies between a registry and us. Rates are bytes a second, in each direction.

    `each` is what one connection gets at most; `think_s` is how long the registry takes for an answer. After
    `breaks_after` bytes on a connection, more or less, the wire loses it.
    """

    rate: float = _ENDLESS
    each: float = _ENDLESS
    rtt_s: float = 0.001
    think_s: float = 0.002
    slow_start: bool = False
    breaks_after: int | None = None


@frozen(kw_only=True)
class Rules:
    """What a registry refuses. `requests` in `window_s` seconds, then 429 with Retry-After, if it is `told`.

    More than `at_a_time` requests get `crowded` (429 or 503), more than `connections` are not accepted.
    """

    requests: int | None = None
    window_s: float = 60.0
    tells: bool = True
    at_a_time: int | None = None
    crowded: int = 429
    connections: int | None = None
    mounts: bool = True
    parts: bool = True


@define
class Counts:
    """What it was asked."""

    requests: int = 0
    refused: int = 0
    connections: int = 0
    most: int = 0
    lost: int = 0
    by_way: dict[str, int] = field(factory=dict)


class Registry:
    """One registry. `blobs` and `manifests` are by repository."""

    def __init__(self, virtual: Virtual, host: str, wire: Wire, rules: Rules, *, seed: int = 1) -> None:
        self.virtual = virtual
        self.host = host
        self.wire = wire
        self.rules = rules
        self.down, self.up = Link(virtual, wire.rate), Link(virtual, wire.rate)
        self.blobs: dict[str, dict[str, int | bytes]] = {}
        self.manifests: dict[str, dict[str, bytes]] = {}
        self.sessions: dict[str, int] = {}
        self.counts = Counts()
        self.chance = random.Random(seed)
        self.open = self.busy = 0
        self._numbers = itertools.count()
        self._window_from_s = 0.0
        self._in_window = 0

    # --- connections

    def accept(self, line: Line) -> ServerLine | None:
        """A connection, or None if there are too many."""
        if self.rules.connections is not None and self.open >= self.rules.connections:
            self.counts.refused += 1
            return None
        self.open += 1
        self.counts.connections += 1
        return ServerLine(self, line)

    # --- rules

    def refuses(self) -> Answer | None:
        """The refusal, if there is a reason for one."""
        rules, now_s = self.rules, self.virtual.now_s
        if rules.at_a_time is not None and self.busy > rules.at_a_time:
            return Answer(rules.crowded)
        if rules.requests is None:
            return None
        if now_s - self._window_from_s >= rules.window_s:
            self._window_from_s, self._in_window = now_s, 0
        self._in_window += 1
        if self._in_window <= rules.requests:
            return None
        left_s = self._window_from_s + rules.window_s - now_s
        return Answer(429, {"Retry-After": str(int(left_s) + 1)} if rules.tells else {})

    # --- answers

    def answer(self, method: str, target: str, headers: dict[str, str], body: Body) -> Answer:
        """What is said to a request."""
        path, _, query = target.partition("?")
        if path == "/v2/":
            return Answer(200, body=b"{}")
        route = _ROUTE.fullmatch(path)
        if route is None:
            return Answer(404)
        fields = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
        name, kind, rest = route["name"], route["kind"], route["rest"]
        way: Callable[..., Answer] = {
            "manifests": self._manifest,
            "blobs": self._blob,
            "blobs/uploads": self._upload,
            "referrers": self._nothing,
            "tags": self._nothing,
        }[kind]
        key = f"{method} {kind}"
        self.counts.by_way[key] = self.counts.by_way.get(key, 0) + 1
        return way(method, name, rest, {key: unquote(value) for key, value in fields.items()}, headers, body)

    def _nothing(self, *_: Any) -> Answer:
        return Answer(404)

    def _manifest(self, method: str, name: str, rest: str, _: Any, __: Any, body: Body) -> Answer:
        stored = self.manifests.setdefault(name, {})
        if method == "PUT":
            raw = bytes(body.content)
            digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
            stored[digest] = stored[rest] = raw
            return Answer(201, {"Location": f"/v2/{name}/manifests/{digest}", "Docker-Content-Digest": digest})
        found = stored.get(rest)
        if found is None:
            return _unknown("MANIFEST_UNKNOWN")
        head = {
            "Content-Type": json.loads(found)["mediaType"],
            "Docker-Content-Digest": f"sha256:{hashlib.sha256(found).hexdigest()}",
        }
        return Answer(200, head, found)

    def _blob(self, _method: str, name: str, rest: str, _: Any, headers: dict[str, str], __: Any) -> Answer:
        found = self.blobs.setdefault(name, {}).get(rest)
        if found is None:
            return _unknown("BLOB_UNKNOWN")
        size, asked = size_of(found), headers.get("range")
        if asked is None or not self.rules.parts:
            return Answer(200, {"Content-Type": "application/octet-stream"}, found)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last) if last else size - 1, size - 1)
        part = end - start + 1 if isinstance(found, int) else found[start : end + 1]
        return Answer(206, {"Content-Range": f"bytes {start}-{end}/{size}"}, part)

    def _upload(self, method: str, name: str, rest: str, fields: dict[str, str], _: Any, body: Body) -> Answer:
        stored = self.blobs.setdefault(name, {})
        if method == "POST":
            digest = fields.get("mount")
            held = self.blobs.get(fields.get("from", ""), {}).get(digest or "")
            if digest and held is not None and self.rules.mounts:
                stored[digest] = held
                return Answer(201, {"Location": f"/v2/{name}/blobs/{digest}"})
            session = f"{next(self._numbers):08d}"
            self.sessions[session] = 0
            return Answer(202, {"Location": f"/v2/{name}/blobs/uploads/{session}", "Range": "0-0"})
        if rest not in self.sessions:
            return _unknown("BLOB_UPLOAD_UNKNOWN")
        if method == "DELETE":
            del self.sessions[rest]
            return Answer(204)
        if method in {"PATCH", "PUT"}:
            self.sessions[rest] += body.size - body.noted
            body.noted = body.size
        size = self.sessions[rest]
        if method == "PUT":
            del self.sessions[rest]
            stored[fields["digest"]] = size
            return Answer(201, {"Location": f"/v2/{name}/blobs/{fields['digest']}"})
        head = {"Location": f"/v2/{name}/blobs/uploads/{rest}", "Range": f"0-{max(0, size - 1)}"}
        return Answer(202 if method == "PATCH" else 204, head)


@frozen
class Answer:
    """Status, headers and body."""

    status: int
    headers: dict[str, str] = field(factory=dict)
    body: Payload = b""


@define
class Body:
    """What came with a request. `noted` bytes of it are in an upload already."""

    expected: int = 0
    size: int = 0
    noted: int = 0
    content: bytearray = field(factory=bytearray)


def _unknown(code: str) -> Answer:
    return Answer(404, {"Content-Type": "application/json"}, json.dumps({"errors": [{"code": code}]}).encode())


class ServerLine:
    """A connection as the registry sees it."""

    def __init__(self, registry: Registry, line: Line) -> None:
        wire, virtual = registry.wire, registry.virtual
        one_way_s = wire.rtt_s / 2
        self._registry, self._line, self._virtual = registry, line, virtual
        self.up = Flow(
            virtual, (Link(virtual, wire.each), registry.up), one_way_s, self._arrive, slow_start=wire.slow_start
        )
        self.down = Flow(
            virtual, (Link(virtual, wire.each), registry.down), one_way_s, self._delivered, slow_start=wire.slow_start
        )
        self._sending = 0
        self._head = bytearray()
        self._request: tuple[str, str, dict[str, str]] | None = None
        self._body = Body()
        self._is_open = True
        self._is_busy = self._is_refused = False
        after = wire.breaks_after
        self._left = None if after is None else int(after * registry.chance.uniform(0.5, 1.5))

    def left(self) -> None:
        """The client has closed it, or the wire has."""
        if self._is_open:
            self._is_open = self.up.is_open = self.down.is_open = False
            self._registry.open -= 1
            self._note_upload()
            self._finish()

    def _finish(self) -> None:
        if self._is_busy:
            self._is_busy = False
            self._registry.busy -= 1

    def _spend(self, size: int) -> None:
        """So many bytes pass; the wire may break."""
        if self._left is None:
            return
        self._left -= size
        if self._left < 0 and self._is_open:
            self._registry.counts.lost += 1
            self._line.break_off()
            self.left()

    def _note_upload(self) -> None:
        """What came of an upload before the connection broke is kept."""
        if self._request is not None and self._request[0] == "PATCH":
            session = self._request[1].rpartition("/")[2].partition("?")[0]
            if session in self._registry.sessions:
                self._registry.sessions[session] += self._body.size - self._body.noted
                self._body.noted = self._body.size

    def _arrive(self, payload: Payload) -> None:
        self.up.take(size_of(payload))
        if self._is_refused:
            return
        if self._request is None:
            assert isinstance(payload, bytes)
            self._head += payload
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            payload = bytes(self._head[end + 4 :])
            refused = self._registry.counts.refused
            self._begin(self._head[:end].decode())
            self._head.clear()
            if self._registry.counts.refused > refused:
                return
        size = size_of(payload)
        self._body.size += size
        if not isinstance(payload, int):
            self._body.content += payload
        self._spend(size)
        if self._is_open and self._request is not None and self._body.size >= self._body.expected:
            self._virtual.after(self._registry.wire.think_s, self._answer)

    def _begin(self, head: str) -> None:
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._request = (method, target, headers)
        self._body = Body(int(headers.get("content-length", "0")))
        registry = self._registry
        registry.busy += 1
        self._is_busy = True
        registry.counts.requests += 1
        registry.counts.most = max(registry.counts.most, registry.busy)
        refusal = registry.refuses()
        if refusal is not None:  # said before the body has come, of which nothing is taken; then the connection ends
            registry.counts.refused += 1
            self._is_refused = self._body.expected > 0
            self._virtual.after(registry.wire.think_s, lambda: self._say(refusal))

    def _answer(self) -> None:
        if not self._is_open or self._request is None:
            return
        method, target, headers = self._request
        self._say(self._registry.answer(method, target, headers, self._body))

    def _say(self, answer: Answer) -> None:
        if not self._is_open or self._request is None:
            return
        method, self._request = self._request[0], None
        length = size_of(answer.body)
        fields = {**answer.headers, "Content-Length": str(length)}
        if answer.status == 204:
            del fields["Content-Length"]
        lines = [f"HTTP/1.1 {answer.status} Simulated", *(f"{name}: {value}" for name, value in fields.items())]
        head_bytes = ("\r\n".join(lines) + "\r\n\r\n").encode()
        body: Payload = b"" if method == "HEAD" else answer.body
        self._sending = len(head_bytes) + size_of(body)
        self.down.push(head_bytes)
        self.down.push(body)

    def _delivered(self, payload: Payload) -> None:
        """Bytes of an answer are at the client."""
        self._line.arrive(payload)
        self._sending -= size_of(payload)
        if not self._sending:
            self._finish()
            if self._is_refused:
                self._line.end()
                self.left()
        self._spend(size_of(payload))
