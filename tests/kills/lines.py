"""A line on which one request of a hundred fails and every tenth blob breaks."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import frozen

import transload
from tests.real.servers import Registry
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.server import ServeSettings, serve
from transload.testing.images import Built, fill, image
from transload.testing.laboratory import (
    ALWAYS,
    Answer,
    Asked,
    Fault,
    Laboratory,
    Onward,
    cuts,
    cuts_request,
    refuses,
)

TAG = "v1"
_LAYER_BYTES = 1 << 20
_SMALL_BYTES = 64 << 10  # a body that is smaller is no layer, nor a piece of one
KINDS = ("docker-registry", "resuming", "folder", "pack", "push")


@frozen
class Vendor:
    """A release of twenty images, and where it is served."""

    made: Mapping[str, Built]
    host_port: str

    @property
    def blobs(self) -> Mapping[str, int]:
        """The size of every blob, by digest."""
        contents = (content for built in self.made.values() for content in built.walk_contents())
        return {content.descriptor.digest: content.descriptor.size for content in contents}


@frozen
class Carried:
    """How many bytes the source sent and the target got, and how many blobs were cut on each side."""

    fetched: int
    received: int
    cut_at_source: int
    cut_at_target: int
    total: int

    def check(self) -> None:
        """No more than 1.15 times the bytes, although every tenth blob was cut on each side that has a line."""
        for passed, cut in ((self.fetched, self.cut_at_source), (self.received, self.cut_at_target)):
            if passed:
                assert cut, self
                assert self.total <= passed <= 1.15 * self.total, self


@contextlib.contextmanager
def vendor() -> Iterator[Vendor]:
    """Serve the release for the block. Its layers have one size, so that it does not matter which of them are cut."""
    sizes = [_LAYER_BYTES + number for number in range(4)]
    made = {f"acme/app{number}": image(f"line {number}", sizes) for number in range(20)}
    store = MemoryStore()
    for repository, built in made.items():
        fill(store, built, repository, TAG)
    with serve(store) as served:
        yield Vendor(made, served.host_port)


def carry(kind: str, registry: Registry, vendor: Vendor, folder: Path, seed: str) -> Carried:
    """Copy the release over a bad line on both sides, and prove what came: every byte is hashed, over a good line."""
    # A reset would throw away bytes that were counted as sent.
    source_cuts, target_cuts = EveryTenth(cuts("GET blob", reset=False)), EveryTenth(cuts_request("PATCH|PUT upload"))
    with (
        Laboratory(vendor.host_port, _bad(source_cuts), seed=seed) as source,
        _target_of(kind, registry, folder, _bad(target_cuts), seed) as target,
    ):
        place = target if isinstance(target, str) else f"{target.host_port}/{folder.name}"
        if kind == "pack":
            transload.pack(_references(vendor, source.host_port), folder / "release")
        elif kind == "push":
            transload.pack(_references(vendor, vendor.host_port), folder / "release")
            transload.push(folder / "release", to=place)
        else:
            transload.mirror(_references(vendor, source.host_port), to=place)
        received = 0 if isinstance(target, str) else target.tally.bytes_received
        fetched, total = source.tally.bytes_fetched, sum(vendor.blobs.values())
        carried = Carried(fetched, received, source_cuts.cut, target_cuts.cut, total=total)
        _prove(kind, vendor, folder, target, place)
    return carried


class EveryTenth:
    """Cuts every tenth of the requests that a fault is for, of those with a layer in them."""

    def __init__(self, fault: Fault) -> None:
        self.cut = 0
        self._cutting = fault
        self._seen = 0
        self._lock = threading.Lock()

    @property
    def fault(self) -> Fault:
        return Fault(on=self._cutting.on, act=self._act, times=ALWAYS)

    def _act(self, asked: Asked, onward: Onward, dice: random.Random) -> Answer:
        if asked.method != "GET" and asked.length < _SMALL_BYTES:
            return onward(asked)
        with self._lock:
            self._seen += 1
            cutting = self._seen % 10 == 0
            self.cut += cutting
        return self._cutting.act(asked, onward, dice) if cutting else onward(asked)


def _bad(tenth: EveryTenth) -> list[Fault]:
    return [refuses("* *", 503, times=ALWAYS, chance=0.01), tenth.fault]


def _references(vendor: Vendor, host_port: str) -> list[str]:
    return [f"{host_port}/{repository}:{TAG}" for repository in vendor.made]


@contextlib.contextmanager
def _target_of(
    kind: str, registry: Registry, folder: Path, faults: list[Fault], seed: str
) -> Iterator[Laboratory | str]:
    if kind in {"docker-registry", "push"}:
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
