"""The scene of growth: what ten, a hundred, a thousand and ten thousand images take, at each step of their way."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from benchmarks import growth
from benchmarks.contenders import TRANSLOAD, surroundings
from benchmarks.figures import Figure, limited
from benchmarks.processes import Cost, measured
from benchmarks.race import GROWTH, MIB, OURS, Bench, Sample
from benchmarks.room import needs
from benchmarks.servers import Server, registry
from benchmarks.site import asked

COUNTS = (10, 100, 1000, 10_000)
_ROOM = 3 << 30  # bytes: every small file takes a block, in the folder and in four copies of it
_FOR_REGISTRY = 1000  # images: docker-registry takes minutes for 91,000 uploads, whoever makes them
_AT_MOST_S, _AT_MOST_MIB = 60, 256
_LEDGER = "transload/ledger.json"


@frozen
class _Way:
    """One folder of images, and where each step puts what it makes."""

    count: int
    layout: Path
    home: Path

    def steps(self, server: Server | None) -> Iterator[tuple[str, tuple[object, ...]]]:
        """Every step by its name, and its words."""
        source, bundle = f"oci:{self.layout}", self.home / "bundle.tar"
        yield "plan", ("plan", "--from", source, "--to", f"oci:{self.home / 'planned'}", "-o", self.plan)
        yield "mirror", ("mirror", "--from", source, "--to", f"oci:{self.home / 'mirrored'}")
        yield "pack", ("pack", "--from", source, "-o", bundle)
        yield "list", ("list", bundle)
        yield "verify", ("verify", bundle)
        yield "push into a folder", ("push", bundle, "--to", f"oci:{self.home / 'pushed'}")
        if server is not None:
            yield "push into a registry", ("push", bundle, "--to", f"{server.host}/site")

    @property
    def plan(self) -> Path:
        """The file of the plan."""
        return self.home / "plan.json"

    def sizes(self) -> Iterator[tuple[str, int]]:
        """What grows with the number of images besides blobs: names, and bytes."""
        yield "plan file", self.plan.stat().st_size
        with tarfile.open(self.home / "bundle.tar") as bundle:
            yield "ledger", bundle.getmember(_LEDGER).size
        yield "index.json", (self.home / "pushed" / "index.json").stat().st_size


def growing(bench: Bench) -> Iterator[Figure]:
    """Time and memory of plan, mirror, pack, list, verify and push, from 10 to 10,000 images of ten small blobs."""
    needs(bench.folder, 64 * MIB if bench.quick else _ROOM)
    costs: dict[str, dict[int, Cost]] = {}
    counts = [count for count in COUNTS if count <= (100 if bench.quick else COUNTS[-1])]
    for count in counts:
        home = bench.home(f"growth-{count}")
        way = _Way(count, growth.filled(home / "images", count), home)
        with registry(home / "registry", counted=True) as server:
            into = server if bench.full or count <= _FOR_REGISTRY else None
            for name, words in way.steps(into):
                os.sync()
                cost = measured((TRANSLOAD, *words, "--quiet"), surroundings(home), home / "log")
                costs.setdefault(name, {})[count] = cost
                stage = f"{name}, {count:,} images"
                bench.samples.append(
                    Sample(scene=GROWTH, stage=stage, tool=OURS, cost=cost, images=count, size=growth.OWN * count)
                )
            yield from _whole(way)
            if count == counts[-1]:
                for what, size in way.sizes():
                    yield Figure(f"{what}, for each of {count:,} images", f"{size / count:,.0f} bytes")
            if into is not None and count in {counts[-1], _FOR_REGISTRY}:
                requests = asked(server).total()
                yield Figure(f"requests to the registry, for each of {count:,} images", f"{requests / count:.1f}")
        shutil.rmtree(home)
    for name, found in costs.items():
        yield from _figures(name, found)


def _whole(way: _Way) -> Iterator[Figure]:
    """A line only if something is missing."""
    for place in ("mirrored", "pushed"):
        listed = len(json.loads((way.home / place / "index.json").read_bytes())["manifests"])
        blobs = sum(1 for _ in (way.home / place / "blobs" / "sha256").iterdir())
        expected = sum(1 for _ in (way.layout / "blobs" / "sha256").iterdir())
        if (listed, blobs) != (way.count, expected):
            yield Figure(f"{place}, {way.count:,} images", f"{listed} images, {blobs} blobs", reached=False)


def _figures(name: str, costs: dict[int, Cost]) -> Iterator[Figure]:
    most = max(costs)
    cost = costs[most]
    reach, reached = f"≤ {_AT_MOST_S} s", cost.wall_s <= _AT_MOST_S
    if name == "plan":
        reach, reached = "≤ 10 s of processor", cost.cpu_s <= 10
    shown, beside = f"{cost.wall_s:.1f} s", f"processor {cost.cpu_s:.1f} s"
    yield Figure(f"{most:,} images: {name}", shown, beside, reach=reach, reached=reached)
    yield limited(f"peak memory: {name}", cost.peak_bytes / MIB, _AT_MOST_MIB, "MiB")
    before = costs.get(most // 10)
    if before is not None:
        grown, more = cost.cpu_s / before.cpu_s, cost.peak_bytes / before.peak_bytes
        told = f"× {grown:.1f} processor, × {more:.1f} memory"
        yield Figure(f"ten times the images: {name}", told, reach="≤ × 11", reached=max(grown, more) <= 11)
