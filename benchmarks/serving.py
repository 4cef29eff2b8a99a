"""The scenes of serving beside docker-registry, of starting, and of copying from folder to folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import content
from benchmarks.contenders import TRANSLOAD
from benchmarks.figures import Figure, compared, limited
from benchmarks.processes import Cost, measured
from benchmarks.race import MIB, Bench
from benchmarks.servers import free_port, registry, wait_for
from benchmarks.site import Site

PYZ = Path(__file__).parents[1] / "tools" / "pyz.py"
CLIENTS, SMALL = 64, 200


def serving(bench: Bench) -> Iterator[Figure]:
    """One huge blob, small ones one after the other, and many clients at once: each from both servers in turn."""
    size = (64 if bench.quick else 1024) * MIB
    huge = content.one_layer(bench.folder, size)
    small = content.many(bench.folder, SMALL)
    middle = content.one_layer(bench.folder, 4 * MIB, "middle")
    rounds = bench.times(5)
    yield _raced(bench, huge, rounds, f"serving a blob of {size // MIB} MiB", _in_turn)
    yield _raced(bench, small, rounds, f"serving {SMALL} small blobs, one connection", _in_turn)
    yield _raced(bench, middle, rounds, f"serving {CLIENTS} clients at once, 4 MiB each", _at_once)


def starting(bench: Bench) -> Iterator[Figure]:
    """How long the program takes to say who it is."""
    home = bench.home("starting")
    one_file = home / "transload.pyz"
    subprocess.run([sys.executable, PYZ, "-o", one_file], check=True, stdout=subprocess.DEVNULL)

    def times_ms(*words: object) -> list[float]:
        costs = [measured(words, {"HOME": str(home)}, home / "log") for _ in range(2 * bench.times(5) + 1)]
        return [cost.wall_s * 1000 for cost in costs]

    for flag, at_most in (("--version", 150), ("--help", 250)):
        times = times_ms(TRANSLOAD, flag)
        yield limited(f"transload {flag}", statistics.median(times), at_most, "ms", samples=times)
    times = times_ms(sys.executable, "-I", one_file, "--version")
    yield Figure("transload.pyz --version", f"{statistics.median(times):.0f} ms", samples={"ours": times})


def layouts(bench: Bench) -> Iterator[Figure]:
    """From one folder into another on one disk, every byte hashed and flushed, beside `cp -r` and a flush."""
    home = bench.home("layouts")
    costs: defaultdict[str, list[Cost]] = defaultdict(list)
    for _ in range(bench.times(5)):
        words = (TRANSLOAD, "mirror", "--quiet", "--from", f"oci:{bench.goods.layout}", "--to", f"oci:{home / 'ours'}")
        copying = ("sh", "-c", 'cp -r "$1" "$2" && sync -f "$2"', "sh", bench.goods.layout, home / "theirs")
        for name, command in (("ours", words), ("theirs", copying)):
            os.sync()
            costs[name].append(measured(command, {"HOME": str(home), "PATH": os.defpath}, home / "log"))
        for name in ("ours", "theirs"):
            shutil.rmtree(home / name)
    yield compared("layout to layout, both releases", costs["ours"], costs["theirs"], "cp -r")


# --- inside

Blob = tuple[str, int]  # its path at a server, and its size
Reading = Callable[[str, list[Blob]], float]


def _raced(bench: Bench, goods: content.Goods, rounds: int, name: str, reading: Reading) -> Figure:
    """Megabytes per second from both servers, or blobs; the median of the ratios of the rounds."""
    site = Site.filled(bench.work / "served", goods)
    speeds: defaultdict[str, list[float]] = defaultdict(list)
    places = sorted(goods.places().items())
    ours_at = [(f"/v2/{repository}/blobs/{digest}", size) for digest, (size, repository) in places]
    theirs_at = [(f"/v2/{content.PREFIX}{path[3:]}", size) for path, size in ours_at]
    if reading is _at_once:
        ours_at, theirs_at = ([max(found, key=lambda blob: blob[1])] for found in (ours_at, theirs_at))
    total = sum(size for _, size in ours_at) / 1e6 * (CLIENTS if reading is _at_once else 1)
    unit = "MB/s"
    if len(places) > SMALL:
        total, unit = len(places), "blobs/s"
    with registry(site.source) as theirs, _served(goods.layout) as ours:
        for number in range(rounds + 1):
            for side, host, blobs in (("ours", ours, ours_at), ("theirs", theirs.host, theirs_at)):
                speed = total / reading(host, blobs)
                if number:  # the first reads what is not yet in memory
                    speeds[side].append(speed)
    ratio = statistics.median(one / other for one, other in zip(speeds["ours"], speeds["theirs"], strict=True))
    ours_told, theirs_told = (f"{statistics.median(speeds[side]):.0f} {unit}" for side in ("ours", "theirs"))
    return Figure(
        name,
        ours_told,
        f"docker-registry {theirs_told}",
        ratio=round(ratio, 3),
        reach="≥ 1 ×",
        reached=ratio >= 1,
        samples=dict(speeds),
    )


@contextlib.contextmanager
def _served(layout: Path) -> Iterator[str]:
    port = free_port()
    words = [sys.executable, "-m", "transload", "serve", f"oci:{layout}", "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _in_turn(host: str, blobs: list[Blob]) -> float:
    """Seconds for one client with one connection."""
    began_s = time.perf_counter()
    _read(host, blobs)
    return time.perf_counter() - began_s


def _at_once(host: str, blobs: list[Blob]) -> float:
    """Seconds until the last of many clients has everything."""
    failed: list[BaseException] = []

    def client() -> None:
        try:
            _read(host, blobs)
        except BaseException as error:  # a thread's error is raised below
            failed.append(error)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    began_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return time.perf_counter() - began_s


def _read(host: str, blobs: list[Blob]) -> None:
    """Each blob on one connection that is kept; the bytes are thrown away. Raises `ConnectionError`."""
    name, _, port = host.rpartition(":")
    buffer = bytearray(MIB)
    with socket.create_connection((name, int(port)), 60) as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for path, size in blobs:
            server.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            head = b""
            while b"\r\n\r\n" not in head:
                if not (piece := server.recv(65536)):
                    raise ConnectionError(f"{host} broke off")
                head += piece
            status = head.split(b" ", 2)[1]
            if status != b"200":
                raise ConnectionError(f"{host} answered {status.decode()} for {path}")
            left = size - len(head.partition(b"\r\n\r\n")[2])
            while left > 0:
                if not (count := server.recv_into(buffer, min(left, MIB))):
                    raise ConnectionError(f"{host} broke off {path}")
                left -= count
