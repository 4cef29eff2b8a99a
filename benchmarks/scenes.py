"""The scenes of mirroring a release over wires of all kinds, each as a function that gives its lines of the table."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial

from attrs import evolve

from benchmarks import content
from benchmarks.contenders import Command, Errand, Tool, bare_bytes, mirror, transload
from benchmarks.figures import Figure, counted
from benchmarks.peers import named
from benchmarks.processes import ProgramFailed
from benchmarks.profiles import FAR, FLAKY, LAN, LOOPBACK, SATELLITE, Profile
from benchmarks.race import FLOOR, MIB, OURS, Bench, Course, Race, gist
from benchmarks.room import needs
from benchmarks.site import Pair, Site, WrongResult, asked

GIB = 1 << 30


def months(bench: Bench) -> Iterator[Figure]:
    """A cold mirror, the same again, and the next month's release on top, on loopback."""
    first, second = bench.releases
    site = Site.filled(bench.work / "releases", bench.goods)
    course = Course(scene="release", stages={"cold": first, "unchanged": first, "next month": second})
    race = bench.race(site, course, bench.tools(floor=True), bench.times(9, 9))
    size = f"{len(first.names)} images, {first.size // MIB} MiB"
    yield race.beside(f"cold mirror, loopback ({size})", "cold", "skopeo" if "skopeo" in bench.peers else None, 0.6)
    yield from _beside_all(race, "cold", "cold mirror")
    yield race.beside("cold mirror, beside raw sockets", "cold", FLOOR)
    yield race.beside("next month's release on top", "next month", race.best_peer("next month"), 0.75)
    again = race.wall_s("unchanged", OURS)
    yield _limit("unchanged, loopback", again, 0.16, "s", race.beside("", "unchanged", race.best_peer("unchanged")))
    best = race.best_peer("cold")
    yield race.beside("processor time of the cold mirror", "cold", best, of=lambda cost: cost.cpu_s)
    yield race.peak("peak memory of the cold mirror", course.stages)
    yield from race.told()
    counting = bench.race(site, evolve(course, scene="release, counted", counting=True), bench.tools(), 1)
    yield from counting.told()


def requests(bench: Bench) -> Iterator[Figure]:
    """How often both registries are asked, by their own access logs."""
    first, second = bench.releases
    site = Site.filled(bench.work / "counted", bench.goods)
    peer = "skopeo" if "skopeo" in bench.peers else None
    counts: dict[tuple[str, str], tuple[Counter[str], Counter[str]]] = {}
    for name, tool in ((OURS, transload), *([(peer, named(peer))] if peer else [])):
        try:
            with site.pair(counted=True) as pair:
                for stage, goods in (("cold", first), ("again", first), ("next", second)):
                    counts[stage, name] = _asked_during(pair, tool, goods)
                pair.check(second)
        except (ProgramFailed, WrongResult) as error:
            if name == OURS:
                raise
            peer = None
            bench.failures.append(f"requests: {name}: {error}")
            yield Figure(f"requests: {name}", "failed", gist(str(error)))
    moved = {digest: size for digest, size in second.blobs().items() if digest not in first.blobs()}
    images = len(first.names)
    for stage, name in (("cold", "cold mirror"), ("again", "unchanged"), ("next", "next month's release")):
        ours = counts[stage, OURS]
        told = f"{peer} {counts[stage, peer][0].total()} + {counts[stage, peer][1].total()}" if peer else "no peer"
        expected = f"{images} + {images}" if stage == "again" else None
        yield counted(f"requests: {name} (source + target)", f"{ours[0].total()} + {ours[1].total()}", expected, told)
    for stage, name, needed in (("cold", "cold mirror", first.blobs()), ("next", "next month's release", moved)):
        read = counts[stage, OURS][0]
        parts = f"{read['GET part']} more requests for parts of them" if read["GET part"] else ""
        yield counted(f"blobs read: {name}", read["GET blob"], len(needed), parts)


def large(bench: Bench) -> Iterator[Figure]:
    """A release of 4 GiB on loopback, beside the peers and raw sockets."""
    size = (200 * MIB) if bench.quick else 4 * GIB
    needs(bench.folder, 2 * size)
    goods = content.large(bench.folder, size)
    site = Site.filled(bench.work / "large", goods)
    race = bench.race(site, Course(scene="large", stages={"cold": goods}), bench.tools(floor=True), bench.times(1, 3))
    title = f"cold mirror, loopback ({len(goods.names)} images, {goods.size / GIB:.1f} GiB)"
    yield race.beside(title, "cold", race.best_peer("cold"), 0.45)
    yield race.beside("the same, beside raw sockets", "cold", FLOOR, 1.2)
    yield race.peak("peak memory")
    yield from race.told()


