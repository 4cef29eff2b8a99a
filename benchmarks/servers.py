"""Debian's docker-registry as a child process with storage in a folder, and what its access log says."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trustme
from attrs import frozen

READY_S = 20.0
_ACCESS = re.compile(r'\] "([A-Z]+) (\S+) HTTP/1\.1" (\d{3}) (\d+)')


@frozen
class Server:
    """A running registry, written `host:port`. `log` is where its access log is, if it keeps one."""

    host: str
    log: Path
    process: int

    def cpu_s(self) -> float:
        """Seconds of processor time that the server has taken so far (proc(5), stat: utime and stime)."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def requests(self) -> list[tuple[str, str, int]]:
        """What was asked so far: ("GET", "/v2/", 200)."""
        return [(method, path, int(status)) for method, path, status, _ in _ACCESS.findall(self.log.read_text())]

    def blob_bytes(self) -> int:
        """Bytes of blobs that were handed out so far, those of bodies that were broken off included."""
        found = _ACCESS.findall(self.log.read_text())
        return sum(int(size) for method, path, _, size in found if method == "GET" and "/blobs/" in path)


@frozen
class Certificates:
    """A server certificate for loopback, and the authority that signed it."""

    authority: Path
    chain: Path
    key: Path

    @classmethod
    def made_in(cls, folder: Path) -> Certificates:
        """New ones, as files in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(folder / "ca.pem", folder / "server.pem", folder / "server.key")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(made.authority)
        issued = authority.issue_cert("127.0.0.1", "localhost")
        issued.private_key_pem.write_to_path(made.key)
        made.chain.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        return made


@contextlib.contextmanager
def registry(storage: Path, *, counted: bool = False, tls: Certificates | None = None) -> Iterator[Server]:
    """A registry on `storage` for the block; it writes an access log only when its requests are `counted`."""
    port = free_port()
    folder = storage.with_name(storage.name + ".server")
    folder.mkdir(parents=True, exist_ok=True)
    config, log = folder / "config.json", folder / "log"
    config.write_text(json.dumps(_settings(storage, port, counted, tls)))  # JSON is YAML
    with log.open("wb") as out:
        # an empty environment, since docker-registry reads REGISTRY_… variables over its file
        program = shutil.which("docker-registry") or "docker-registry"
        # and a session of its own: Ctrl-C is for the benchmark, which ends what it started
        process = subprocess.Popen(
            [program, "serve", config], stdout=out, stderr=subprocess.STDOUT, env={}, start_new_session=True
        )
    try:
        wait_for(port, process)
        yield Server(f"127.0.0.1:{port}", log, process.pid)
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    """A port that nobody listens at right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, process: subprocess.Popen[Any]) -> None:
    """Until somebody listens at `port`."""
    deadline_s = time.monotonic() + READY_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise RuntimeError(f"{process.args!r} did not start to listen")


def _settings(storage: Path, port: int, counted: bool, tls: Certificates | None) -> dict[str, Any]:
    http: dict[str, Any] = {"addr": f"127.0.0.1:{port}", "secret": "bench"}
    if tls:
        http["tls"] = {"certificate": str(tls.chain), "key": str(tls.key)}
    return {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": not counted}},
        "storage": {
            "filesystem": {"rootdirectory": str(storage)},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": http,
    }
