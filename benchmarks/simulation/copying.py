"""Copies the images of a topology in a simulated world, and says how long the run took there."""

from __future__ import annotations

import hashlib
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from attrs import frozen

from benchmarks.simulation.lines import Network
from benchmarks.simulation.optimum import optimum_s
from benchmarks.simulation.registries import Registry
from benchmarks.simulation.topologies import End, Topology
from benchmarks.simulation.virtual import Virtual
from benchmarks.simulation.world import simulated, sum_of_zeros
from transload.net.http import Http
from transload.net.settings import NetSettings
from transload.oci import Name
from transload.oci import mediatype as types
from transload.planning import Item, Plan, Request, make_plan, shares
from transload.ports import Source
from transload.registry.store import RegistryStore
from transload.threads import TaskGroup
from transload.transfer import run
from transload.transfer.engine import BODIES
from transload.transfer.sharing import SharedReading, SpoolRoom

_PORT = 5000
_LONGEST_S = 20_000.0
_LEAST = 0.9


@frozen(kw_only=True)
class Result:
    """How a topology ended: seconds of virtual time."""

    topology: Topology
    optimum_s: float
    took_s: float
    planned_s: float
    requests: int
    threads: int
    runs: int = 1
    """More than one if the bytes of a run are limited."""
    excess: float
    """Bytes that came from the source more than once, as a share of all."""
    error: str = ""

    @property
    def ratio(self) -> float:
        return self.took_s / self.optimum_s

    @property
    def is_good(self) -> bool:
        """Whether it is as fast as it should be, and not faster than it can be: then the optimum is wrong."""
        return (
            not self.error
            and self.ratio >= _LEAST
            and self.took_s <= self.topology.bound * self.optimum_s + self.topology.slack_s
        )


def copied(topology: Topology) -> Result:
    """Plan and run it."""
    with simulated(seed=topology.seed, longest_s=_LONGEST_S) as virtual:
        source = _registry(virtual, "10.0.0.1", topology.source, topology.seed)
        targets = [_registry(virtual, f"10.0.1.{at + 1}", end, at) for at, end in enumerate(topology.targets)]
        names = [_publish(source, number, sizes) for number, sizes in enumerate(topology.images)]
        copying = _Copying(topology, virtual, source, names)
        way = copying.to_several if len(targets) > 1 else copying.in_shares if topology.shares > 1 else copying.alone
        took = way(targets)
        at = max(range(len(took)), key=lambda number: took[number] / optimum_s(topology, number))
        return Result(
            topology=topology,
            optimum_s=optimum_s(topology, at),
            took_s=took[at] + (copying.planned_s if topology.with_plan else 0.0),
            planned_s=copying.planned_s,
            requests=source.counts.requests + sum(target.counts.requests for target in targets),
            threads=virtual.begun,
            runs=copying.runs,
            excess=max(0.0, source.down.carried / topology.bytes - 1),
            error=copying.error or _lacking(targets, topology),
        )


