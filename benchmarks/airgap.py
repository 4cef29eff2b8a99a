"""The scenes of crossing an air gap: onto a disk, and from it into a registry that has never seen the source."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tarfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from attrs import evolve, frozen

from benchmarks import carriers
from benchmarks.contenders import Command, Errand, Tool, transload
from benchmarks.content import Goods, one_layer
from benchmarks.disk import killed_at, peak_bytes
from benchmarks.figures import Figure, compared, counted, limited
from benchmarks.processes import Cost, measured
from benchmarks.race import Bench
from benchmarks.room import needs
from benchmarks.servers import Server, registry
from benchmarks.site import Pair, Site, asked

MIB = 1 << 20
LOG_LATE_S = 0.3  # docker-registry writes the line of a large body after its last byte is out
Costs = defaultdict[str, list[Cost]]


@frozen
class Disk:
    """A registry, and an empty disk onto which a program brings from it what is to be carried."""

    server: Server
    folder: Path
    home: Path

    def errand(self, goods: Goods) -> Errand:
        """`goods` onto the disk."""
        return Errand(goods, self.server.host, str(self.folder), home=self.home)

    def run(self, command: Command) -> Cost:
        """What it took; nothing is being written out meanwhile."""
        os.sync()
        return measured(command.words, command.environment, self.home / "output.log")

    @property
    def volumes(self) -> list[Path]:
        """The files of the bundle, which has to be there and finished."""
        assert not list(self.folder.glob("*.partial*")), f"an unfinished bundle in {self.folder}"
        return sorted(self.folder.glob(f"{carriers.BUNDLE}*.tar"))

    def carried_bytes(self, tool: Tool, goods: Goods) -> int:
        """How large it is what a tool brought, after a look whether all is there. Raises `AssertionError`."""
        if tool in (carriers.curl, carriers.flushed_curl):
            found = {path.name: path.stat().st_size for path in self.folder.iterdir()}
            assert found == goods.blobs(), "curl brought something else"
            return sum(found.values())
        if tool is carriers.skopeo_tar:
            images = sum(1 for _ in self.folder.glob("**/manifest.json"))
            assert images == len(goods.names), f"skopeo brought {images} images"
            return (self.folder / carriers.TAR).stat().st_size
        size = sum(volume.stat().st_size for volume in self.volumes)
        assert size > goods.size, f"a bundle of {size} bytes"
        return size


def packing(bench: Bench) -> Iterator[Figure]:
    """A release onto a disk: a bundle, volumes, curl with and without a flush, skopeo and tar; all in turn."""
    goods, _ = bench.releases
    costs: Costs = defaultdict(list)
    sizes: dict[str, int] = {}
    for _ in range(bench.times(5)):
        for tool in (carriers.pack, carriers.curl, carriers.cut, carriers.flushed_curl, carriers.skopeo_tar):
            with _disk(bench, bench.site) as disk:
                costs[tool.__name__].append(disk.run(tool(disk.errand(goods))))
                sizes[tool.__name__] = disk.carried_bytes(tool, goods)
    ours = costs["pack"]
    yield compared(f"pack ({len(goods.names)} images, {goods.size // MIB} MiB)", ours, costs["curl"], "curl", 1.3)
    yield compared(f"pack, volumes of {carriers.volume_mib(goods)} MiB", costs["cut"], costs["curl"], "curl", 1.3)
    yield compared("pack, beside curl and a flush", ours, costs["flushed_curl"], "curl, sync")
    yield compared("pack, beside a folder and tar", ours, costs["skopeo_tar"], "skopeo, tar", 0.5)
    yield _sizes("size of the bundle", sizes["pack"], "skopeo, tar", sizes["skopeo_tar"])
    yield compared("processor time of packing", ours, costs["curl"], "curl", of=lambda cost: cost.cpu_s)
    yield _memory("peak memory of packing", [*ours, *costs["cut"]])
    for name, tool in (("one file", carriers.pack), ("volumes", carriers.cut)):
        yield _peak_disk(f"peak disk of packing, {name}", bench, tool)


def packed_layer(bench: Bench) -> Iterator[Figure]:
    """One image of one huge layer onto a disk: memory, and wall time beside curl."""
    layer_bytes = (64 if bench.quick else 1024) * MIB
    needs(bench.folder, 2 * layer_bytes)
    goods = one_layer(bench.folder, layer_bytes)
    site = Site.filled(bench.work / "packed-layer", goods)
    costs: Costs = defaultdict(list)
    for _ in range(bench.times(2)):
        for tool in (carriers.pack, carriers.curl):
            with _disk(bench, site) as disk:
                costs[tool.__name__].append(disk.run(tool(disk.errand(goods))))
                disk.carried_bytes(tool, goods)
    shutil.rmtree(site.folder)
    size = f"one layer of {goods.size // MIB} MiB"
    yield compared(f"pack, {size}", costs["pack"], costs["curl"], "curl", 1.3)
    yield _memory(f"peak memory of packing, {size}", costs["pack"])


def pushing(bench: Bench) -> Iterator[Figure]:
    """A bundle into a new registry, beside the mirror of the same release from a registry."""
    goods, _ = bench.releases
    costs: Costs = defaultdict(list)
    with _disk(bench, bench.site) as disk:
        disk.run(carriers.pack(disk.errand(goods)))
        for _ in range(bench.times(5)):
            for tool in (carriers.push, transload):
                with bench.site.pair() as pair:
                    _lay(disk, pair)
                    costs[tool.__name__].append(pair.run(tool, goods))
                    pair.check(goods)
    yield compared("push of the bundle, beside mirror", costs["push"], costs["transload"], "mirror", 1.1)
    yield _memory("peak memory of pushing", costs["push"])


def differential(bench: Bench) -> Iterator[Figure]:
    """The next month's bundle against an inventory of a far side that has the month before."""
    first, second = bench.releases
    with _disk(bench, bench.site) as disk, bench.site.pair(counted=True) as pair:
        pair.run(transload, first)
        pair.run(carriers.inventory, first)
        before = len(pair.source.requests())
        disk.run(carriers.against(Errand(second, pair.source.host, str(disk.folder), home=pair.home)))
        time.sleep(LOG_LATE_S)
        read = asked(pair.source, before)["GET blob"]
        (bundle,) = disk.volumes
        size, members = bundle.stat().st_size, _members(bundle)
        _lay(disk, pair)
        pair.run(carriers.push, second)
        pair.check(second)
    blobs = {digest: size for digest, size in second.blobs().items() if digest not in first.blobs()}
    manifests = _manifests(second)  # all of them, for the tag is new
    assert members == {**blobs, **manifests}, "the differential holds something else than what is new"
    yield counted("differential: blobs read from the source", read, len(blobs), f"of {len(second.blobs())}")
    yield counted("differential: blobs and manifests in it", len(members), len(blobs) + len(manifests))
    yield _sizes("size of the differential", size, "new blobs", sum(blobs.values()))
    rest = size - sum(members.values())
    yield Figure("ledger, index and headers in it", f"{rest / 1024:.0f} KiB", samples={"ours": [rest]})


