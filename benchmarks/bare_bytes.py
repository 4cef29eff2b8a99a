"""The floor of a copy: blobs from one registry's socket to another's, some at a time, and nothing else.

    python bare_bytes.py BLOBS SOURCE TARGET CONNECTIONS

BLOBS has a line `size digest repository` for each blob. Run as a process of its own, with the standard library only.
"""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

BUFFER = 1 << 20


class Peer:
    """One connection that is kept alive."""

    def __init__(self, host: str) -> None:
        self.host = host
        name, _, port = host.rpartition(":")
        self.socket = socket.create_connection((name, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers = self.socket.makefile("rb")

    def ask(self, method: str, path: str, length: int | None = None) -> None:
        size = "" if length is None else f"Content-Length: {length}\r\n"
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n{size}\r\n".encode())

    def answer(self, wanted: int) -> dict[str, str]:
        status = int(self.answers.readline().split()[1])
        headers = {}
        while line := self.answers.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        if status != wanted:
            raise SystemExit(f"{self.host} answers {status}")
        return headers


def carry(blobs: list[tuple[int, str, str]], source_host: str, target_host: str) -> None:
    source, target, buffer = Peer(source_host), Peer(target_host), memoryview(bytearray(BUFFER))
    while blobs:
        try:
            size, digest, repository = blobs.pop()
        except IndexError:
            return
        target.ask("POST", f"/v2/{repository}/blobs/uploads/", 0)
        location = target.answer(202)["location"].partition(target_host)[2]
        source.ask("GET", f"/v2/{repository}/blobs/{digest}")
        source.answer(200)
        target.ask("PUT", f"{location}{'&' if '?' in location else '?'}digest={digest}", size)
        while size:
            count = source.answers.readinto(buffer[: min(size, BUFFER)])
            target.socket.sendall(buffer[:count])
            size -= count
        target.answer(201)


def main(listed: str, source: str, target: str, connections: str) -> None:
    lines = (line.split() for line in Path(listed).read_text().splitlines())
    blobs = sorted((int(size), digest, repository) for size, digest, repository in lines)
    threads = [threading.Thread(target=carry, args=(blobs, source, target)) for _ in range(int(connections))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
