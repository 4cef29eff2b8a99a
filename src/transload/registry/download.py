"""Reads a blob to its promised end: ranges, servers that ignore them, bodies that end too early.

Invariants:
1. exactly the promised bytes are handed on, in order, or an error is raised;
2. every request goes to the registry's own address, because signed storage addresses expire;
3. the budget counts failures in a row, and time, without a new byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from transload.errors import ServerTrouble, SizeMismatch, TransloadError, Truncated
from transload.net.address import Origin
from transload.net.messages import Answer, HttpRequest
from transload.oci import Descriptor
from transload.ports import Chunk
from transload.registry.api import Api
from transload.registry.headers import closed_range, given_part, unsatisfied_total
from transload.registry.scope import pull
from transload.registry.translate import Asked, by_storage, check_is_no_page, problem
from transload.threads import Cancellation
from transload.wording import number_of, whole_number

_WHOLE_AGAIN = 2
"""How often the beginning of a blob may be read again and thrown away."""


class Download:
    """One reading of a blob, from `offset` to before `end`: `begin`, then `chunks`; always `close`.

    `check` is called after each piece, and raises `Interrupted` when the reading should end. `token` ends it alone, and
    `look` is called while bytes are waited for (see `HttpRequest`).
    """

    def __init__(
        self,
        *,
        api: Api,
        repository: str,
        descriptor: Descriptor,
        offset: int,
        end: int,
        check: Callable[[], None] | None = None,
        token: Cancellation | None = None,
        look: Callable[[], None] | None = None,
    ) -> None:
        self._api = api
        self._check = check
        self._token = token
        self._look = look
        self._repository = repository
        self._descriptor = descriptor
        self._at = offset
        self._end = end
        self._discarded = 0
        self._ranged = True
        self._answer: Answer | None = None
        self._skip = 0
        self._held = ExitStack()
        self._doing = f"reading {descriptor.digest.short} of {repository} from {api.host}"

    def begin(self) -> None:
        """Ask for what is missing; once more if a web page or another length comes in its place.

        Raises `BlobUnknown`, `SizeMismatch`, `AccessDenied`, `Unreachable`.
        """
        self._api.once_more(self._ask)

    def _ask(self) -> None:
        self._held.close()
        self._api.reading.enter()
        self._held.callback(self._api.reading.leave)
        self._answer = self._held.enter_context(self._api.stream(self._request(), pull(self._repository)))
        try:
            self._skip = self._skipped(self._answer)
        except TransloadError:
            self._held.close()
            raise
        if self._skip < 0:
            self._ask()

    def chunks(self) -> Iterator[Chunk]:
        """The bytes. After a failure on the way it asks for the rest."""
        failures, http = 0, self._api.http
        since_s = http.clock.monotonic_s()
        while True:
            before = self._at
            try:
                yield from self._streamed()
                self.close()  # now, and not when what follows the body is done: the next body may need the slot
                return
            except TransloadError as error:
                now_s = http.clock.monotonic_s()
                failures, since_s = (1, now_s) if self._at > before else (failures + 1, since_s)
                spent = failures >= http.settings.attempts or now_s - since_s >= http.settings.give_up_after_s
                if not error.retryable or spent:
                    raise
            http.traffic.retried(self._api.origin.netloc)
            self.begin()

    def close(self) -> None:
        """Give the connection back."""
        self._held.close()

    def _streamed(self) -> Iterator[Chunk]:
        if self._answer is None:
            raise ServerTrouble(f"{self._doing}: nothing was asked for")
        for chunk in self._answer.chunks(check=self._check):
            self._api.reading.moved(len(chunk))
            piece = chunk
            if self._skip:
                skipped = min(self._skip, len(piece))
                self._skip -= skipped
                piece = piece[skipped:]
            left = self._end - self._at
            if len(piece) > left:
                self._check_excess()
                piece = piece[:left]
            if piece:
                self._at += len(piece)
                yield piece
            if self._at == self._end and self._end < self._descriptor.size:
                return  # a server that ignored the range sends more
        if self._at < self._end:
            raise Truncated(
                f"{self._doing}: the body ended {number_of(self._end - self._at, 'byte')} early",
                subject=self._descriptor.digest,
            )

    def _check_excess(self) -> None:
        if self._end == self._descriptor.size:
            raise SizeMismatch(
                f"{self._doing}: more than the promised {number_of(self._descriptor.size, 'byte')} arrive",
                subject=self._descriptor.digest,
            )

    def _request(self) -> HttpRequest:
        descriptor = self._descriptor
        headers = {"Accept-Encoding": "identity"}
        if descriptor.is_manifest:
            url = self._api.manifest_url(self._repository, descriptor.digest)
            headers["Accept"] = descriptor.media_type
        else:
            url = self._api.blob_url(self._repository, descriptor.digest)
        if self._is_part and self._ranged:
            headers["Range"] = closed_range(self._at, self._end)
        return HttpRequest(
            "GET",
            url,
            self._doing,
            "blob",
            headers=headers,
            lane="read",
            gauge=self._api.reading,
            cancellation=self._token,
            look=self._look,
        )

    @property
    def _is_part(self) -> bool:
        return self._at > 0 or self._end < self._descriptor.size

    def _skipped(self, answer: Answer) -> int:
        """How many bytes of the body come before the wanted ones; -1 if a new request without a range may help.

        Raises the error that the answer means.
        """
        if answer.status == 206:
            return self._of_part(answer)
        if answer.status == 200:
            return self._of_whole(answer)
        if answer.status == 416 and self._ranged and self._is_part:
            total = unsatisfied_total(answer.headers.get("Content-Range"))
            if total is not None and total != self._descriptor.size:
                raise self._wrong_size(total)
            self._ranged = False
            return -1
        asked: Asked = "manifest" if self._descriptor.is_manifest else "blob"
        error = problem(answer.reply(0), self._doing, asked, self._descriptor.digest)
        raise by_storage(error, Origin.of(answer.url), self._api.origin)

    def _of_part(self, answer: Answer) -> int:
        part = given_part(answer.headers)
        if part is None or not (self._is_part and part.start == self._at):
            if not self._ranged or not self._is_part:
                raise ServerTrouble(f"{self._doing}: another part arrives than was asked for")
            self._ranged = False
            return -1
        if part.total is not None and part.total != self._descriptor.size:
            raise self._wrong_size(part.total)
        self._api.capabilities.learn("ranges", True)
        return 0

    def _of_whole(self, answer: Answer) -> int:
        length = whole_number(answer.headers.get("Content-Length", ""))
        check_is_no_page(answer.head, length, self._descriptor.size, self._doing)
        if length is not None and length != self._descriptor.size:
            raise self._wrong_size(length)
        if self._is_part:
            self._api.capabilities.learn("ranges", False)
        if self._at:
            self._discarded += 1
            if self._discarded > _WHOLE_AGAIN:
                raise ServerTrouble(
                    f"{self._doing}: the registry cannot send the rest of a blob, and the whole breaks off each time",
                    subject=self._descriptor.digest,
                )
        return self._at

    def _wrong_size(self, size: int) -> SizeMismatch:
        return SizeMismatch(
            f"{self._doing}: the registry's blob has {number_of(size, 'byte')}, "
            f"its descriptor says {self._descriptor.size}",
            subject=self._descriptor.digest,
        )
