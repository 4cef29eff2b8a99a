"""The situations that are measured, each as a function that gives its lines of the table."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from benchmarks.contenders import TRANSLOAD, Tool, bare_bytes, skopeo, transload
from benchmarks.content import Goods
from benchmarks.figures import Figure, compared, counted, limited
from benchmarks.processes import Cost, measured
from benchmarks.servers import Certificates, free_port, registry, wait_for
from benchmarks.site import Pair, Site, asked
from benchmarks.slow_wire import slow_wire

MIB = 1 << 20
PYZ = Path(__file__).parents[1] / "tools" / "pyz.py"
WIRE_ROUND_TRIP_S, WIRE_RATE = 0.040, 20e6


@frozen
class Bench:
    """What all scenes share: where they work, what they copy, how often."""

    folder: Path
    goods: Goods
    site: Site
    rounds: int

    @property
    def releases(self) -> tuple[Goods, Goods]:
        """The month before and the month."""
        first, second = self.goods.tags[:2]
        return self.goods.of(first), self.goods.of(second)

    def home(self, name: str) -> Path:
        """A folder for output."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


Costs = defaultdict[tuple[str, str], list[Cost]]


def months(bench: Bench) -> Iterator[Figure]:
    """A cold mirror, the same again, and the next month's release on top; all tools in turn, round after round."""
    first, second = bench.releases
    costs: Costs = defaultdict(list)
    for _ in range(bench.rounds):
        for tool in (transload, skopeo, bare_bytes):
            with bench.site.pair() as pair:
                costs["cold", tool.__name__].append(pair.run(tool, first))
                if tool is bare_bytes:
                    continue
                pair.check(first)
                costs["again", tool.__name__].append(pair.run(tool, first))
                costs["next", tool.__name__].append(pair.run(tool, second))
                pair.check(second)
    ours = costs["cold", "transload"]
    size = f"{len(first.names)} images, {first.size // MIB} MiB"
    yield compared(f"cold mirror ({size})", ours, costs["cold", "skopeo"], "skopeo", 0.6)
    yield compared("cold mirror, beside the bare bytes", ours, costs["cold", "bare_bytes"], "sockets", 1.35)
    yield compared("unchanged re-run", costs["again", "transload"], costs["again", "skopeo"], "skopeo")
    yield compared("next month's release on top", costs["next", "transload"], costs["next", "skopeo"], "skopeo")
    yield compared(
        "processor time of the cold mirror", ours, costs["cold", "skopeo"], "skopeo", of=lambda cost: cost.cpu_s
    )
    yield _peak("peak memory of the cold mirror", ours, costs["cold", "skopeo"])


def requests(bench: Bench) -> Iterator[Figure]:
    """How often both registries are asked, by their own access logs."""
    first, second = bench.releases
    counts: dict[tuple[str, str], tuple[Counter[str], Counter[str]]] = {}
    for tool in (transload, skopeo):
        with bench.site.pair(counted=True) as pair:
            for stage, goods in (("cold", first), ("again", first), ("next", second)):
                counts[stage, tool.__name__] = _asked_during(pair, tool, goods)
            pair.check(second)
    moved = {digest: size for digest, size in second.blobs().items() if digest not in first.blobs()}
    images = len(first.names)
    for stage, name in (("cold", "cold mirror"), ("again", "unchanged re-run"), ("next", "next month's release")):
        ours, theirs = counts[stage, "transload"], counts[stage, "skopeo"]
        told = f"skopeo {theirs[0].total()} + {theirs[1].total()}"
        expected = f"{images} + {images}" if stage == "again" else None
        yield counted(f"requests: {name} (source + target)", f"{ours[0].total()} + {ours[1].total()}", expected, told)
    yield counted("blobs read: cold mirror", counts["cold", "transload"][0]["GET blob"], len(first.blobs()))
    yield counted("blobs read: next month's release", counts["next", "transload"][0]["GET blob"], len(moved))