def resuming(bench: Bench) -> Iterator[Figure]:
    """Packing is killed when half is on the disk, and run again: what is read from the source once more."""
    goods, _ = bench.releases
    shares: list[dict[str, float]] = []
    for _ in range(bench.times(2)):
        with _disk(bench, bench.site, counted=True) as disk:
            command = carriers.pack(disk.errand(goods))
            disk.run(command)
            (bundle,) = disk.volumes
            whole = _sha256(bundle)
            bundle.unlink()
            begun = _blob_bytes(disk)
            there = killed_at(goods.size // 2, command, disk.home / "killed.log", disk.folder)
            killed = _blob_bytes(disk)
            disk.run(command)
            assert _sha256(bundle) == whole, "the bundle that was gone on with is another one"
            amounts = {"there": there, "before": killed - begun, "again": _blob_bytes(disk) - killed}
            shares.append({name: 100 * amount / goods.size for name, amount in amounts.items()})
    worst = max(shares, key=lambda share: share["again"])
    at_kill = f"at the kill {worst['there']:.1f} % there"
    shown, reached = f"{worst['again']:.1f} %", worst["again"] <= 55
    name, samples = "killed at 50 %, run again: read again", {"ours": shares}
    yield Figure(name, shown, at_kill, reach="≤ 55 %", reached=reached, samples=samples)


# --- inside


@contextlib.contextmanager
def _disk(bench: Bench, site: Site, *, counted: bool = False) -> Iterator[Disk]:
    """A fresh registry process on the site's source, a folder and a home; both are gone afterwards."""
    place = bench.work / "disk"
    shutil.rmtree(place, ignore_errors=True)
    folder, home = place / "carried", place / "home"
    for each in (folder, home):
        each.mkdir(parents=True)
    with registry(site.source, counted=counted) as server:
        yield Disk(server, folder, home)
    shutil.rmtree(place)


def _lay(disk: Disk, pair: Pair) -> None:
    """The bundle where `carriers.push` looks for it; the same file under a second name."""
    for volume in disk.volumes:
        (pair.home / volume.name).hardlink_to(volume)


def _peak_disk(name: str, bench: Bench, tool: Tool) -> Figure:
    """A run of its own, since looking takes time."""
    goods, _ = bench.releases
    with _disk(bench, bench.site) as disk:
        peak = peak_bytes(tool(disk.errand(goods)), disk.home / "output.log", disk.folder, disk.home)
        size = disk.carried_bytes(tool, goods)
    return evolve(_sizes(name, peak, "bundle", size), reach="≤ 1.01 ×", reached=peak <= 1.01 * size)


def _sizes(name: str, ours: int, peer: str, theirs: int) -> Figure:
    shown = (f"{ours / MIB:.1f} MiB", f"{peer} {theirs / MIB:.1f} MiB")
    return Figure(name, *shown, ratio=round(ours / theirs, 3), samples={"ours": [ours], "theirs": [theirs]})


def _memory(name: str, ours: list[Cost]) -> Figure:
    peaks = [cost.peak_bytes / MIB for cost in ours]
    return limited(name, max(peaks), 96, "MiB", samples=peaks)


def _blob_bytes(disk: Disk) -> int:
    time.sleep(LOG_LATE_S)
    return disk.server.blob_bytes()


def _members(bundle: Path) -> dict[str, int]:
    """Sizes of the blobs and manifests in a bundle by digest."""
    with tarfile.open(bundle) as archive:
        names = ((member.name.split("/"), member.size) for member in archive)
        return {":".join(parts[1:]): size for parts, size in names if parts[0] == "blobs"}


def _manifests(goods: Goods) -> dict[str, int]:
    return {manifest.digest: len(manifest.raw) for graph in goods.graphs().values() for manifest in graph}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
