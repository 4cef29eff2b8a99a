"""Asks a registry for parts of a blob, and hands on nothing but the part that was asked for.

A registry that leads to a storage is asked once for several parts: the address that it gives is signed for minutes, and
is used for some seconds. The storage never gets a credential. If it refuses, the registry's own address is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from transload.errors import ServerTrouble, TooManyRequests, TransloadError
from transload.net.address import Origin
from transload.net.messages import Answer, HttpRequest
from transload.net.slots import NoSlot
from transload.oci import Descriptor
from transload.registry.api import Api
from transload.registry.headers import closed_range, given_part
from transload.registry.scope import pull
from transload.threads import Cancellation

_REUSED_S = 30.0
_NO_SLOT_S = 0.05
_CUT_SHORT = 4  # parts in a row of which each ends before the byte that was asked for


class NoParts(Exception):
    """The server does not send the part that it was asked for."""


class Parts:
    """Parts of one blob. Safe for threads."""

    def __init__(self, api: Api, repository: str, descriptor: Descriptor) -> None:
        self.doing = f"reading {descriptor.digest.short} of {repository} from {api.host}"
        self.is_confirmed = False
        """Whether the server has sent a part as it was asked for."""
        self._api = api
        self._repository = repository
        self._descriptor = descriptor
        self._storage: tuple[str, float] | None = None
        self._reuses = True
        self._cut_short = 0
        self._no_slot_s = float("-inf")

    @property
    def are_full(self) -> bool:
        """Whether one has just found none: another reader would end at once, too, and so would the next."""
        return self._api.http.clock.monotonic_s() - self._no_slot_s < _NO_SLOT_S

    @contextmanager
    def open(self, start: int, end: int, token: Cancellation, give_way: Callable[[], None]) -> Iterator[Answer]:
        """The answer whose body is the part from `start` on, to before `end` or less far. It is asked for once.

        `give_way` is called when its connection is needed for something else; `token` ends it.
        Raises `NoParts`, and errors after which another request may succeed.
        """
        storage = self._storage
        if storage is not None and storage[1] > self._api.http.clock.monotonic_s():
            answered = False
            try:
                with self._asked(self._request(storage[0], start, end, token, give_way)) as answer:
                    self._check(answer, start, end)
                    answered = True
                    yield answer
                    return
            except (TransloadError, NoParts):
                if answered or token.cancelled:
                    raise
                self._reuses, self._storage = False, None
        url = self._api.blob_url(self._repository, self._descriptor.digest)
        with self._asked(self._request(url, start, end, token, give_way)) as answer:
            self._check(answer, start, end)
            if not self.is_confirmed and not self._cut_short:
                self._api.capabilities.learn("ranges", True)
                self.is_confirmed = True
            if self._reuses and Origin.of(answer.url) != self._api.origin:
                self._storage = (answer.url, self._api.http.clock.monotonic_s() + _REUSED_S)
            yield answer

    @contextmanager
    def _asked(self, request: HttpRequest) -> Iterator[Answer]:
        try:
            with self._api.stream(request, pull(self._repository)) as answer:
                yield answer
        except NoSlot:
            self._no_slot_s = self._api.http.clock.monotonic_s()
            raise

    def _request(
        self, url: str, start: int, end: int, token: Cancellation, give_way: Callable[[], None]
    ) -> HttpRequest:
        headers = {"Accept-Encoding": "identity", "Range": closed_range(start, end)}
        return HttpRequest(
            "GET",
            url,
            self.doing,
            "blob",
            headers=headers,
            lane="read",
            retried=False,
            give_way=give_way,
            registry=self._api.origin,
            cancellation=token,
        )

    def _check(self, answer: Answer, start: int, end: int) -> None:
        if answer.status in {429, 503}:
            self._api.reading.crowded()
            raise TooManyRequests(f"{self.doing}: the answer is {answer.status}")
        if answer.status not in {200, 206, 416}:
            raise ServerTrouble(f"{self.doing}: the answer is {answer.status}")
        given = given_part(answer.headers) if answer.status == 206 else None
        if given is None or given.start != start or given.end > end:
            raise NoParts
        if given.total not in {None, self._descriptor.size}:
            raise NoParts
        self._cut_short = self._cut_short + 1 if given.end < end else 0  # it may also end at a border of the storage
        if self._cut_short >= _CUT_SHORT:
            raise NoParts