def one_layer(bench: Bench, goods: Goods) -> Iterator[Figure]:
    """One image of one huge layer, over plain HTTP and over TLS: memory, and processor time by bytes."""
    site = Site.filled(bench.folder / "layer", goods)
    certificates = Certificates.made_in(bench.folder / "certificates")
    gigabytes = goods.size / 1e9
    for name, tls in (("plain HTTP", None), ("TLS", certificates)):
        costs: Costs = defaultdict(list)
        for _ in range(max(1, bench.rounds // 2)):
            for tool in (transload, skopeo):
                with site.pair(tls=tls) as pair:
                    costs["layer", tool.__name__].append(pair.run(tool, goods))
                    pair.check(goods)
        ours, theirs = costs["layer", "transload"], costs["layer", "skopeo"]
        yield compared(f"one layer of {goods.size // MIB} MiB, {name}", ours, theirs, "skopeo")
        yield compared(f"processor time per GB, {name}", ours, theirs, "skopeo", of=lambda cost: cost.cpu_s / gigabytes)
        yield _peak(f"peak memory, {name}", ours, theirs)


def long_wire(bench: Bench) -> Iterator[Figure]:
    """The cold mirror with both registries at the end of a long wire."""
    first, _ = bench.releases
    costs: Costs = defaultdict(list)
    for _ in range(max(1, bench.rounds // 3)):
        for tool in (transload, skopeo):
            with bench.site.pair() as pair, _far(pair) as far:
                costs["wire", tool.__name__].append(far.run(tool, first))
                far.check(first)
    name = f"cold mirror, {WIRE_ROUND_TRIP_S * 1000:.0f} ms and {WIRE_RATE / 1e6:.0f} MB/s a connection"
    yield compared(name, costs["wire", "transload"], costs["wire", "skopeo"], "skopeo")


def starting(bench: Bench) -> Iterator[Figure]:
    """How long the program takes to say who it is."""
    home = bench.home("starting")
    one_file = home / "transload.pyz"
    subprocess.run([sys.executable, PYZ, "-o", one_file], check=True, stdout=subprocess.DEVNULL)

    def times_ms(*words: object) -> list[float]:
        costs = [measured(words, {"HOME": str(home)}, home / "log") for _ in range(2 * bench.rounds + 1)]
        return [cost.wall_s * 1000 for cost in costs]

    for flag, at_most in (("--version", 150), ("--help", 250)):
        times = times_ms(TRANSLOAD, flag)
        yield limited(f"transload {flag}", statistics.median(times), at_most, "ms", samples=times)
    times = times_ms(sys.executable, "-I", one_file, "--version")
    yield Figure("transload.pyz --version", f"{statistics.median(times):.0f} ms", samples={"ours": times})


def serving(bench: Bench, goods: Goods) -> Iterator[Figure]:
    """One huge blob read from `transload serve` and from docker-registry, by the same client."""
    site = Site.filled(bench.folder / "served", goods)
    digest, size = max(goods.blobs().items(), key=lambda blob: blob[1])
    repository = goods.names[0].repository
    speeds: defaultdict[str, list[float]] = defaultdict(list)
    with registry(site.source) as theirs, _served(goods.layout) as ours:
        for _ in range(bench.rounds):
            speeds["ours"].append(size / _read(ours, f"/v2/{repository}/blobs/{digest}", size) / 1e6)
            speeds["theirs"].append(size / _read(theirs.host, f"/v2/vendor/{repository}/blobs/{digest}", size) / 1e6)
    ratio = statistics.median(one / other for one, other in zip(speeds["ours"], speeds["theirs"], strict=True))
    yield Figure(
        f"serving a blob of {size // MIB} MiB",
        f"{statistics.median(speeds['ours']):.0f} MB/s",
        theirs=f"docker-registry {statistics.median(speeds['theirs']):.0f} MB/s",
        ratio=round(ratio, 3),
        reach="≥ 1 ×",
        reached=ratio >= 1,
        samples=dict(speeds),
    )


def layouts(bench: Bench) -> Iterator[Figure]:
    """Both releases from layout to layout on one disk, every byte hashed and flushed, beside `cp -r` and a flush."""
    home, origin = bench.home("layouts"), bench.goods.layout
    costs: Costs = defaultdict(list)
    for _ in range(bench.rounds):
        words = (TRANSLOAD, "mirror", "--quiet", "--from", f"oci:{origin}", "--to", f"oci:{home / 'ours'}")
        copying = ("sh", "-c", 'cp -r "$1" "$2" && sync -f "$2"', "sh", origin, home / "theirs")
        for name, command in (("ours", words), ("theirs", copying)):
            os.sync()
            costs["layout", name].append(measured(command, {"HOME": str(home), "PATH": os.defpath}, home / "log"))
        for name in ("ours", "theirs"):
            shutil.rmtree(home / name)
    yield compared("layout to layout, both releases", costs["layout", "ours"], costs["layout", "theirs"], "cp -r")


# --- inside


def _peak(name: str, ours: list[Cost], theirs: list[Cost]) -> Figure:
    beside = f"skopeo {max(cost.peak_bytes for cost in theirs) / MIB:.0f} MiB"
    return limited(name, max(cost.peak_bytes for cost in ours) / MIB, 96, "MiB", beside)


def _asked_during(pair: Pair, tool: Tool, goods: Goods) -> tuple[Counter[str], Counter[str]]:
    before = [len(server.requests()) for server in (pair.source, pair.target)]
    pair.run(tool, goods)
    time.sleep(0.3)  # docker-registry writes the line of a large body after its last byte is out
    return asked(pair.source, before[0]), asked(pair.target, before[1])


@contextlib.contextmanager
def _far(pair: Pair) -> Iterator[Pair]:
    with (
        slow_wire(pair.source.host, WIRE_ROUND_TRIP_S, WIRE_RATE) as source,
        slow_wire(pair.target.host, WIRE_ROUND_TRIP_S, WIRE_RATE) as target,
    ):
        yield Pair(pair.source, pair.target, pair.home, source_at=source, target_at=target)


@contextlib.contextmanager
def _served(layout: Path) -> Iterator[str]:
    port = free_port()
    words = [sys.executable, "-m", "transload", "serve", f"oci:{layout}", "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _read(host: str, path: str, size: int) -> float:
    """Seconds to read a body of `size` bytes, which are thrown away."""
    name, _, port = host.rpartition(":")
    buffer = bytearray(MIB)
    with socket.create_connection((name, int(port))) as server:
        began_s = time.perf_counter()
        server.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        total = 0
        while count := server.recv_into(buffer):
            total += count
        assert total > size, f"{host} sent only {total} of {size} bytes"
        return time.perf_counter() - began_s
