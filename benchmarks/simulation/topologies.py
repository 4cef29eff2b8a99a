"""Topologies: wires, registries and images, and how far from the optimum a copy may be there (see `optimum`)."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from attrs import field, frozen

from benchmarks.simulation.registries import Rules, Wire
from benchmarks.simulation.virtual import BEGAN_S
from transload.transfer.limits import NO_LIMITS, Limits

MB = 1_000_000
USUAL = 1.10
ROUND_TRIPS = 4
"""So many of the longest round trips may be added: a short run over 250 ms is over before it has found its way."""
BOUNDS = {
    # A large blob that begins late does so on a connection that carries little at first.
    "slow start": 1.45,
    # The engine begins with eight connections and finds out that more carry more; the last blobs are alone on theirs.
    "connections limited at the source": 1.5,
    "connections limited at the target": 1.4,
    # Others begin to read when one connection has been slow for a quarter of a second.
    "one huge blob": 1.3,
    # The huge one begins in time to end with the others, if all connections are equal; what it needs of a full line
    # is more than its share.
    "one huge blob among others": 1.25,
    "many small blobs": 1.6,
    # A wait is guessed where the registry does not say how long, and a tenth is added where it does.
    "requests limited": 1.5,
    # Each refusal is a pause of half a second, and each look whether one more is taken by now may be refused.
    "few at a time": 1.75,
    "few connections": 1.75,
    # Nothing is to spare here, and the engine begins with eight connections.
    "order of bodies": 1.25,
    # A connection that breaks takes along what is on its way.
    "lossy line": 1.3,
    "common layers": 1.15,
}
"""More than `USUAL`, and why; docs/simulation.md says it at length."""


@frozen(kw_only=True)
class End:
    """A registry and its wire."""

    wire: Wire = field(factory=Wire)
    rules: Rules = field(factory=Rules)

    @property
    def turn_s(self) -> float:
        """A request and its answer."""
        return self.wire.rtt_s + self.wire.think_s


@frozen(kw_only=True)
class Topology:
    """One case. `images` are the sizes of the layers of each. Above `bound` times the optimum it fails."""

    kind: str
    name: str
    images: tuple[tuple[int, ...], ...]
    source: End = field(factory=End)
    targets: tuple[End, ...] = field(factory=lambda: (End(),))
    shares: int = 1
    limits: Limits = NO_LIMITS
    runs: int = 1
    """So many runs are needed where each may move only some bytes (`limits`)."""
    pauses_s: float = 0.0
    """Hours that are not those of the run."""
    seed: int = 1

    @property
    def bound(self) -> float:
        """How many times the optimum it may take, besides a few round trips."""
        return BOUNDS.get(self.kind, USUAL)

    @property
    def slack_s(self) -> float:
        """These round trips."""
        return self.runs * ROUND_TRIPS * max(end.wire.rtt_s for end in (self.source, *self.targets))

    @property
    def with_plan(self) -> bool:
        """Whether planning counts, too: its requests use up what is allowed. Several targets plan side by side."""
        return len(self.targets) > 1 or any(end.rules.requests is not None for end in (self.source, *self.targets))

    @property
    def sizes(self) -> list[int]:
        """Each blob once."""
        return list(dict.fromkeys(size for layers in self.images for size in layers))

    @property
    def bytes(self) -> int:
        """Of all blobs, each once."""
        return sum(self.sizes)


# --- what is copied


def release(megabytes: float, *, images: int = 12, layers: int = 4, seed: int = 1) -> tuple[tuple[int, ...], ...]:
    """Layers as in releases: a few large ones, many small ones."""
    chance = random.Random(seed)
    weights = [[chance.lognormvariate(0, 1.5) for _ in range(layers)] for _ in range(images)]
    whole = sum(map(sum, weights))
    return distinct([[int(megabytes * MB * weight / whole) for weight in each] for each in weights])


def alike(count: int, size: int, *, per_image: int = 4) -> tuple[tuple[int, ...], ...]:
    """Layers of one size."""
    return distinct([[size] * min(per_image, count - at) for at in range(0, count, per_image)])


def distinct(sizes: list[list[int]]) -> tuple[tuple[int, ...], ...]:
    """Sizes that differ, since the sum of zeros follows from their number."""
    seen: set[int] = set()
    for layers in sizes:
        for at, size in enumerate(layers):
            while size in seen or size < 1:
                size += 1
            seen.add(size)
            layers[at] = size
    return tuple(tuple(layers) for layers in sizes)


# --- the grid


def quick() -> list[Topology]:
    """One of each kind, with the fewest bytes, for the tests."""
    by_kind: dict[str, list[Topology]] = {}
    for topology in grid():
        by_kind.setdefault(topology.kind, []).append(topology)
    return [each for kind in by_kind.values() for each in sorted(kind, key=lambda one: one.bytes)[:1]]


def grid() -> Iterator[Topology]:
    """All of them."""
    yield from _long()
    yield from _narrow()
    yield from _starts()
    yield from _each()
    yield from _huge()
    yield from _orders()
    yield from _small()
    yield from _limited()
    yield from _crowded()
    yield from _connections()
    yield from _fan()
    yield from _shares()
    yield from _mounts()
    yield from _hours()
    yield from _budgets()
    yield from _lossy()


def _long() -> Iterator[Topology]:
    for rtt_ms in (20, 60, 120, 250):
        for rate in (6, 25, 100):
            for total in (60, 160):
                wire = Wire(rate=rate * MB, rtt_s=rtt_ms / 1000)
                name = f"{rtt_ms} ms, {rate} MB/s, {total} MB"
                yield Topology(kind="long wire", name=name, images=release(total), source=End(wire=wire))


def _starts() -> Iterator[Topology]:
    for rtt_ms in (30, 100, 200):
        for side in ("source", "target"):
            for total in (20, 60):
                end = End(wire=Wire(rate=25 * MB, rtt_s=rtt_ms / 1000, slow_start=True))
                ends = {"source": end} if side == "source" else {"targets": (end,)}
                name = f"{rtt_ms} ms at the {side}, 25 MB/s, {total} MB"
                yield Topology(kind="slow start", name=name, images=release(total), **ends)


def _narrow() -> Iterator[Topology]:
    for rate in (1, 3, 10, 40):
        for total in (30, 80):
            for seed in (1, 2):
                narrow, images = End(wire=Wire(rate=rate * MB, rtt_s=0.01)), release(total, seed=seed)
                name = f"{rate} MB/s, {total} MB, mix {seed}"
                yield Topology(kind="small pipe at the source", name=name, images=images, source=narrow)
                yield Topology(kind="small pipe at the target", name=name, images=images, targets=(narrow,))


def _each() -> Iterator[Topology]:
    for each in (1, 4, 12):
        for rtt_ms in (10, 80):
            for side in ("source", "target"):
                end = End(wire=Wire(each=each * MB, rtt_s=rtt_ms / 1000))
                ends = {"source": end} if side == "source" else {"targets": (end,)}
                for images in (release(160), alike(32, 5 * MB)):
                    name = f"{each} MB/s each, {rtt_ms} ms, {len(images)} images"
                    yield Topology(kind=f"connections limited at the {side}", name=name, images=images, **ends)


def _huge() -> Iterator[Topology]:
    for size in (100, 250):
        for rtt_ms in (5, 50, 150):
            for each in (5, 1000):
                wire = Wire(rate=50 * MB, each=each * MB, rtt_s=rtt_ms / 1000)
                name = f"{size} MB, {rtt_ms} ms, {each} MB/s each"
                yield Topology(kind="one huge blob", name=name, images=((size * MB,),), source=End(wire=wire))
    for share in (0.3, 0.6):
        for rate in (5, 20):
            wire = Wire(rate=rate * MB, rtt_s=0.03)
            images = (*release(100 * (1 - share), images=10), (int(100 * MB * share),))
            name = f"{share:.0%} of all in one, {rate} MB/s"
            yield Topology(kind="one huge blob among others", name=name, images=images, source=End(wire=wire))


def _orders() -> Iterator[Topology]:
    """A large blob takes as long on its connection as all others on theirs: it must be among the first.

    All are as fast as the connections to the target that a run may have, or those to a source that gives no parts.
    """
    slow, large = End(wire=Wire(each=2 * MB, rtt_s=0.02)), 20 * MB + 7
    for count, name in ((48, "others end before it"), (110, "others take as long")):
        for each in (2, 5):
            end = End(wire=Wire(each=each * MB, rtt_s=0.02))
            yield Topology(
                kind="order of bodies", name=f"20 MB, {name}, {each} MB/s each",
                images=(*alike(count, 2 * MB), (large,)), targets=(end,),
            )  # fmt: skip
    small = alike(240, 100_000, per_image=6)
    yield Topology(
        kind="order of bodies", name="20 MB among many small ones", images=(*small, (large,), *alike(100, 2 * MB)),
        targets=(slow,),
    )  # fmt: skip
    whole = End(wire=Wire(each=5 * MB, rtt_s=0.02), rules=Rules(parts=False))
    yield Topology(
        kind="order of bodies", name="20 MB, from a source without parts", images=(*alike(110, 2 * MB), (large,)),
        source=whole,
    )  # fmt: skip
    for shares in (2, 4):
        images = (*alike(65 * shares, MB // 2), *((6 * MB + number,) for number in range(shares)))
        name = f"6 MB in each of {shares} shares"
        yield Topology(kind="order of bodies", name=name, images=images, targets=(slow,), shares=shares)


def _small() -> Iterator[Topology]:
    for count in (100, 300):
        for rtt_ms in (2, 20, 100):
            for side in ("source", "target"):
                end = End(wire=Wire(rtt_s=rtt_ms / 1000))
                ends = {"source": end} if side == "source" else {"targets": (end,)}
                yield Topology(
                    kind="many small blobs", name=f"{count}, {rtt_ms} ms at the {side}",
                    images=alike(count, 20_000, per_image=6), **ends,
                )  # fmt: skip


def _limited() -> Iterator[Topology]:
    for requests, window_s in ((20, 10), (50, 30), (10, 5)):
        for tells in (True, False):
            for side in ("source", "target"):
                end = End(wire=Wire(rtt_s=0.02), rules=Rules(requests=requests, window_s=window_s, tells=tells))
                ends = {"source": end} if side == "source" else {"targets": (end,)}
                told = "Retry-After" if tells else "no word"
                yield Topology(
                    kind="requests limited", name=f"{requests} in {window_s} s at the {side}, {told}",
                    images=release(40, images=16), **ends,
                )  # fmt: skip


def _crowded() -> Iterator[Topology]:
    for most in (2, 4, 8):
        for status in (429, 503):
            for side in ("source", "target"):
                wire = Wire(rate=40 * MB, rtt_s=0.02)
                end = End(wire=wire, rules=Rules(at_a_time=most, crowded=status))
                ends = {"source": end} if side == "source" else {"targets": (end,)}
                yield Topology(
                    kind="few at a time", name=f"{most} at the {side}, then {status}", images=release(200), **ends
                )


def _connections() -> Iterator[Topology]:
    for most in (4, 8, 16):
        for rtt_ms in (5, 50):
            for side in ("source", "target"):
                for each in (1000, 2):
                    wire = Wire(rate=20 * MB, each=each * MB, rtt_s=rtt_ms / 1000)
                    end = End(wire=wire, rules=Rules(connections=most))
                    ends = {"source": end} if side == "source" else {"targets": (end,)}
                    name = f"{most} at the {side}, {rtt_ms} ms" + (f", {each} MB/s each" if each < 1000 else "")
                    yield Topology(kind="few connections", name=name, images=release(120), **ends)


def _fan() -> Iterator[Topology]:
    for slow in (1, 3):
        for rate in (20, 60):
            for targets in (2, 5):
                fast, late = End(wire=Wire(rate=50 * MB, rtt_s=0.01)), End(wire=Wire(rate=slow * MB, rtt_s=0.01))
                yield Topology(
                    kind="one slow target", name=f"of {targets}, {slow} MB/s, source {rate} MB/s", images=release(120),
                    source=End(wire=Wire(rate=rate * MB, rtt_s=0.02)), targets=(*[fast] * (targets - 1), late),
                )  # fmt: skip
    for targets in (3, 6):
        alike_ = tuple(End(wire=Wire(rate=10 * MB, rtt_s=0.02)) for _ in range(targets))
        yield Topology(
            kind="several targets", name=f"{targets}, 10 MB/s each", images=release(60), targets=alike_,
            source=End(wire=Wire(rate=25 * MB, rtt_s=0.02)),
        )  # fmt: skip


def _shares() -> Iterator[Topology]:
    for count, blobs, rates in ((4, 96, (20, 50)), (16, 128, (50, 100)), (64, 160, (50, 100, 200))):
        for rate in rates:
            images = alike(blobs, 2 * MB, per_image=8)
            wire = Wire(rate=rate * MB, each=4 * MB, rtt_s=0.02)
            name = f"{count}, {rate} MB/s at the source, 4 MB/s each"
            yield Topology(kind="shares", name=name, images=images, source=End(wire=wire), shares=count)


def _mounts() -> Iterator[Topology]:
    for mounts in (True, False):
        for rate in (5, 20):
            base = (11 * MB, 3 * MB, 1_500_000)
            images = tuple((*base, *own) for own in alike(24, 2 * MB, per_image=3))
            end = End(wire=Wire(rate=rate * MB, rtt_s=0.02), rules=Rules(mounts=mounts))
            word = "mounts" if mounts else "mounts refused"
            yield Topology(kind="common layers", name=f"{word}, {rate} MB/s", images=images, targets=(end,))


def _hours() -> Iterator[Topology]:
    """The run begins 40 seconds before the minute that ends its hours, or 40 seconds before they begin."""
    for off_minutes in (1, 3):
        for rate in (1, 2):
            source, images = End(wire=Wire(rate=rate * MB, rtt_s=0.02)), release(120)
            yield Topology(
                kind="hours", name=f"40 s, then not for {off_minutes} min, {rate} MB/s", images=images, source=source,
                limits=Limits(between=f"{_clock(0)}-{_clock(1)},{_clock(1 + off_minutes)}-{_clock(60)}"),
                pauses_s=60.0 * off_minutes,
            )  # fmt: skip
            yield Topology(
                kind="hours", name=f"from {off_minutes} min on, {rate} MB/s", images=images, source=source,
                limits=Limits(between=f"{_clock(off_minutes)}-{_clock(60)}"), pauses_s=60.0 * off_minutes - 20,
            )  # fmt: skip


def _budgets() -> Iterator[Topology]:
    """Blobs of 5 MB: a run may move four of them (and what is small), or three, or all but one."""
    for megabytes, runs in ((21, 6), (19, 8), (116, 2)):
        for rate in (2, 10):
            yield Topology(
                kind="bytes of a run", name=f"{megabytes} MB in each of {runs} runs, {rate} MB/s",
                images=alike(24, 5 * MB), source=End(wire=Wire(rate=rate * MB, rtt_s=0.02)),
                limits=Limits(max_bytes=megabytes * MB), runs=runs,
            )  # fmt: skip


def _clock(minutes: int) -> str:
    """The time of day on the local clock, so many minutes after the one in which a simulation begins."""
    return time.strftime("%H:%M", time.localtime(BEGAN_S + 60 * minutes))


def _lossy() -> Iterator[Topology]:
    for after in (10, 40):
        for seed in (1, 2, 3):
            for side in ("source", "target"):
                wire = Wire(rate=20 * MB, rtt_s=0.03, breaks_after=after * MB)
                ends = {"source": End(wire=wire)} if side == "source" else {"targets": (End(wire=wire),)}
                yield Topology(
                    kind="lossy line", name=f"breaks after {after} MB at the {side}, {seed}",
                    images=release(120, seed=seed), seed=seed, **ends,
                )  # fmt: skip
