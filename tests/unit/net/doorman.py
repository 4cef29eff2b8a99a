"""Stands before a server, passes every byte on, and counts how many connections are open at a time."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator


class Doorman:
    """`most` is the highest number of connections that were open at a time."""

    def __init__(self, host_port: str) -> None:
        self.most = 0
        self._clients: list[socket.socket] = []
        host, _, port = host_port.rpartition(":")
        self._server_at = (host, int(port))
        self._door = socket.create_server(("127.0.0.1", 0), backlog=128)

    @property
    def host_port(self) -> str:
        return f"127.0.0.1:{self._door.getsockname()[1]}"

    def open(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            self._clients = [known for known in self._clients if _is_open(known)] + [client]
            self.most = max(self.most, len(self._clients))
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection(self._server_at) as server:
            back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
            back.start()
            _pass_on(client, server)
            back.join()


def _is_open(client: socket.socket) -> bool:
    """Whether the other end has not closed it: that is known before its next connection is accepted."""
    if client.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(client, select.POLLRDHUP)
    return not poll.poll(0)


def _pass_on(a: socket.socket, b: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := a.recv(1 << 18):
            b.sendall(piece)
    with contextlib.suppress(OSError):
        b.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def doorman(host_port: str) -> Iterator[Doorman]:
    counting = Doorman(host_port)
    thread = threading.Thread(target=counting.open, daemon=True)
    thread.start()
    yield counting
    counting.close()
    thread.join()