class _Copying:
    """The ways to copy; each returns the seconds that it took for each target."""

    def __init__(self, topology: Topology, virtual: Virtual, source: Registry, names: list[Name]) -> None:
        self.planned_s = 0.0
        self.error = ""
        self.runs = 1
        self.is_out_of_bytes = False
        self._topology = topology
        self._virtual = virtual
        self._source = f"{source.host}:{_PORT}"
        self._names = names
        self._settings = NetSettings(allow_plain_http=frozenset(Network.now.registries))

    def alone(self, targets: list[Registry]) -> list[float]:
        """One machine, one target. With a budget of bytes, a run follows a run, each with a plan of its own.

        No more runs are needed than there are blobs: each run moves one at least.
        """
        with self._http() as http:
            reading, writing = self._stores(http, targets[0])
            took_s = 0.0
            for _ in range(len(self._topology.sizes) + 1):
                began_s = self._virtual.now_s
                plan = self._plan(reading, writing, remembers=self.runs > 1)
                self.planned_s += self._virtual.now_s - began_s
                took_s += self._run(plan, reading, writing)
                if not self.is_out_of_bytes:
                    break
                self.runs += 1
            return [took_s]

    def in_shares(self, targets: list[Registry]) -> list[float]:
        """Each share on a machine of its own, then what is left."""
        with self._http() as http, ExitStack() as held:
            reading, writing = self._stores(http, targets[0])
            plan = self._plan(reading, writing)
            self.planned_s = self._virtual.now_s
            machines = [
                self._stores(held.enter_context(self._http()), targets[0]) for _ in range(self._topology.shares)
            ]
            with TaskGroup() as group:
                for share, machine in zip(shares.cut(plan, len(machines)), machines, strict=True):
                    group.start(self._run, share, *machine)
            self._run(shares.finishing(plan), reading, writing)
            return [self._virtual.now_s - self.planned_s]

    def to_several(self, targets: list[Registry]) -> list[float]:
        """Several targets at once, as `app.several` does it."""
        took: dict[int, float] = {}
        room = SpoolRoom.of(Path(tempfile.gettempdir()))
        with self._http() as http, SharedReading(len(targets), room) as shared:
            bodies = min(BODIES, max(1, http.settings.slots_for_bodies // len(targets)))

            def copy(number: int) -> None:
                reading, writing = self._stores(http, targets[number])
                plan = self._plan(reading, writing)
                shared.expect(number, plan)
                seen = shared.seen_by(number, reading)
                self._run(plan, seen, writing, bodies=bodies, listen=shared.listening(number, plan))
                shared.leave(number)
                took[number] = self._virtual.now_s

            with TaskGroup() as group:
                for number in range(len(targets)):
                    group.start(copy, number)
        return [took[number] for number in range(len(targets))]

    def _http(self) -> Http:
        return Http(self._settings, clock=self._virtual)

    def _stores(self, http: Http, target: Registry) -> tuple[RegistryStore, RegistryStore]:
        return (
            RegistryStore(self._source, http, side="source"),
            RegistryStore(f"{target.host}:{_PORT}", http, side="target"),
        )

    def _plan(self, reading: RegistryStore, writing: RegistryStore, *, remembers: bool = False) -> Plan:
        """With `remembers` as after an earlier run, whose journal says what it copied; the target is asked for it."""
        request = Request(tuple(Item(self._source, name, name) for name in self._names))
        return make_plan(request, {self._source: reading}, writing, known=lambda *_: remembers)

    def _run(self, plan: Plan, reading: Source, writing: RegistryStore, **more: Any) -> float:
        sources = {self._source: reading}
        outcome = run(plan, sources, writing, clock=self._virtual, limits=self._topology.limits, **more)
        failed = [str(image.error) for image in outcome.images if image.error is not None]
        self.error = self.error or next(iter(failed), "")
        self.is_out_of_bytes = outcome.out_of_bytes
        return outcome.duration_s


def _registry(virtual: Virtual, host: str, end: End, seed: int) -> Registry:
    registry = Registry(virtual, host, end.wire, end.rules, seed=seed)
    Network.now.registries[host] = registry
    return registry


def _lacking(targets: list[Registry], topology: Topology) -> str:
    """What is not there, although it is said to be; empty if all is."""
    for target in targets:
        for number, sizes in enumerate(topology.images):
            held = target.blobs[f"app{number}"]
            if any(held.get(f"sha256:{sum_of_zeros(size)}") != size for size in sizes):
                return f"{target.host} lacks a blob of app{number}"
            if "1" not in target.manifests[f"app{number}"]:
                return f"{target.host} lacks app{number}"
    return ""


def _publish(registry: Registry, number: int, sizes: tuple[int, ...]) -> Name:
    name = f"app{number}"
    config = json.dumps({"architecture": "amd64", "os": "linux", "name": name}).encode()
    blobs: dict[str, int | bytes] = {f"sha256:{sum_of_zeros(size)}": size for size in sizes}
    layers = [{"mediaType": types.OCI_LAYER_GZIP, "digest": digest, "size": size} for digest, size in blobs.items()]
    registry.blobs[name] = {**blobs, _sum(config): config}
    manifest = {
        "schemaVersion": 2,
        "mediaType": types.OCI_MANIFEST,
        "config": {"mediaType": types.OCI_CONFIG, "digest": _sum(config), "size": len(config)},
        "layers": layers,
    }
    raw = json.dumps(manifest).encode()
    registry.manifests[name] = {"1": raw, _sum(raw): raw}
    return Name(name, "1")


def _sum(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
