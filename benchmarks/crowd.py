"""Clients of a served store, many at a time, who push, pull, break off, tag, mount and delete at random.

Each keeps account of what the server acknowledged, so that afterwards, also after the server was killed and started
again, `check` can say what is missing: blobs answered with 201, uploads answered with 202, tags answered with 201.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import quote

from attrs import define, field, frozen

KIB, MIB = 1 << 10, 1 << 20
_OCI = "application/vnd.oci.image.manifest.v1+json"
_KEPT = 12  # blobs of one client; older ones are deleted
_TAGS = 20
# Uploads that one client leaves for some time, and for good. A server keeps a thousand (SERVED_UPLOADS) and drops the
# oldest above that. No such loss should be counted here: 24 clients stay below.
_UNFINISHED, _ABANDONED = 30, 5
_BROKEN = (OSError, http.client.HTTPException)


@frozen
class Content:
    """Bytes made from a seed."""

    seed: str
    size: int

    def read(self) -> bytes:
        """All of them."""
        return hashlib.shake_128(self.seed.encode()).digest(self.size)


@frozen
class Answer:
    """What a server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@define
class Session:
    """An upload: what will be in it, how much of it was acknowledged, and whether its end was asked for."""

    content: Content
    acknowledged: int = 0
    closing: bool = False


@define
class Account:
    """What one client was told that is there, and what went wrong."""

    blobs: dict[str, Content] = field(factory=dict)
    sessions: dict[str, Session] = field(factory=dict)
    tags: dict[str, str] = field(factory=dict)
    done: Counter[str] = field(factory=Counter)
    tried: Counter[str] = field(factory=Counter)  # done, or broken off by the server's end
    wrong: list[str] = field(factory=list)
    resumed: int = 0
    kept_bytes: int = 0


