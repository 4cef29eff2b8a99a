"""The scenes of many small things: images by the thousand, blobs by the ten thousand; and how all grows with size."""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Iterator, Sequence

from benchmarks import content
from benchmarks.contenders import TRANSLOAD, surroundings
from benchmarks.figures import Figure, limited
from benchmarks.processes import Cost, measured
from benchmarks.race import MIB, OURS, Bench, Course, Sample
from benchmarks.room import needs
from benchmarks.site import Site
from benchmarks.wording import told_size

KIB, GIB = 1 << 10, 1 << 30
MANY = 2000
BLOBS = 20_000
IMAGE_COUNTS = (20, 200, 2000)
LAYER_SIZES = (KIB, MIB, 64 * MIB, GIB, 10 * GIB)


def many(bench: Bench) -> Iterator[Figure]:
    """2,000 small images, beside the best peer."""
    count = 40 if bench.quick else MANY
    goods = content.many(bench.folder, count)
    site = Site.filled(bench.work / "many", goods)
    course = Course(scene=f"{count} images", stages={"cold": goods, "unchanged": goods})
    race = bench.race(site, course, bench.tools(), bench.times(1, 3))
    beside = "skopeo" if "skopeo" in bench.peers and "skopeo" not in race.failures else race.best_peer("cold")
    yield race.beside(f"{count} images cold, small layers", "cold", beside, 0.5)
    yield race.peak(f"peak memory, {count} images", ["cold"], 80)
    yield race.beside(f"{count} images, unchanged", "unchanged", race.best_peer("unchanged"))
    yield from race.told()


def blobs(bench: Bench) -> Iterator[Figure]:
    """20,000 blobs of a few hundred bytes: into a bundle, from it into a folder, from folder to folder.

    Each round makes everything anew, and nothing is deleted before the last: ext4 looks again and again at the inodes
    of files that were deleted in the last minutes, which doubles the processor time of whoever makes files then.
    """
    count = 400 if bench.quick else BLOBS
    goods = content.blobs(bench.folder, count)
    home = bench.home("blobs")
    source = f"oci:{goods.layout}"
    costs: dict[str, list[Cost]] = {}
    missing: list[str] = []
    rounds = [home / f"round-{number}" for number in range(bench.times(2, 5))]
    for made in rounds:
        bundle, pushed, copied = made / "bundle.tar", made / "pushed", made / "copied"
        made.mkdir()
        for name, words in (
            ("pack", ("pack", "--from", source, "-o", bundle)),
            ("push into a folder", ("push", bundle, "--to", f"oci:{pushed}")),
            ("folder to folder", ("mirror", "--from", source, "--to", f"oci:{copied}")),
        ):
            os.sync()
            cost = measured((TRANSLOAD, *words, "--quiet"), surroundings(home), home / "log")
            costs.setdefault(name, []).append(cost)
        for layout in (pushed, copied):
            missing += [digest for digest in goods.blobs() if not content.blob_file(layout, digest).exists()]
    for made in rounds:
        shutil.rmtree(made)
    for name, each in costs.items():
        yield _seconds(f"{count} small blobs: {name}", each, 7)
        yield limited(f"peak memory: {name}", max(cost.peak_bytes for cost in each) / MIB, 96, "MiB")
        bench.samples += (
            Sample(scene=f"{count} blobs", stage=name, tool=OURS, cost=cost, images=count // 100, size=goods.size)
            for cost in each
        )
    yield Figure("blobs that are missing afterwards", str(len(missing)), reach="= 0", reached=not missing)


def growing_images(bench: Bench) -> Iterator[Figure]:
    """Time, processor time and memory against the number of images."""
    for count in _chosen(bench, IMAGE_COUNTS, 40, MANY if bench.full else 200):
        goods = content.many(bench.folder, count)
        site = Site.filled(bench.work / f"many-{count}", goods)
        race = bench.race(site, Course(scene="images", stages={f"{count} images": goods}), bench.tools(), 1)
        yield race.beside(f"{count} images", f"{count} images", race.best_peer(f"{count} images"))
        yield from race.told()


def growing_layers(bench: Bench) -> Iterator[Figure]:
    """Time, processor time and memory against the size of one layer."""
    for size in bench.sizes or _chosen(bench, LAYER_SIZES, 64 * MIB, 10 * GIB if bench.full else GIB):
        needs(bench.folder, 2 * size)
        goods = content.one_layer(bench.folder, size)
        site = Site.filled(bench.work / f"layer-{size}", goods)
        stage = f"a layer of {told_size(size)}"
        race = bench.race(site, Course(scene="layers", stages={stage: goods}), bench.tools(), 1)
        yield race.beside(stage, stage, race.best_peer(stage))
        yield race.peak(f"peak memory, {stage}", [stage])
        yield from race.told()


# --- inside


def _chosen(bench: Bench, sizes: Sequence[int], quick: int, most: int) -> list[int]:
    return [size for size in sizes if size <= (quick if bench.quick else most)]


def _seconds(name: str, costs: Sequence[Cost], at_most: float) -> Figure:
    walls = [cost.wall_s for cost in costs]
    cpu_s = statistics.median(cost.cpu_s for cost in costs)
    value = statistics.median(walls)
    beside = f"processor {cpu_s:.2f} s"
    reach, reached = f"≤ {at_most:g} s", value <= at_most
    return Figure(name, f"{value:.2f} s", beside, reach=reach, reached=reached, samples={"ours": walls})
