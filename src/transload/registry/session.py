"""An upload session at a registry: open it, follow its Locations, send bytes, close or cancel it.

Rules: distribution specification, "Pushing Blobs", and how registries apply it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from transload.errors import AccessDenied, Refused, ServerTrouble, TransloadError
from transload.net.address import session_url, with_query, without_query
from transload.net.messages import HttpRequest, Reply
from transload.oci import Descriptor
from transload.ports import Chunk
from transload.registry.api import Api
from transload.registry.headers import upload_offset, upload_range
from transload.registry.presence import Presence
from transload.registry.scope import pull, push
from transload.registry.translate import complaints, not_a_registry, problem
from transload.wording import whole_number

ACCEPTED = {200, 201, 202, 204}
"""The specification has 201 and 202; older registries send the others."""
_SESSION_GONE = {"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "RANGE_INVALID"}
_MIXED_UP = {"DIGEST_INVALID", "SIZE_INVALID"}
"""Answers to the end of a resumed upload whose parts the registry put together wrongly."""
_WAY_REFUSED = {400, 404, 405, 409, 411, 415, 416, 422, 500, 501}
"""Answers that may mean a way of sending that the registry does not take, or puts together wrongly."""
_PATIENCE = 2
_MOMENTS_S = (0.2, 0.8)
_OCTETS = {"Content-Type": "application/octet-stream"}


class UploadSession:
    """One session. `offset` is the number of bytes that the registry has for certain."""

    def __init__(self, api: Api, repository: str, descriptor: Descriptor) -> None:
        self.offset = 0
        self.piece_minimum = 0
        self._api = api
        self.repository = repository
        self._descriptor = descriptor
        self._scope = push(repository)
        self._url: str | None = None
        self._resumed = False
        self._misplaced = 0
        self._sent_as_known = False

    @property
    def doing(self) -> str:
        """What is being done, in words, for errors."""
        return f"uploading {self._descriptor.digest.short} to {self.repository} at {self._api.host}"

    @property
    def is_open(self) -> bool:
        """Whether the session exists at the registry."""
        return self._url is not None

    def open(self) -> None:
        """Begin the session, if it has not begun. Raises `AccessDenied`, `RepositoryUnknown`, `ReadOnly` and more."""
        if self._url is not None:
            return
        # a retry only leaves an empty session behind, so it is allowed
        reply = self._ask("POST", self._api.uploads_url(self.repository))
        if reply.status not in ACCEPTED:
            raise problem(reply, self.doing, "upload", self._descriptor.digest)
        self._adopt(reply)

    def mount(self, origin: str) -> bool | None:
        """Ask to mount the blob from repository `origin`. If the registry opens a session instead, cancel it.

        A refusal gives False: the bytes can be sent. Denied access gives None, because it says nothing about mounts.
        `from` is always sent, since Quay refuses a request without it.
        """
        url = with_query(self._api.uploads_url(self.repository), mount=self._descriptor.digest, **{"from": origin})
        request = HttpRequest("POST", url, self.doing, "mount")
        try:
            reply = self._api.ask(request, self._scope, pull(origin))
        except AccessDenied:
            return None
        if reply.status in {401, 403}:
            return None
        if reply.status == 202 and reply.headers.get("Location"):
            self._follow(reply)
            self.cancel()
        return reply.status == 201

    def _adopt(self, reply: Reply) -> None:
        if not reply.headers.get("Location"):
            raise not_a_registry(reply, self.doing)
        self._follow(reply)
        minimum = reply.headers.get("OCI-Chunk-Min-Length", "")
        self.piece_minimum = whole_number(minimum) or 0

    def patch(self, body: Iterable[Chunk], length: int, *, ranged: bool) -> None:
        """Send `length` bytes from `offset` on. `ranged` adds a Content-Range, which some registries refuse.

        A body cannot be sent twice. So where another kind of upload may work, it raises `ServerTrouble`, and the next
        upload uses that kind.
        """
        headers = dict(_OCTETS)
        if ranged or self.offset:
            headers["Content-Range"] = upload_range(self.offset, length)
        self._sent_as_known = self._sent_as_known or ranged or self._api.capabilities.put_with_body is False
        reply = self._ask("PATCH", self._latest(), body, length, headers)
        if reply.status not in ACCEPTED:
            raise self._failed(reply, length)
        self._follow(reply)
        self._api.capabilities.streamed = True
        start, self.offset = self.offset, self.offset + length
        offset = upload_offset(reply.headers.get("Range"))
        if offset is not None and start < offset < self.offset:
            self.offset = offset
            raise ServerTrouble(f"{self.doing}: the registry kept {offset - start} of {length} bytes")
        # a Range that did not move (ECR) is ignored: the bytes sent count, and the digest decides

    def put(self, body: bytes | Iterable[Chunk] | None = None, length: int = 0) -> None:
        """Close the session with the digest, and send `body` with it if given. Raises the error that the answer means.

        After a refusal it first looks whether the blob is there: an answer may have been lost, or another client was
        faster (Nexus refuses the second of two uploads of one blob).
        """
        url = with_query(self._latest(), digest=self._descriptor.digest)
        self._sent_as_known = self._sent_as_known or not isinstance(body, (bytes, type(None)))
        reply = self._ask("PUT", url, body, None if body is None else length, {} if body is None else _OCTETS)
        if reply.status in ACCEPTED:
            self._url = None
            if self._sent_as_known:
                self._api.capabilities.uploads_confirmed()
            return
        if reply.status in {400, 404, 409, 416} and self._is_there():
            self._url = None
            return
        if isinstance(body, bytes) and reply.status in {404, 405} and not _codes(reply) & _SESSION_GONE:
            self._api.capabilities.learn("put_with_body", False)
            self._url = None
            raise self._again(f"{self.doing}: the registry takes no content with the last request")
        raise self._failed(reply, length)

    def ask_offset(self, sent: int) -> bool:
        """Ask how much the registry kept of an interrupted body. False if the upload cannot continue.

        The registry may still be storing what the broken connection left. So if it has none of the `sent` bytes yet, it
        is asked again after a moment.

        `_state` is left out of the address: distribution 2.8 cancels an upload if it gets a stale one, and does not
        need it; 3.0 ignores it.
        """
        if self._url is None:
            return False
        capabilities = self._api.capabilities
        if capabilities.rules_out("resumes"):
            return False
        for pause_s in (0, *_MOMENTS_S):
            self._api.http.clock.sleep_s(pause_s, self._api.http.cancellation.wake)
            reply = self._ask("GET", without_query(self._url, "_state"))
            offset = upload_offset(reply.headers.get("Range")) if reply.status in ACCEPTED else None
            if offset is None or offset > self.offset or not sent:
                break
        if not offset or offset > self._descriptor.size or not reply.headers.get("Location"):
            capabilities.resume_failed()
            return False
        capabilities.learn("resumes", True)
        self._resumed = True
        self._follow(reply)
        self.offset = offset
        return True

    def cancel(self) -> None:
        """Ask the registry to delete the session. Errors are ignored: not every login may delete."""
        url, self._url, self.offset = self._url, None, 0
        if url is not None:
            with contextlib.suppress(TransloadError):
                self._ask("DELETE", url, retried=False)

    # --- inside

    def _latest(self) -> str:
        self.open()
        if self._url is None:
            raise ServerTrouble(f"{self.doing}: the upload is not open")
        return self._url

    def _follow(self, reply: Reply) -> None:
        location = reply.headers.get("Location")
        if location:
            self._url = session_url(reply.url, location)

    def _ask(
        self,
        method: str,
        url: str,
        body: bytes | Iterable[Chunk] | None = None,
        length: int | None = None,
        headers: dict[str, str] | None = None,
        *,
        retried: bool | None = None,
    ) -> Reply:
        request = HttpRequest(
            method,
            url,
            self.doing,
            "upload",
            headers=headers or {},
            body=body,
            length=length,
            lane="small" if body is None else "write",
            retried=body is None if retried is None else retried,
        )
        return self._api.ask(request, self._scope, long=body is not None)

    def _is_there(self) -> bool:
        url = self._api.blob_url(self.repository, self._descriptor.digest)
        presence = Presence(
            api=self._api,
            url=url,
            descriptor=self._descriptor,
            doing=self.doing,
            asked="blob",
            subject=self._descriptor.digest,
        )
        try:
            return presence.ask(self._scope)
        except (AccessDenied, Refused):
            return False

    def _failed(self, reply: Reply, length: int) -> TransloadError:
        """Learn from a refused body for the next attempt. Returns the error to raise now."""
        codes = _codes(reply)
        if reply.status == 413:
            return self._too_large(reply, length)
        if self._sent_as_known and reply.status in _WAY_REFUSED and self._api.capabilities.doubts_uploads():
            self.cancel()
            return self._again(f"{self.doing}: the registry does not take it the way it took uploads before")
        if reply.status == 401:
            return self._again(f"{self.doing}: the registry stopped accepting its token")
        if reply.status == 416 and self._resumed and self._misplaced < _PATIENCE:
            self._misplaced += 1  # it was still storing what the broken connection left; ask again
            return self._again(f"{self.doing}: the registry wants to continue at another offset than it stated")
        if reply.status in {404, 416} or codes & _SESSION_GONE or (self._resumed and codes & _MIXED_UP):
            return self._lost(reply, codes)
        if (reply.status in {405, 501} or "UNSUPPORTED" in codes) and self._never_streamed:
            self._api.capabilities.takes_no_patch()
            self._url = None
            return self._again(f"{self.doing}: the registry takes no PATCH")
        return problem(reply, self.doing, "upload", self._descriptor.digest)

    @property
    def _never_streamed(self) -> bool:
        return not self._api.capabilities.streamed and self._api.capabilities.upload_mode == "stream"

    def _too_large(self, reply: Reply, length: int) -> TransloadError:
        if length and self._api.capabilities.takes_less_than(length):
            self.cancel()
            return self._again(f"{self.doing}: the registry, or a proxy before it, takes no body of {length} bytes")
        return problem(reply, self.doing, "upload", self._descriptor.digest)

    def _lost(self, reply: Reply, codes: set[str]) -> TransloadError:
        if self._never_streamed and reply.status == 404 and not codes & _SESSION_GONE:
            self._api.capabilities.takes_no_patch()
        if codes & _MIXED_UP:
            self._api.capabilities.learn("resumes", False)
            self.cancel()
        self._url, self.offset = None, 0
        reason = "; ".join(complaint.message or complaint.code for complaint in complaints(reply)) or str(reply.status)
        return self._again(f"{self.doing}: the registry lost the upload ({reason})")

    def _again(self, text: str) -> ServerTrouble:
        return ServerTrouble(text, subject=self._descriptor.digest)


def _codes(reply: Reply) -> set[str]:
    return {complaint.code for complaint in complaints(reply)}