class Client:
    """One client with a repository of its own, and a random order of what it does. Used by one thread."""

    def __init__(self, address: tuple[str, int], number: int, *, seed: int = 1, largest: int = 12 * MIB) -> None:
        self.account = Account()
        self._address = address
        self._repository = f"crowd/c{number}"
        self._other = f"crowd/c{number + 1}"
        self._random = random.Random(f"{seed}/{number}")
        self._largest = largest
        self._made = 0
        self._connection: http.client.HTTPConnection | None = None
        self._silent: list[socket.socket] = []
        self._abandoned: list[str] = []

    def run(self, stop: threading.Event, pause_s: float) -> None:
        """Do one thing after the other until `stop`. A server that does not answer is asked again."""
        while not stop.wait(self._random.uniform(0, 2 * pause_s)):
            if not self.step():
                stop.wait(0.05)
        self.leave()

    def step(self) -> bool:
        """Do one thing; whether the server answered."""
        actions = list(self._actions())
        (_, action) = self._random.choices(actions, [weight for weight, _ in actions])[0]
        name = action.__name__.strip("_")
        self.account.tried[name] += 1
        try:
            action()
        except _BROKEN:
            self.account.done["broken"] += 1
            self._hang_up()
            return False
        self.account.done[name] += 1
        return True

    def leave(self) -> None:
        """Close every connection."""
        for connection in self._silent:
            connection.close()
        self._hang_up()

    def _actions(self) -> Iterator[tuple[int, Callable[[], None]]]:
        yield 20, self._push_at_once
        yield 10, self._push_in_two
        yield 10, self._push_in_pieces
        yield 2, self._push_large
        yield 6 if len(self.account.sessions) < _UNFINISHED else 60, self._resume
        yield 4, self._break_off
        yield 2, self._abandon
        yield 2, self._cancel
        yield 3, self._stay_silent
        yield 2, self._talk_nonsense
        yield 25, self._pull
        yield 10, self._pull_a_part
        yield 10, self._tag
        yield 5, self._mount
        yield 5, self._look_around
        yield 5, self._ask_for_nothing
        yield 4, self._delete_tag

    # --- pushing

    def _push_at_once(self) -> None:
        content = self._new(self._size(300 * KIB))
        body = content.read()
        self._created(self._ask("POST", f"{self._uploads}?digest={_digest(body)}", body), content, body)

    def _push_in_two(self) -> None:
        content = self._new(self._size(3 * MIB))
        location = self._begin(content)
        self._finish(location, 0)

    def _push_in_pieces(self) -> None:
        content = self._new(self._size(3 * MIB))
        location, offset = self._begin(content), 0
        while offset < content.size and self._random.random() < 0.9:
            offset = self.patch(location, offset, self._random.randint(1, MIB))
        if self._random.random() < 0.7:
            self._finish(location, offset)

    def _push_large(self) -> None:
        content = self._new(self._random.randint(self._largest // 2, self._largest))
        location = self._begin(content)
        self._finish(location, self.patch(location, 0, content.size))

    def _resume(self) -> None:
        """Go on with an upload that was left, perhaps because the server was killed."""
        if not self.account.sessions:
            return
        location = self._random.choice(list(self.account.sessions))
        offset = self.standing(location)
        if offset is not None:
            self.account.resumed += 1
            self.account.kept_bytes += offset
            self._finish(location, offset)

    def standing(self, location: str) -> int | None:
        """Where an upload stands; None if its end was reached although the answer to that was lost."""
        session, answer = self.account.sessions[location], self._ask("GET", location)
        if answer.status == 404 and session.closing:
            body = session.content.read()
            del self.account.sessions[location]
            if self._ask("HEAD", self._blob(_digest(body))).status != 200:
                # Nothing is lost: its end was not acknowledged. But it should not be gone.
                self.account.wrong.append(f"an upload is gone, its blob is not there: {location}")
            return None
        offset = _offset(answer)
        if answer.status != 204 or offset < session.acknowledged:
            self.account.wrong.append(f"{location} at {session.acknowledged}: {answer.status}, {offset}")
            del self.account.sessions[location]
            return None
        return offset

    def begin(self, size: int) -> str:
        """Open an upload of new content; its address."""
        return self._begin(self._new(size))

    def _begin(self, content: Content) -> str:
        answer = self._ask("POST", self._uploads)
        self._expect(answer, 202, "POST")
        location = answer.headers["Location"]
        self.account.sessions[location] = Session(content)
        return location

    def patch(self, location: str, offset: int, count: int) -> int:
        """Send the next bytes of an upload; the offset behind them."""
        session = self.account.sessions[location]
        piece = session.content.read()[offset : offset + count]
        headers = {"Content-Range": f"{offset}-{offset + len(piece) - 1}"}
        answer = self._ask("PATCH", location, piece, headers)
        self._expect(answer, 202, "PATCH")
        session.acknowledged = _offset(answer)
        if session.acknowledged != offset + len(piece):
            self.account.wrong.append(f"PATCH to {offset + len(piece)} left the upload at {session.acknowledged}")
        return offset + len(piece)

    def _finish(self, location: str, offset: int) -> None:
        session = self.account.sessions[location]
        body = session.content.read()
        session.closing = True
        headers = {"Content-Range": f"{offset}-{len(body) - 1}"} if offset < len(body) else {}
        answer = self._ask("PUT", f"{location}?digest={_digest(body)}", body[offset:], headers)
        if answer.status in {416, 503}:  # a request that was broken off still wrote, or the server is being stopped
            return
        del self.account.sessions[location]
        self._created(answer, session.content, body)

    def _created(self, answer: Answer, content: Content, body: bytes) -> None:
        self._expect(answer, 201, "the end of an upload")
        if answer.status != 201:
            return
        blobs = self.account.blobs
        blobs[_digest(body)] = content
        while len(blobs) > _KEPT:
            digest = next(iter(blobs))
            del blobs[digest]
            self._ask("DELETE", self._blob(digest))

    # --- leaving things undone

    def _break_off(self) -> None:
        """Promise more than is sent."""
        content = self._new(3 * MIB)
        location = self._begin(content)
        with self._dialled() as connection:
            head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: {content.size}\r\n"
            head += f"Content-Range: 0-{content.size - 1}\r\n\r\n"  # it may arrive after a later request
            connection.sendall(head.encode() + content.read()[: self._random.randint(0, content.size)])

    def _abandon(self) -> None:
        """Leave an upload for good. The oldest of several is cancelled in the end, to stay below the server's limit."""
        content = self._new(self._size(200 * KIB))
        location = self._begin(content)
        self.patch(location, 0, content.size)
        del self.account.sessions[location]
        self._abandoned.append(location)
        if len(self._abandoned) > _ABANDONED:
            self._expect(self._ask("DELETE", self._abandoned.pop(0)), 204, "DELETE of an upload")

    def _cancel(self) -> None:
        content = self._new(self._size(2 * MIB))
        location = self._begin(content)
        self.patch(location, 0, content.size)
        del self.account.sessions[location]
        self._expect(self._ask("DELETE", location), 204, "DELETE of an upload")

    def _stay_silent(self) -> None:
        connection = self._dialled()
        self._silent.append(connection)
        connection.sendall(self._random.choice([b"", b"GET /v2/ HT", b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX-A: "]))
        if len(self._silent) > 3:
            self._silent.pop(0).close()

    def _talk_nonsense(self) -> None:
        with self._dialled() as connection:
            connection.sendall(self._random.randbytes(self._random.randint(1, 20 * KIB)) + b"\r\n\r\n")
            connection.settimeout(5)
            with contextlib.suppress(OSError):
                connection.recv(1000)

    # --- the rest

    def _pull(self) -> None:
        if self.account.blobs:
            digest, content = self._random.choice(list(self.account.blobs.items()))
            self._check_blob(digest, content)

    def _pull_a_part(self) -> None:
        if self.account.blobs:
            digest, content = self._random.choice(list(self.account.blobs.items()))
            start = self._random.randrange(content.size)
            answer = self._ask("GET", self._blob(digest), headers={"Range": f"bytes={start}-"})
            if (answer.status, answer.body) != (206, content.read()[start:]):
                self.account.wrong.append(f"GET of a part of {digest}: {answer.status}")

    def _tag(self) -> None:
        if len(self.account.blobs) < 2:
            return
        config, layer = self._random.sample(list(self.account.blobs.items()), 2)
        raw = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": _OCI,
                "config": _described("application/vnd.oci.image.config.v1+json", *config),
                "layers": [_described("application/vnd.oci.image.layer.v1.tar", *layer)],
            }
        ).encode()
        tag = f"t{self._random.randrange(_TAGS)}"
        self.account.tags.pop(tag, None)  # until it is acknowledged, it may stand for either
        answer = self._ask("PUT", f"/v2/{self._repository}/manifests/{tag}", raw, {"Content-Type": _OCI})
        self._expect(answer, 201, "PUT of a manifest")
        self.account.tags[tag] = _digest(raw)

    def _mount(self) -> None:
        if self.account.blobs:
            digest = self._random.choice(list(self.account.blobs))
            path = f"/v2/{self._other}/blobs/uploads/?mount={digest}&from={quote(self._repository, safe='')}"
            self._expect(self._ask("POST", path), 201, "a mount")

    def _look_around(self) -> None:
        for path in (f"/v2/{self._repository}/tags/list?n=5", "/v2/_catalog", "/v2/"):
            self._ask("GET", path)

    def _ask_for_nothing(self) -> None:
        chance = self._random.randbytes(16).hex()
        for path in (f"{chance}/manifests/{chance}", f"a/{chance}/blobs/sha256:{chance * 2}", f"{chance}/tags/list"):
            self._expect(self._ask("GET", f"/v2/{path}"), 404, path)

    def _delete_tag(self) -> None:
        if self.account.tags:
            tag = self._random.choice(list(self.account.tags))
            del self.account.tags[tag]
            self._ask("DELETE", f"/v2/{self._repository}/manifests/{tag}")

    # --- afterwards

    def check(self) -> Account:
        """Look whether everything that was acknowledged is there, and finish every upload. The account says it."""
        for digest, content in self.account.blobs.items():
            self._check_blob(digest, content)
        for tag, digest in self.account.tags.items():
            answer = self._ask("GET", f"/v2/{self._repository}/manifests/{tag}")
            if answer.status != 200 or _digest(answer.body) != digest:
                self.account.wrong.append(f"tag {tag}: {answer.status}")
        for location, session in list(self.account.sessions.items()):
            offset = self.standing(location)
            if offset is not None:
                self._finish(location, offset)
                self._check_blob(_digest(session.content.read()), session.content)
        self._hang_up()
        return self.account

    def _check_blob(self, digest: str, content: Content) -> None:
        answer = self._ask("GET", self._blob(digest))
        if answer.status != 200 or _digest(answer.body) != digest or len(answer.body) != content.size:
            self.account.wrong.append(f"blob {digest} of {content.size} bytes: {answer.status}, {len(answer.body)}")

    # --- asking

    @property
    def _uploads(self) -> str:
        return f"/v2/{self._repository}/blobs/uploads/"

    def _blob(self, digest: str) -> str:
        return f"/v2/{self._repository}/blobs/{digest}"

    def _new(self, size: int) -> Content:
        self._made += 1
        return Content(f"{self._repository}/{self._made}/{self._random.random()}", size)

    def _size(self, largest: int) -> int:
        return 1 + int(largest ** self._random.random())

    def _dialled(self) -> socket.socket:
        return socket.create_connection(self._address, timeout=60)

    def _ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(*self._address, timeout=60)
        self._connection.request(method, path, body, headers or {})
        with self._connection.getresponse() as answer:
            read = answer.read()
        if answer.will_close:
            self._hang_up()
        return Answer(answer.status, answer.headers, read)

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _expect(self, answer: Answer, status: int, what: str) -> None:
        if answer.status == status:
            return
        if answer.status not in {429, 503}:
            self.account.wrong.append(f"{what}: {answer.status} {answer.body[:200]!r}")
        raise ConnectionError(f"{what}: {answer.status}")


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _described(media_type: str, digest: str, content: Content) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest, "size": content.size}


def _offset(answer: Answer) -> int:
    """How many bytes an upload has: both ends of Range are inclusive, and an empty upload has 0-0."""
    last = int(answer.headers.get("Range", "0-0").partition("-")[2])
    return last + 1 if last else 0
