"""An upload session at a registry: open it, follow its Locations, send bytes, close or cancel it.

Rules: distribution specification, "Pushing Blobs", and how registries apply it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

from transload.errors import AccessDenied, Interrupted, Refused, ServerTrouble, TransloadError
from transload.net.address import session_url, with_query, without_query
from transload.net.messages import HttpRequest, Reply
from transload.oci import Descriptor
from transload.ports import Chunk
from transload.registry.api import Api
from transload.registry.headers import upload_offset, upload_range
from transload.registry.openend import OpenEnd, is_worth_it
from transload.registry.ownsession import is_own_session
from transload.registry.presence import presence_of_blob
from transload.registry.scope import pull, push
from transload.registry.translate import DAMAGED, codes_of, complaints, not_a_registry, problem
from transload.wording import whole_number

ACCEPTED = {200, 201, 202, 204}
"""The specification has 201 and 202; older registries send the others."""
_SESSION_GONE = {"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "RANGE_INVALID"}
_WAY_REFUSED = {400, 404, 405, 409, 411, 415, 416, 422, 500, 501}
"""Answers that may mean a way of sending that the registry does not take, or puts together wrongly."""
_IN_FLIGHT = 4 << 20
"""Bytes that a broken connection may lose on the way, in buffers of the system or of a proxy."""
_PATIENCE = 2
_MOMENTS_S = (0.2, 0.8)
_OCTETS = {"Content-Type": "application/octet-stream"}


def _keep_nothing(address: str | None) -> None:
    """For sessions with which no later process goes on."""


class UploadSession:
    """One session. `offset` is the number of bytes that the registry has for certain.

    `keep` gets the address of the session each time it changes, and None when the session has ended. With `doubted`,
    the registry has once called bytes wrong that were right; a second time it is believed.
    """

    def __init__(
        self,
        api: Api,
        repository: str,
        descriptor: Descriptor,
        *,
        keep: Callable[[str | None], None] = _keep_nothing,
        doubted: bool = False,
    ) -> None:
        self.offset = 0
        self.doubted = doubted
        self.piece_minimum = 0
        self._api = api
        self.repository = repository
        self._descriptor = descriptor
        self._scope = push(repository)
        self._url: str | None = None
        self._keep = keep
        self._resumed = False
        self._taken_up = False
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

    def post(self, content: bytes) -> bool:
        """Send the whole blob with the first request (distribution specification, "Single POST"). Whether it is stored.

        If not, the upload goes on in the usual way: the registry may have opened a session for it (202).
        """
        url = with_query(self._api.uploads_url(self.repository), digest=self._descriptor.digest)
        reply = self._ask("POST", url, content, len(content), dict(_OCTETS))
        if reply.status == 201:
            self._end()
            return True
        if reply.status in _WAY_REFUSED or reply.status == 202:
            self._api.capabilities.learn("single_post", False)
        if reply.status == 202 and reply.headers.get("Location"):
            self._adopt(reply)
        return False

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

    def wants_open_end(self) -> bool:
        """Whether `patch_on` keeps what it sends where `patch` would lose it.

        If only an earlier run knew that the registry does not go on after a break, it is asked once more.
        """
        capabilities = self._api.capabilities
        if self._url is None or not is_worth_it(capabilities, self._url):
            return False
        if not capabilities.is_settled("resumes"):
            capabilities.learn("resumes", self.stands_at() is not None)
        return capabilities.resumes is False

    def patch_on(self, body: Iterable[Chunk]) -> None:
        """Send bytes from `offset` on, as many as come. If getting them fails, those before are kept all the same.

        Raises what getting them raised, and as `patch` does.
        """
        capabilities, bytes_ = self._api.capabilities, OpenEnd(body)
        try:
            reply = self._ask("PATCH", self._latest(), bytes_, None, dict(_OCTETS))
        except TransloadError as error:
            capabilities.takes_open_end = isinstance(error, Interrupted)
            raise
        if reply.status not in ACCEPTED or upload_offset(reply.headers.get("Range")) != self.offset + bytes_.sent:
            capabilities.takes_open_end = False
            self.cancel()
            raise self._again(f"{self.doing}: the registry does not take a body without a length")
        self._follow(reply)
        self.offset += bytes_.sent
        if bytes_.error is not None:
            raise bytes_.error

    def put(self, body: bytes | Iterable[Chunk] | None = None, length: int = 0) -> None:
        """Close the session with the digest, and send `body` with it if given. Raises the error that the answer means.

        After a refusal it first looks whether the blob is there: an answer may have been lost, or another client was
        faster (Nexus refuses the second of two uploads of one blob).
        """
        self._sent_as_known = self._sent_as_known or not isinstance(body, (bytes, type(None)))
        reply = self.close(body, length)
        if reply.status in ACCEPTED:
            self._end()
            if isinstance(body, bytes):
                self._api.capabilities.put_was_kept()
            if self._sent_as_known:
                self._api.capabilities.uploads_confirmed()
            return
        if reply.status in {400, 404, 409, 416} and self._is_there():
            self._end()
            return
        if isinstance(body, bytes) and reply.status == 404 and codes_of(reply) & _SESSION_GONE:
            self._api.capabilities.put_was_lost()
        elif isinstance(body, bytes) and reply.status in {404, 405} and not codes_of(reply) & _SESSION_GONE:
            self._api.capabilities.learn("put_with_body", False)
            self._end()
            raise self._again(f"{self.doing}: the registry takes no content with the last request")
        raise self._failed(reply, length)

    def close(self, body: bytes | Iterable[Chunk] | None = None, length: int = 0) -> Reply:
        """Send the closing request. The answer is given as it is."""
        url = with_query(self._latest(), digest=self._descriptor.digest)
        return self._ask("PUT", url, body, None if body is None else length, {} if body is None else _OCTETS)

    def stands_at(self) -> int | None:
        """How many bytes the registry says it has; None if it does not say. Another process could ask the same way."""
        reply = self._ask("GET", without_query(self._latest(), "_state"))
        return upload_offset(reply.headers.get("Range")) if reply.status in ACCEPTED else None

    def ask_offset(self, sent: int) -> bool:
        """Ask how much the registry kept of an interrupted body. False if the upload cannot continue.

        The registry may still be storing what the broken connection left. So if it has none of the `sent` bytes yet, it
        is asked again after a moment. `_state` is left out of the address: distribution 2.8 cancels an upload if it
        gets a stale one, and does not need it; 3.0 ignores it.
        """
        capabilities = self._api.capabilities
        if self._url is None or capabilities.rules_out("resumes"):
            return False
        for pause_s in (0, *_MOMENTS_S):
            self._api.http.clock.sleep_s(pause_s, self._api.http.cancellation.wake)
            reply = self._ask("GET", without_query(self._url, "_state"))
            offset = self._stated(reply)
            if offset is None or offset > self.offset or not sent:
                break
        if not offset:
            if offset is None or sent > _IN_FLIGHT:  # what a short part tells is not certain
                capabilities.resume_failed()
            return False
        self._resume(reply, offset)
        return True

    def take_up(self, address: str) -> bool:
        """Go on with a session of an earlier process, if the registry still has it. It is asked even if it could not
        do so before: that is one request, and registries are upgraded.
        """
        if not is_own_session(address, self._api.origin, self.repository):
            return False
        for way in (without_query(address, "_state"), address):  # 2.8 needs the state where no request broke off
            reply = self._ask("GET", way)
            offset = self._stated(reply)
            if offset is not None:
                break
        self._url = address
        if offset is None:
            return False
        self._taken_up = True
        self._resume(reply, offset, broken=way != address)
        return True

    def learn_whether_it_tells(self) -> None:
        """Learn from a session just opened whether the registry tells where an upload stands, so that it can go on."""
        capabilities = self._api.capabilities
        if self._url and not capabilities.resumes and self.stands_at() is None:
            capabilities.learn("resumes", False)

    def _stated(self, reply: Reply) -> int | None:
        """The offset that the answer states; None if it is no answer on which an upload can continue."""
        offset = upload_offset(reply.headers.get("Range")) if reply.status in ACCEPTED else None
        return offset if offset is not None and offset <= self._descriptor.size and _leads_on(reply) else None

    def _resume(self, reply: Reply, offset: int, *, broken: bool = True) -> None:
        self._resumed = True
        if offset and broken:
            self._api.capabilities.learn("resumes", True)
        self._follow(reply)
        self.offset = offset

    def cancel(self, address: str | None = None) -> None:
        """Ask the registry to delete the session, or the one at `address`, which an earlier process left.

        Errors are ignored: not every login may delete.
        """
        url = address or self._url
        self._end()
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
            if self._keep is not _keep_nothing and is_own_session(self._url, self._api.origin, self.repository):
                self._keep(self._url)

    def _end(self) -> None:
        self._url, self.offset = None, 0
        self._keep(None)

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
            ends_early=isinstance(body, OpenEnd),
        )
        return self._api.ask(request, self._scope, long=body is not None)

    def _is_there(self) -> bool:
        try:
            return presence_of_blob(self._api, self.repository, self._descriptor, self.doing).ask(self._scope)
        except (AccessDenied, Refused):
            return False

    def _failed(self, reply: Reply, length: int) -> TransloadError:
        """Learn from a refused body for the next attempt. Returns the error to raise now."""
        codes = codes_of(reply)
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
        if reply.status in {404, 416} or codes & _SESSION_GONE:
            return self._lost(reply, codes)
        if codes & DAMAGED and (self._resumed or not self.doubted):
            return self._mixed_up(reply)
        if (reply.status in {405, 501} or "UNSUPPORTED" in codes) and self._never_streamed:
            self._api.capabilities.takes_no_patch()
            self._end()
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
        self._end()
        return self._again(f"{self.doing}: the registry lost the upload ({_reason(reply)})")

    def _mixed_up(self, reply: Reply) -> ServerTrouble:
        """The registry has other bytes than were sent. Begin anew, once: a resumed upload may have been put together
        wrongly, and any may have been damaged on the way.
        """
        if self._resumed and not self._taken_up:
            self._api.capabilities.learn("resumes", False)
        self.doubted = self.doubted or not self._resumed
        self.cancel()
        return self._again(f"{self.doing}: other bytes arrived than were sent ({_reason(reply)})")

    def _again(self, text: str) -> ServerTrouble:
        return ServerTrouble(text, subject=self._descriptor.digest)


def _reason(reply: Reply) -> str:
    return "; ".join(complaint.message or complaint.code for complaint in complaints(reply)) or str(reply.status)


def _leads_on(reply: Reply) -> bool:
    return bool(reply.headers.get("Location"))
