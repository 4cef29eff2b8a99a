"""The least time that a copy can take, derived by hand.

No copy is faster than its narrowest place: the bytes over each line, the largest blob where one connection is slow, the
requests where they are limited, and the round trips that follow from one another. `optimum_s` is the largest of these,
with the round trips before the first byte and after the last one.
"""

from __future__ import annotations

from benchmarks.simulation.registries import Wire
from benchmarks.simulation.topologies import End, Topology
from benchmarks.simulation.wires import SLOW_START, WINDOW
from transload.net.slots import for_bodies
from transload.transfer.engine import BODIES
from transload.transfer.lanes import SMALL

SLOTS = 32
"""Connections to a host at most (`NetSettings.slots_per_host`)."""
READERS = WRITERS = for_bodies(SLOTS)
"""Bodies at a time, in one direction."""
_TIMES = 3  # round trips to the target that nothing overlaps with: the end of the last body, PUT, and the manifest
LARGE = 256 << 10


def optimum_s(topology: Topology, at: int = 0) -> float:
    """The least time that the run to one of the targets can take, once its plan is made, or with it (`with_plan`)."""
    target = topology.targets[at]
    source, sizes = topology.source, topology.sizes
    total, largest = sum(sizes), max(sizes)
    again = 0 if target.rules.mounts else sum(map(sum, topology.images)) - total
    bytes_s = max(total / source.wire.rate, (total + again) / target.wire.rate)
    readers = min(READERS, _allowed(source))  # extra connections to a blob may use the slots for small requests, too
    writers = min(WRITERS, for_bodies(_allowed(target))) * topology.shares
    each_s = max(
        total / (source.wire.each * readers * topology.shares),
        largest / (source.wire.each * (readers if source.rules.parts else 1)),
        _longest(sizes, writers) / target.wire.each,
    )
    small = sum(size <= LARGE for size in sizes) + len(topology.images)
    reading_s = small * source.turn_s / (readers * topology.shares)
    writing_s = small * 2 * target.turn_s / (min(BODIES + SMALL, _allowed(target)) * topology.shares)
    turns_s = max(reading_s, writing_s)
    waits_s = max(_waits(source, len(sizes) + 2 * len(topology.images)), _waits(target, _requests(topology)))
    ends_s = source.turn_s + _TIMES * target.turn_s
    ramp_s = max(
        _ramp_s(source.wire, total, readers * topology.shares),
        _ramp_s(source.wire, largest, readers if source.rules.parts else 1),
        _ramp_s(target.wire, total + again, writers),
        _ramp_s(target.wire, largest, 1),
    )
    return max(bytes_s, ramp_s, each_s, turns_s, waits_s) + topology.runs * ends_s + topology.pauses_s


def _ramp_s(wire: Wire, total: int, connections: int) -> float:
    """Slow start: in each round trip every connection carries twice as much as before, until the wire is full."""
    if not wire.slow_start:
        return 0.0
    seconds, window, full = 0.0, float(SLOW_START), wire.rate * wire.rtt_s
    while (carried := min(full, connections * window)) < total:
        if carried == full:
            break
        total -= int(carried)
        seconds += wire.rtt_s
        window = min(2 * window, WINDOW)
    return seconds + total / wire.rate


def _longest(sizes: list[int], lanes: int) -> float:
    """Bytes on the fullest lane, if each blob is on one of them: at best even, and no fewer than must share a lane.

    Of the `count * lanes + 1` largest blobs, some lane has at least `count + 1`.
    """
    falling = sorted(sizes, reverse=True)
    counts = range((len(sizes) - 1) // lanes + 1)
    together = [sum(falling[count * lanes - count : count * lanes + 1]) for count in counts]
    return max(sum(sizes) / lanes, *together)


def _allowed(end: End) -> int:
    """Requests at a time that the registry takes, and the settings."""
    return min(SLOTS, end.rules.at_a_time or SLOTS, end.rules.connections or SLOTS)


def _requests(topology: Topology) -> int:
    """Requests to the target: a small blob needs two, a large one three, a manifest one; and two ask for an image."""
    sizes = topology.sizes
    large = sum(size > LARGE for size in sizes)
    return 3 * large + 2 * (len(sizes) - large + len(topology.images)) + 3 * len(topology.images)


def _waits(end: End, requests: int) -> float:
    """The whole windows that pass until so many requests are allowed."""
    rules = end.rules
    return 0.0 if rules.requests is None else (requests - 1) // rules.requests * rules.window_s
