"""A server on a unix socket that answers each connection with what a test says, and keeps what it was sent."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

END_OF_BODY = b"0\r\n\r\n"


def answer(status: int, body: bytes, *headers: str) -> bytes:
    """An answer with its length."""
    head = "\r\n".join([f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}", *headers, "", ""])
    return head.encode() + body


class ScriptedEngine:
    """`answers` are sent in order, one for each connection, after the request's end or its first `enough` bytes."""

    def __init__(self, path: Path, answers: list[bytes], enough: int | None = None) -> None:
        self.path = path
        self.requests: list[bytes] = []
        self._answers = answers
        self._enough = enough
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        for text in self._answers:
            connection, _ = self._listener.accept()
            with connection, contextlib.suppress(OSError):
                self.requests.append(self._read(connection))
                connection.sendall(text)

    def _read(self, connection: socket.socket) -> bytes:
        read = b""
        while not self._is_whole(read):
            more = connection.recv(65536)
            if not more:
                break
            read += more
        return read

    def _is_whole(self, read: bytes) -> bool:
        if self._enough is not None and len(read) >= self._enough:
            return True
        is_chunked = b"chunked" in read.partition(b"\r\n\r\n")[0]
        return read.endswith(END_OF_BODY if is_chunked else b"\r\n\r\n")

    def close(self) -> None:
        """Wait for the last connection, and take no more."""
        self._thread.join(10)
        self._listener.close()


@contextlib.contextmanager
def scripted(*answers: bytes, enough: int | None = None) -> Iterator[ScriptedEngine]:
    """Such a server; its path is short, because a socket's path may have 107 letters."""
    with tempfile.TemporaryDirectory() as folder:
        engine = ScriptedEngine(Path(folder) / "s", list(answers), enough)
        try:
            yield engine
        finally:
            engine.close()


@contextlib.contextmanager
def sending_without_end(head: bytes, repeated: bytes) -> Iterator[Path]:
    """The socket of a server that sends `head` to the first connection, and then `repeated` until nobody reads."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder) / "s"
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(head)
                while True:
                    connection.sendall(repeated)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path
        thread.join(10)
