"""The connections of a server: how many there are, and which of them wait for a request.

A connection takes a file of the process, and an idle one must not keep others out. When all places are taken, the one
that has waited longest is closed. The whole head of a request must arrive within `head_timeout_s`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from transload.limits import SERVED_CONNECTIONS

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_RECEIVED_AT_ONCE_BYTES = 128 << 10  # asyncio takes twice as much: with many clients, that is much memory
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nServer: transload\r\nRetry-After: 5\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


class Connections(web.Server):
    """aiohttp's server with a limit of `places` connections. Only the event loop may use it."""

    def __init__(self, handle: Handler, *, places: int, head_timeout_s: float, **more: Any) -> None:
        super().__init__(self._answer, **more)
        self._handle = handle
        self._places = places
        self._head_timeout_s = head_timeout_s
        self._waiting: dict[web.RequestHandler, asyncio.TimerHandle] = {}  # the one that waits longest comes first
        self._busy: set[web.RequestHandler] = set()

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Called by aiohttp: a client has connected."""
        super().connection_made(handler, transport)
        if hasattr(transport, "max_size"):
            transport.max_size = _RECEIVED_AT_ONCE_BYTES
        if len(self._waiting) + len(self._busy) >= self._places:
            if not self._waiting:
                transport.write(_FULL)
                # not at once: aiohttp starts on the connection after this call, and reports a closed one as a bug
                asyncio.get_running_loop().call_soon(transport.close)
                return
            self._end(next(iter(self._waiting)))
        self._wait(handler)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Called by aiohttp: the connection is closed."""
        self._busy.discard(handler)
        self._stop_waiting(handler)
        super().connection_lost(handler, exc)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request whose head has arrived. After that, sending and the next head get `head_timeout_s`."""
        handler = request.protocol
        if self._stop_waiting(handler):
            self._busy.add(handler)
        try:
            return await self._handle(request)
        finally:
            if handler in self._busy:
                self._busy.remove(handler)
                self._wait(handler)

    def _wait(self, handler: web.RequestHandler) -> None:
        loop = asyncio.get_running_loop()
        self._waiting[handler] = loop.call_later(self._head_timeout_s, self._end, handler)

    def _stop_waiting(self, handler: web.RequestHandler) -> bool:
        timer = self._waiting.pop(handler, None)
        if timer is not None:
            timer.cancel()
        return timer is not None

    def _end(self, handler: web.RequestHandler) -> None:
        self._stop_waiting(handler)
        if isinstance(handler.transport, asyncio.Transport):
            handler.transport.abort()  # do not wait until it has read the rest


def places_for(files: int | None) -> int:
    """How many connections a process can have that may open `files` files.

    An answer needs up to three, and six with the folders on the way to a blob; the threads bound how many need those.

    >>> places_for(None), places_for(1024), places_for(64), places_for(32)
    (512, 320, 8, 2)
    """
    if files is None:
        return SERVED_CONNECTIONS
    return min(SERVED_CONNECTIONS, max((files - 64) // 3, min(16, (files - 16) // 6), 1))