def wire(
    bench: Bench, source: Profile, target: Profile, scene: str, at_most_s: float | None = None
) -> Iterator[Figure]:
    """A cold mirror and the same again over a wire; peers run once, since they may take long."""
    first, _ = bench.releases
    site = Site.filled(bench.work / "wire", bench.goods)
    course = Course(scene=scene, stages={"cold": first, "unchanged": first}, source=source, target=target)
    race = bench.race(site, course, {OURS: transload}, bench.times(3, 5))
    peers = bench.race(site, course, {name: named(name) for name in bench.peers}, 1)
    race.samples += peers.samples
    race.failures |= peers.failures
    cold = race.beside(f"cold mirror, {scene}", "cold", race.best_peer("cold"))
    yield cold if at_most_s is None else _limit(cold.name, race.wall_s("cold", OURS), at_most_s, "s", cold)
    if target is LOOPBACK and not source.reset_share:
        floor = Course(scene=scene, stages={"cold": first}, source=source)
        race.samples += bench.race(site, floor, {FLOOR: partial(bare_bytes, connections=16)}, bench.times(3, 5)).samples
        yield race.beside(f"cold mirror, {scene}, beside 16 raw sockets", "cold", FLOOR)
    yield _connections(race, "cold")
    if source.round_trip_s >= 0.01 and not source.reset_share:
        start_s = _start_s(bench)
        trips = (race.wall_s("unchanged", OURS) - start_s) / source.round_trip_s
        wanted = 8 if source is FAR else None
        chain = max(sample.source.in_sequence + sample.target.in_sequence for sample in race.of("unchanged", OURS))
        yield Figure(
            f"unchanged, {scene}: round trips",
            f"{trips:.1f} beyond start-up",
            f"{race.wall_s('unchanged', OURS):.2f} s, start {start_s:.2f} s; {chain} in sequence",
            reach="≤ 8" if wanted else "",
            reached=trips <= wanted if wanted else None,
            samples={"ours": [trips]},
        )
    yield race.peak(f"peak memory, {scene}", course.stages)
    yield from race.told()


def lan(bench: Bench) -> Iterator[Figure]:
    """Both registries across the room."""
    return wire(bench, LAN, LAN, "LAN")


def far_source(bench: Bench) -> Iterator[Figure]:
    """Only the source is far away, as with most public registries."""
    return wire(bench, FAR, LOOPBACK, "far source", 2.6)


def far_both(bench: Bench) -> Iterator[Figure]:
    """Both are far away."""
    return wire(bench, FAR, FAR, "both far")


def flaky(bench: Bench) -> Iterator[Figure]:
    """A source behind a line on which connections break."""
    return wire(bench, FLAKY, LOOPBACK, "flaky source")


def far_layer(bench: Bench) -> Iterator[Figure]:
    """One large layer from far away with eight connections allowed, beside what one connection carries."""
    size = (40 * MIB) if bench.quick else GIB
    needs(bench.folder, 2 * size)
    goods = content.one_layer(bench.folder, size)
    site = Site.filled(bench.work / "layer", goods)
    course = Course(scene="one layer, far source", stages={"cold": goods}, source=FAR)

    def eight(errand: Errand) -> Command:
        return mirror(errand, "--max-connections", 8)

    race = bench.race(site, course, {OURS: eight}, bench.times(2, 3))
    one_s = goods.size / FAR.connection_rate + 2 * FAR.round_trip_s
    ours_s = race.wall_s("cold", OURS)
    yield Figure(
        f"one layer of {goods.size // MIB} MiB, far source, 8 connections",
        f"{ours_s:.2f} s",
        f"one connection {one_s:.2f} s, by its rate",
        ratio=round(ours_s / one_s, 3),
        reach="≥ 6.5 × faster",
        reached=one_s / ours_s >= 6.5,
        samples={"ours": [cost.wall_s for cost in race.costs("cold", OURS)]},
    )
    bytes_s = statistics.median(sample.source.down_s for sample in race.of("cold", OURS)) / 0.98
    yield Figure(
        "the same, from its first byte to its last",
        f"{bytes_s:.2f} s",
        f"one connection {goods.size / FAR.connection_rate:.2f} s, by its rate",
        ratio=round(bytes_s * FAR.connection_rate / goods.size, 3),
    )
    yield _connections(race, "cold")
    yield race.peak("peak memory, one layer, far source")
    peers = bench.race(site, course, {name: named(name) for name in bench.peers} if bench.full else {}, 1)
    yield from (*race.told(), *peers.told())


