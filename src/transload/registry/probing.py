"""Tries out what a registry takes, before a run. What is begun here is cancelled; what is stored is deleted again.

Every method asks the registry a few small questions, and sends no more bytes than it is told. What they teach about
the registry goes to its `Capabilities`, as in a run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from email.utils import mktime_tz, parsedate_tz

from transload.errors import ServerTrouble, TooLarge
from transload.net.messages import HttpRequest, Reply
from transload.oci import Descriptor, Digest
from transload.ports import Chunk
from transload.registry.api import Api
from transload.registry.digestcheck import DigestCheck
from transload.registry.headers import Challenge, challenges
from transload.registry.product import Product, product_of
from transload.registry.referrers import Referrers
from transload.registry.scope import removal
from transload.registry.session import UploadSession
from transload.registry.translate import complaints
from transload.values import frozen

_OCTETS = "application/octet-stream"
_ANSWER_BYTES = 64 << 10
_BLOCK = 256 << 10
_TRIES = 12  # from 1 TiB down to the smallest piece
_LOOKS = 4
_FEW = 64


@frozen
class Greeting:
    """The answer to the first request, without a login: status, the server's clock, ways to log in, its name.

    `product` is None where nothing tells what it is.
    """

    status: int
    wall_s: float | None
    offered: tuple[Challenge, ...]
    server: str = ""
    product: Product | None = None


class _Look(bytes):
    """An empty piece of a body. Sending it only makes the connection look whether the answer is there already."""

    __slots__ = ()

    def __bool__(self) -> bool:  # urllib3 leaves out pieces that are false
        return True


class _Enough(Exception):
    """Raised by the source of a body, to end the request: nothing more is to be learnt from it."""


def nonsense(size: int) -> Descriptor:
    """A descriptor whose digest belongs to nothing."""
    return Descriptor(_OCTETS, Digest.of(os.urandom(32)), size)


class RegistryProbes:
    """What can be tried out at one registry."""

    def __init__(self, api: Api, referrers: Referrers) -> None:
        self._api = api
        self._referrers = referrers

    def greet(self) -> Greeting:
        """Ask the base address once, without a login. Raises `Unreachable` and its kinds, `ServerTrouble`."""
        doing = f"asking {self._api.host}"
        request = HttpRequest("GET", self._api.url(""), doing, "check", retried=False, limit=_ANSWER_BYTES)
        reply = self._api.http.ask(request)
        offered = challenges(reply.headers.get("WWW-Authenticate", "")) if reply.status == 401 else ()
        product = product_of(self._api.host, reply.headers, offered)
        return Greeting(
            status=reply.status,
            wall_s=_moment_s(reply),
            offered=offered,
            server=reply.headers.get("Server", "")[:80],
            product=product,
        )

    def open_upload(self, repository: str) -> None:
        """Begin an upload in a repository, and cancel it. Raises what a run would: `AccessDenied`, `NotFound`, …"""
        session = UploadSession(self._api, repository, nonsense(1))
        session.open()
        session.cancel()

    # --- bodies

    def largest_body(self, repository: str, wanted: int, pause_s: float) -> int:
        """The largest body up to `wanted` bytes that is not refused when it is announced; 0 if none is taken.

        Nothing of a body is sent. For `_LOOKS` times `pause_s` seconds it waits for a refusal, then it closes the
        connection: a server that refuses by the announced length does so at once. One that counts what arrives is not
        found out.
        Raises what the registry answers otherwise.
        """
        capabilities = self._api.capabilities
        for _ in range(_TRIES):
            length = min(wanted, capabilities.piece_size(0)) if capabilities.upload_mode == "pieces" else wanted
            before = capabilities.way_of_uploading()
            try:
                self._send(repository, length, self._looks(pause_s))
                return length
            except _Enough:
                return length
            except TooLarge:
                return 0
            except ServerTrouble:
                if before == capabilities.way_of_uploading():
                    raise
        return 0

    def sent(self, repository: str, size: int) -> tuple[float, float]:
        """Send `size` bytes, and cancel the upload. Returns the moments of the first byte and of the answer.

        The body is never cut short: distribution 2.8 could not cancel its upload then. Raises `TooLarge` and others.
        """
        body = _Timed(self._api, size)
        self._send(repository, size, body.blocks())
        return body.began_s, self._api.http.clock.monotonic_s()

    def _send(self, repository: str, length: int, body: Iterator[Chunk]) -> None:
        session = UploadSession(self._api, repository, nonsense(length))
        mode = self._api.capabilities.upload_mode
        try:
            session.open()
            if mode == "put":
                session.put(body, length)
            else:
                session.patch(body, length, ranged=mode == "pieces")
        finally:
            session.cancel()

    def _looks(self, pause_s: float) -> Iterator[Chunk]:
        for _ in range(_LOOKS):
            self._api.http.clock.sleep_s(pause_s, self._api.http.cancellation.wake)
            yield _Look()
        raise _Enough

    # --- uploads

    def tells_where_uploads_stand(self, repository: str) -> bool:
        """Whether the registry says how much of an upload it has, which a broken one needs to go on."""
        session = UploadSession(self._api, repository, nonsense(_FEW))
        try:
            session.open()
            session.patch([bytes(_FEW)], _FEW, ranged=False)
            tells = session.stands_at() == _FEW
            if not tells:
                self._api.capabilities.learn("resumes", False)
            return tells
        finally:
            session.cancel()

    def refuses_wrong_digest(self, repository: str) -> bool | None:
        """Whether content is refused if it does not have the digest that it is sent under; None if that is not clear.

        Content that was taken is deleted again.
        """
        DigestCheck(self._api).passed(repository)
        capabilities = self._api.capabilities
        return capabilities.refuses_wrong_digest if capabilities.is_settled("refuses_wrong_digest") else None

    # --- rights and powers

    def has_referrers_api(self, repository: str) -> bool:
        """Whether the registry has the referrers API. Raises what the registry answers."""
        self._referrers.of(repository, nonsense(1).digest)
        return self._api.capabilities.referrers_api is True

    def may_delete(self, repository: str) -> bool | None:
        """Whether manifests may be deleted, asked for one that cannot exist; None if the answer does not say."""
        reply = self._api.ask(
            self._removal(self._api.manifest_url(repository, nonsense(1).digest)), removal(repository)
        )
        codes = {complaint.code for complaint in complaints(reply)}
        if reply.status in {401, 403, 405, 501} or codes & {"UNSUPPORTED", "DENIED", "UNAUTHORIZED"}:
            return False
        known = reply.status in {200, 202, 204} or "MANIFEST_UNKNOWN" in codes
        return True if known else None

    def _removal(self, url: str) -> HttpRequest:
        return HttpRequest("DELETE", url, f"asking {self._api.host} whether it deletes", "delete", limit=_ANSWER_BYTES)


class _Timed:
    """A body of `size` bytes. Random, so that nothing on the way makes it smaller."""

    def __init__(self, api: Api, size: int) -> None:
        self._clock = api.http.clock
        self._size = size
        self._block = memoryview(os.urandom(_BLOCK))
        self.began_s = 0.0  # when the first byte was asked for

    def blocks(self) -> Iterator[Chunk]:
        """The body, once."""
        self.began_s = self._clock.monotonic_s()
        for start in range(0, self._size, _BLOCK):
            yield self._block[: self._size - start]


def _moment_s(reply: Reply) -> float | None:
    """The `Date` of an answer, in seconds since 1970 (RFC 9110, section 6.6.1)."""
    parsed = parsedate_tz(reply.headers.get("Date", "")[:64])
    try:
        return None if parsed is None else float(mktime_tz(parsed))
    except (ValueError, OverflowError):
        return None
