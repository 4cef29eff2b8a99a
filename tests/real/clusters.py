"""A Dask cluster for tests: a scheduler and workers as processes of their own, on free loopback ports."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from attrs import field, frozen

READY_S = 240.0


@frozen
class Cluster:
    """A running scheduler. Its workers are started by `worker`, and all end with the block that started it."""

    folder: Path
    stack: contextlib.ExitStack = field(repr=False)
    scheduler: subprocess.Popen[bytes] = field(repr=False)
    address: str
    scheme: tuple[str, ...] = ()
    by_way_of: str = ""

    def worker(self, name: str, *words: str, threads: int = 1, **variables: object) -> subprocess.Popen[bytes]:
        """Start a worker process, and wait until the scheduler knows it. Its log is `log(name)`."""
        before = self.log("scheduler").count("Register worker")
        words = ("--nthreads", str(threads), "--name", name, "--no-dashboard", *self.scheme, *words)
        words = ("--local-directory", str(self.folder), "--death-timeout", "60", *words)
        if "--nanny" not in words:
            words = ("--no-nanny", *words)
        process = _process(
            self.stack, self.folder, name, "dask_worker", (self.by_way_of or self.address, *words), variables
        )
        deadline = time.monotonic() + READY_S
        while self.log("scheduler").count("Register worker") == before:
            assert process.poll() is None, self.log(name)
            assert time.monotonic() < deadline, self.log(name)
            time.sleep(0.05)
        return process

    def log(self, name: str) -> str:
        """What a process of the cluster has said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")


@contextlib.contextmanager
def running_cluster(folder: Path, *words: str, prelude: str = "", **variables: object) -> Iterator[Cluster]:
    """A scheduler for the block, which logs who comes and goes. `prelude` is Python that it runs first."""
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'transload[distributed]'")
    with contextlib.ExitStack() as stack:
        file = folder / "scheduler.json"
        started = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file), *words)
        process = _process(stack, folder, "scheduler", "dask_scheduler", started, variables, prelude)
        deadline = time.monotonic() + READY_S
        while not file.exists() or not file.read_text():
            assert process.poll() is None, (folder / "scheduler.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        tls = tuple(word for word in words if word.startswith(("--tls", "/")))
        address = json.loads(file.read_text())["address"]
        yield Cluster(folder=folder, stack=stack, scheduler=process, address=address, scheme=tls)


def _process(
    stack: contextlib.ExitStack,
    folder: Path,
    name: str,
    program: str,
    words: tuple[str, ...],
    variables: Mapping[str, object],
    prelude: str = "",
) -> subprocess.Popen[bytes]:
    prelude = str(variables.get("prelude", prelude))
    environment = os.environ | {key: str(value) for key, value in variables.items() if key != "prelude"}
    start = f"{prelude}\nfrom distributed.cli.{program} import main\nmain()"
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", start, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )
    stack.callback(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


class Relay:
    """Passes connections on to an address, and keeps every byte that went through, in both directions."""

    def __init__(self, address: str) -> None:
        host, _, port = address.partition("://")[2].rpartition(":")
        self._onward = (host, int(port))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._listening.getsockname()[1]}"
        self.passed: list[bytes] = []

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(self._onward)
                for here, there in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(here, there), daemon=True).start()

    def _pass(self, here: socket.socket, there: socket.socket) -> None:
        with contextlib.suppress(OSError):  # either end went away
            while data := here.recv(1 << 16):
                self.passed.append(data)
                there.sendall(data)
        for end in (here, there):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def memory_of(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """What a process has in the memory that it may write to (proc_pid_maps)."""
    regions = [line.split() for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines()]
    with Path(f"/proc/{process.pid}/mem").open("rb", buffering=0) as memory:
        for where, access, *_ in regions:
            begin, end = (int(number, 16) for number in where.split("-"))
            if access.startswith("rw"):
                with contextlib.suppress(OSError, ValueError, OverflowError):  # special pages
                    memory.seek(begin)
                    yield memory.read(end - begin)