def satellite(bench: Bench) -> Iterator[Figure]:
    """60 MiB from beyond a satellite: how much of what the opened connections can carry is used."""
    goods = content.large(bench.folder, 60 * MIB, 6)
    site = Site.filled(bench.work / "satellite", goods)
    scene = "satellite source"
    course = Course(scene=scene, stages={"cold": goods}, source=SATELLITE)
    race = bench.race(site, course, {OURS: transload}, bench.times(2, 3))
    peers = bench.race(site, course, {name: named(name) for name in bench.peers}, 1)
    race.samples += peers.samples
    race.failures |= peers.failures
    shares = [
        _share(0.98 * sample.size, sample.source.most_connections, sample.source.down_s)
        for sample in race.of("cold", OURS)
    ]
    most = max(sample.source.most_connections for sample in race.of("cold", OURS))
    share = statistics.median(shares)
    yield race.beside(f"60 MiB, {scene}", "cold", race.best_peer("cold"))
    yield Figure(
        f"60 MiB, satellite: used of {most} connections while bodies come",
        f"{share:.0%}",
        f"{goods.size / most / SATELLITE.connection_rate:.1f} s at full rate",
        reach="≥ 85 %",
        reached=share >= 0.85,
        samples={"ours": shares},
    )
    yield _connections(race, "cold")
    yield race.peak("peak memory, satellite")
    yield from race.told()


def tls(bench: Bench) -> Iterator[Figure]:
    """One huge layer over plain HTTP and over TLS: processor time by bytes; the release over TLS: handshakes."""
    size = (64 if bench.quick else 1024) * MIB
    needs(bench.folder, 2 * size)
    goods = content.one_layer(bench.folder, size)
    site = Site.filled(bench.work / "layer", goods)
    for name, certificates in (("plain HTTP", None), ("TLS", bench.certificates())):
        course = Course(scene=f"one layer, {name}", stages={"cold": goods}, tls=certificates)
        race = bench.race(site, course, bench.tools(), bench.times(3, 5))
        best = race.best_peer("cold")
        yield race.beside(f"one layer of {goods.size // MIB} MiB, {name}", "cold", best)
        per_gb = race.beside("", "cold", best, of=lambda cost: cost.cpu_s / (goods.size / 1e9))
        value = statistics.median(per_gb.samples["ours"])
        yield _limit(f"processor time per GB, {name}", value, 1.8 if certificates else None, "s", per_gb)
        yield race.peak(f"peak memory, one layer, {name}")
        yield from race.told()
    first, _ = bench.releases
    release = Site.filled(bench.work / "releases", bench.goods)
    course = Course(scene="release, TLS, counted", stages={"cold": first}, tls=bench.certificates(), counting=True)
    race = bench.race(release, course, bench.tools(), 1)
    yield race.beside("cold mirror over TLS", "cold", race.best_peer("cold"))
    yield from race.told()


# --- inside


def _beside_all(race: Race, stage: str, name: str) -> Iterator[Figure]:
    peers = sorted({sample.tool for sample in race.samples} - {OURS, FLOOR, "skopeo"} - set(race.failures))
    for peer in peers:
        yield race.beside(f"{name}, beside {peer}", stage, peer)


def _limit(name: str, value: float, at_most: float | None, unit: str, beside: Figure) -> Figure:
    """A figure that is compared, and has a limit of its own."""
    return evolve(
        beside,
        name=name,
        ours=f"{value:.2f} {unit}",
        reach="" if at_most is None else f"≤ {at_most:g} {unit}",
        reached=None if at_most is None else value <= at_most,
    )


def _connections(race: Race, stage: str) -> Figure:
    """How many connections there were, and how many round trips waited for each other."""
    sample = race.of(stage, OURS)[-1]
    shown = f"{sample.source.most_connections} + {sample.target.most_connections} at a time"
    chain = f"{sample.source.in_sequence} + {sample.target.in_sequence} in sequence"
    exchanges = f"{sample.source.exchanges} + {sample.target.exchanges} exchanges"
    return Figure(f"connections, {race.scene}", shown, f"{exchanges}, {chain}")


def _share(size: float, connections: int, took_s: float) -> float:
    return size / (max(1, connections) * SATELLITE.connection_rate * max(1e-9, took_s))


def _start_s(bench: Bench) -> float:
    """Seconds of an unchanged run with nothing to wait for: start-up, and the little that is done."""
    first, _ = bench.releases
    one = content.Goods(first.layout, first.names[:1])
    site = Site.filled(bench.work / "start", one)
    course = Course(scene="start", stages={"cold": one, "unchanged": one})
    quiet = Bench(bench.folder, ())
    return quiet.race(site, course, {OURS: transload}, 1 if bench.quick else 3).wall_s("unchanged", OURS)


def _asked_during(pair: Pair, tool: Tool, goods: content.Goods) -> tuple[Counter[str], Counter[str]]:
    before = [len(server.requests()) for server in (pair.source, pair.target)]
    pair.run(tool, goods)
    time.sleep(0.3)  # docker-registry writes the line of a large body after its last byte is out
    return asked(pair.source, before[0]), asked(pair.target, before[1])
