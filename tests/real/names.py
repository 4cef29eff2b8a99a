"""Run in namespaces of its own: a mirror whose name server fails in the middle, and one that never had any.

names.py    prints one JSON object: how the name server failed → exit code, what was said, how many questions failed
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from transload.layout import LayoutStore
from transload.testing.images import fill, image

HOSTS = ("registry.example", "proxy.example")
AFTER_BYTES = 400_000
REFUSALS = 8
CODES = {"unknown": 3, "failing": 2, "refusing": 5}


class NameServer:
    """Answers 127.0.0.1 for `HOSTS` (RFC 1035), or fails as `mode` says: with an answer's code, or by silence."""

    def __init__(self) -> None:
        self.mode, self.left, self.failed = "working", 0, 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def fail(self, mode: str, times: int) -> None:
        """Fail for so many questions."""
        self.failed, self.left, self.mode = 0, times, mode

    def _serve(self) -> None:
        while True:
            question, client = self._socket.recvfrom(512)
            if self.left > 0:
                self.left -= 1
                self.failed += 1
                if self.mode != "silent":
                    self._socket.sendto(_answer(question, CODES[self.mode]), client)
            else:
                self._socket.sendto(_answer(question, 0), client)


def _answer(question: bytes, code: int) -> bytes:
    """The answer with this code; with an address, if an address (type A) is asked for and the code is 0."""
    end = question.index(b"\0", 12)
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode())
        at += question[at] + 1
    known = ".".join(labels) in HOSTS
    code = code or (0 if known else 3)
    address = known and not code and question[end + 1 : end + 3] == b"\0\1"
    head = question[:2] + bytes([0x81, 0x80 | code]) + b"\0\1" + bytes([0, address]) + b"\0\0\0\0"
    record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1" if address else b""
    return head + question[12 : end + 5] + record


class Relay:
    """Passes bytes on to a server. After `AFTER_BYTES` the name server fails in this mode, and until it has done so
    often enough, every connection is closed.
    """

    def __init__(self, port: int, names: NameServer, mode: str) -> None:
        self.passed = 0
        self._port, self._names, self._mode = port, names, mode
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.getsockname()[1])

    def _accept(self) -> None:
        while True:
            client, _ = self._server.accept()
            if self._names.left:  # it was looked up before
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._port))
            with self._lock:
                self._open += [client, server]
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    def _pass(self, a: socket.socket, b: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := a.recv(65536):
                b.sendall(piece)
                self._count(len(piece))
        for end in (a, b):
            end.close()

    def _count(self, size: int) -> None:
        with self._lock:
            before, self.passed = self.passed, self.passed + size
            if before < AFTER_BYTES <= self.passed:
                self._names.fail(self._mode, REFUSALS)
                for end in self._open:
                    with contextlib.suppress(OSError):  # it is closed already
                        end.shutdown(socket.SHUT_RDWR)


def mirror(host: str, target: str) -> dict[str, Any]:
    """The exit code, and the messages of the troubles and of the error that the program told."""
    words = ["mirror", "--from", host, "--to", f"oci:{target}", "--plain-http", "registry.example", "--output", "json"]
    words += ["--jobs", "1"]  # so that nobody has looked the name up already when the server begins to fail
    done = subprocess.run(
        [sys.executable, "-m", "transload", *words], capture_output=True, text=True, env={"HOME": target}
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    retries = [line["problem"]["message"] for line in lines if line["event"] == "host" and line["problem"]]
    errors = [line["problem"]["message"] for line in lines if line["event"] == "error"]
    return {"code": done.returncode, "retries": retries, "error": "".join(errors)}


def main() -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    Path("resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    subprocess.run(["mount", "--bind", "resolv.conf", "/etc/resolv.conf"], check=True)
    fill(LayoutStore(Path("source"), create=True), image("names", [200_000] * 6), "app", "1")
    server = subprocess.Popen(
        [sys.executable, "-m", "transload", "serve", "oci:source", "--listen", "127.0.0.1:0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr
    found = re.search(r":(\d+),", server.stderr.readline())
    assert found
    names, told = NameServer(), dict[str, Any]()
    for mode in (*CODES, "silent"):
        names.fail(mode, 0)
        relay = Relay(int(found[1]), names, mode)
        told[mode] = mirror(f"registry.example:{relay.port}", f"target-{mode}") | {"failed": names.failed}
    names.fail("silent", 1000)
    told["never"] = mirror("registry.example:5000", "never")
    names.fail("unknown", 0)
    told["mistyped"] = mirror("registri.example:5000", "mistyped")
    server.terminate()
    print(json.dumps(told))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        main()
