"""TLS connections that take and give many records at a time.

Python's `SSLSocket` gives one record (16 KiB) for each call, and asks the system twice for it. Here the encrypted bytes
go through memory: one call of the system brings up to eight records, and all that are complete are decrypted at once.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from transload.net.flight import MeteredSocket, Watch

_ARRIVING_BYTES = 128 << 10
_BUFFERS = threading.local()  # one for each thread, since many connections are idle
T = TypeVar("T")


class TlsLine(MeteredSocket):
    """A connected socket that speaks TLS as a client, with the methods that urllib3 uses. Used by one thread at a time.

    Made from a plain socket, which it takes over. Making it does the handshake, which belongs to the flight of this
    thread; it raises what that raises, and then the connection is closed.
    """

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, host: str | None, watch: Watch) -> None:
        timeout_s = plain.gettimeout()
        super().__init__(plain.family, plain.type, plain.proto, fileno=plain.detach())
        self.settimeout(timeout_s)
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._failure: Exception | None = None
        self._drained = True
        try:
            if watch.current is not None:
                watch.current.hold(self)
            self._tls = context.wrap_bio(self._arrived, self._leaving, server_hostname=host)
            self._exchange(self._tls.do_handshake)
        except BaseException:
            self.close()
            raise

    @property
    def context(self) -> ssl.SSLContext:
        """See `ssl.SSLSocket`."""
        return self._tls.context

    def getpeercert(self, binary_form: bool = False) -> Any:
        """See `ssl.SSLSocket`."""
        return self._tls.getpeercert(binary_form)

    def version(self) -> str | None:
        """See `ssl.SSLSocket`."""
        return self._tls.version()

    def selected_alpn_protocol(self) -> str | None:
        """See `ssl.SSLSocket`."""
        return self._tls.selected_alpn_protocol()

    def pending(self) -> int:
        """Bytes that can be read without a call of the system; a lower bound, as for `ssl.SSLSocket`."""
        return 0 if self._drained else self._tls.pending() + self._arrived.pending

    @property
    def has_rest(self) -> bool:
        """Whether anything has come that nobody read: then no answer to a new request can be told from it."""
        return bool(self._arrived.pending or self._tls.pending())

    def recv(self, size: int = _ARRIVING_BYTES, *_: Any) -> bytes:
        """See `socket`."""
        buffer = bytearray(size)
        return bytes(memoryview(buffer)[: self.recv_into(buffer)])

    def recv_into(self, buffer: Any, nbytes: int = 0, *_: Any) -> int:
        """See `socket`. All that has come is decrypted, as far as the buffer has room; it waits only for the first.

        A failure behind these bytes is raised by the next call.
        """
        view = memoryview(buffer).cast("B")
        view = view[:nbytes] if nbytes else view
        count, size, read = 0, len(view), self._tls.read
        self._drained = False
        try:
            if self._failure is not None:
                raise self._failure
            while count < size:
                try:
                    got = read(size - count, view[count:])
                except ssl.SSLWantReadError:
                    self._drained = True
                    self._flush()
                    if count or not self._fetch():
                        break
                    self._drained = False
                    continue
                if not got:
                    break
                count += got  # type: ignore[operator]  # a number, since there is a buffer
        except ssl.SSLEOFError:  # without a goodbye: whoever reads the body knows whether it is whole
            pass
        except OSError as error:
            if not count:
                raise
            self._failure = error
        if self.flight is not None:
            self.flight.moved += count
        return count

    def send(self, data: Any, *_: Any) -> int:
        """See `socket`. All of `data` is sent, in calls of the system for as many records as there are."""
        view = memoryview(data).cast("B")
        if len(view):
            self._exchange(lambda: self._tls.write(view))
        return len(view)

    def sendall(self, data: Any, *_: Any) -> None:
        """See `socket`."""
        self.send(data)

    def _exchange(self, work: Callable[[], T]) -> T:
        """What `work` gives. What it writes is sent; what it waits for is fetched."""
        while True:
            try:
                done = work()
            except ssl.SSLWantReadError:
                self._flush()
                if not self._fetch():
                    self._arrived.write_eof()
                continue
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self._flush()  # the alert tells the server why
                raise
            self._flush()
            return done

    def _fetch(self) -> int:
        """Wait for encrypted bytes; how many have come."""
        buffer: memoryview | None = getattr(_BUFFERS, "memory", None)
        if buffer is None:
            buffer = _BUFFERS.memory = memoryview(bytearray(_ARRIVING_BYTES))
        count = socket.socket.recv_into(self, buffer)
        self._arrived.write(buffer[:count])
        return count

    def _flush(self) -> None:
        if self._leaving.pending:
            super().sendall(self._leaving.read())


def watched(context: ssl.SSLContext, watch: Watch) -> ssl.SSLContext:
    """The same context; the connections that it makes are such lines, and report to this watch."""

    def wrap_socket(sock: socket.socket, *_: Any, server_hostname: str | None = None, **__: Any) -> TlsLine:
        return TlsLine(sock, context, server_hostname, watch)

    context.wrap_socket = wrap_socket  # type: ignore[assignment,method-assign]  # for urllib3, which knows only this
    return context
