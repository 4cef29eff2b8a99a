"""A line on which one request of a hundred fails and every tenth blob breaks."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

import transload
from tests.real.servers import Registry
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.server import ServeSettings, serve
from transload.testing.laboratory import ALWAYS, Fault, Laboratory, cuts, cuts_request, refuses
from transload.testing.releases import SeededRelease, fill_release, release

KINDS = ("docker-registry", "resuming", "folder", "pack")


@frozen
class Vendor:
    """A release of twenty images, and where it is served."""

    made: SeededRelease
    host_port: str


@frozen
class Carried:
    """How many bytes the source sent and the target got, and how many faults struck."""

    fetched: int
    received: int
    struck: Counter[str]
    total: int

    def check(self, blobs: int) -> None:
        """No more than 1.15 times the bytes, although every tenth blob was cut."""
        assert self.struck["GET blob"] >= blobs // 10, self
        assert self.total <= self.fetched <= 1.15 * self.total, self
        assert self.received <= 1.15 * self.total, self


@contextlib.contextmanager
def vendor() -> Iterator[Vendor]:
    """Serve the release for the block."""
    made, store = release("lines", images=20, size=48 << 20), MemoryStore()
    fill_release(store, made, "acme")
    with serve(store) as served:
        yield Vendor(made, served.host_port)


def carry(kind: str, registry: Registry, vendor: Vendor, folder: Path, seed: str) -> Carried:
    """Copy the release over a bad line on both sides, and prove what came: every byte is hashed, over a good line."""
    with (
        Laboratory(vendor.host_port, _bad_source(vendor.made), seed=seed) as source,
        _target_of(kind, registry, folder, _bad_target(vendor.made), seed) as target,
    ):
        place = target if isinstance(target, str) else f"{target.host_port}/{folder.name}"
        if kind == "pack":
            transload.pack(_references(vendor, source.host_port), folder / "release")
        else:
            transload.mirror(_references(vendor, source.host_port), to=place)
        received = 0 if isinstance(target, str) else target.tally.bytes_received
        struck = source.tally.struck + (Counter() if isinstance(target, str) else target.tally.struck)
        carried = Carried(source.tally.bytes_fetched, received, struck, vendor.made.size)
        _prove(kind, vendor, folder, target, place)
    return carried


def _references(vendor: Vendor, host_port: str) -> list[str]:
    return [f"{host_port}/acme/{name}:{vendor.made.tag}" for name in vendor.made.images]


def _bad_source(made: SeededRelease) -> list[Fault]:
    digests = [content.descriptor.digest for content in made.contents()]
    return [
        *(cuts("GET blob", about=digest) for digest in digests[9::10]),
        refuses("* *", 503, times=ALWAYS, chance=0.01),
    ]


def _bad_target(made: SeededRelease) -> list[Fault]:
    """Every tenth upload breaks: in its one large request, or in that of a small blob."""
    count = len(list(made.contents()))
    return [
        *(cuts_request("PATCH|PUT upload", skip=number) for number in range(9, count, 10)),
        refuses("* *", 503, times=ALWAYS, chance=0.01),
    ]


@contextlib.contextmanager
def _target_of(
    kind: str, registry: Registry, folder: Path, faults: list[Fault], seed: str
) -> Iterator[Laboratory | str]:
    if kind == "docker-registry":
        with Laboratory(registry.host, faults, seed=seed) as laboratory:
            yield laboratory
    elif kind == "resuming":
        store = LayoutStore(folder / "served", create=True)
        with (
            serve(store, ServeSettings(writable=True)) as served,
            Laboratory(served.host_port, faults, seed=seed) as laboratory,
        ):
            yield laboratory
    else:
        yield f"oci:{folder / 'copy'}"


def _prove(kind: str, vendor: Vendor, folder: Path, target: Laboratory | str, place: str) -> None:
    if kind == "pack":
        assert transload.verify(f"bundle:{folder / 'release'}").good
    elif isinstance(target, str):
        assert transload.verify(target, deep=True).good
    else:
        target.script.clear()
        assert transload.verify(_references(vendor, vendor.host_port), to=place, deep=True).good
