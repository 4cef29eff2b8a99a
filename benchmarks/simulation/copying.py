"""Copies the images of a topology in a simulated world, and says how long the run took there."""

from __future__ import annotations

import hashlib
import json

from attrs import frozen

from benchmarks.simulation.lines import Network
from benchmarks.simulation.registries import Registry
from benchmarks.simulation.topologies import Topology, optimum_s
from benchmarks.simulation.virtual import Virtual
from benchmarks.simulation.world import simulated, sum_of_zeros
from transload.net.http import Http
from transload.net.settings import NetSettings
from transload.oci import Name
from transload.oci import mediatype as types
from transload.planning import Item, Request, make_plan
from transload.registry.store import RegistryStore
from transload.transfer import Outcome, run

_PORT = 5000
_LONGEST_S = 20_000.0


@frozen(kw_only=True)
class Result:
    """How a topology ended: seconds of virtual time."""

    topology: Topology
    optimum_s: float
    took_s: float
    planned_s: float
    requests: int
    threads: int
    excess: float
    """Bytes that came from the source more than once, as a share of all."""
    error: str = ""

    @property
    def ratio(self) -> float:
        return self.took_s / self.optimum_s

    @property
    def is_good(self) -> bool:
        return not self.error and self.ratio <= self.topology.bound


def copied(topology: Topology) -> Result:
    """Plan and run it."""
    with simulated(seed=topology.seed, longest_s=_LONGEST_S) as virtual:
        source = _registry(virtual, "10.0.0.1", topology.source, topology.seed)
        targets = [_registry(virtual, f"10.0.1.{at + 1}", end, at) for at, end in enumerate(topology.targets)]
        names = [_publish(source, number, sizes) for number, sizes in enumerate(topology.images)]
        settings = NetSettings(allow_plain_http=frozenset(Network.now.registries))
        with Http(settings, clock=virtual) as http:
            reading = RegistryStore(f"{source.host}:{_PORT}", http, side="source")
            writing = RegistryStore(f"{targets[0].host}:{_PORT}", http, side="target")
            request = Request(tuple(Item(reading.locator, name, name) for name in names))
            plan = make_plan(request, {reading.locator: reading}, writing)
            planned_s = virtual.now_s
            outcome = run(plan, {reading.locator: reading}, writing, clock=virtual)
        total = sum(topology.sizes)
        return Result(
            topology=topology,
            optimum_s=optimum_s(topology),
            took_s=outcome.duration_s + (planned_s if topology.with_plan else 0.0),
            planned_s=planned_s,
            requests=source.counts.requests + sum(target.counts.requests for target in targets),
            threads=virtual.begun,
            excess=max(0.0, source.down.carried / total - 1),
            error=_error(outcome, targets, topology),
        )


def _registry(virtual: Virtual, host: str, end: object, seed: int) -> Registry:
    registry = Registry(virtual, host, end.wire, end.rules, seed=seed)  # type: ignore[attr-defined]
    Network.now.registries[host] = registry
    return registry


def _error(outcome: Outcome, targets: list[Registry], topology: Topology) -> str:
    """The first failure, if there is one. What is said to be there is looked for."""
    failed = [str(image.error) for image in outcome.images if image.error is not None]
    if failed:
        return failed[0]
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
