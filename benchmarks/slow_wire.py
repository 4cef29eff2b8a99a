"""A long wire in front of a server: every byte comes later, and no connection is faster than its rate.

    python -m benchmarks.slow_wire LISTEN_PORT SERVER_PORT far
    python -m benchmarks.slow_wire LISTEN_PORT SERVER_PORT ROUND_TRIP_S BYTES_PER_S

Half of the round trip is added in each direction, and one whole for the handshake of a new connection. Slow start is
not imitated: a connection has its full rate at once. The bytes stay in the kernel (splice(2), through one pipe for each
direction), so one process carries some gigabytes per second. It counts what passes.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import asdict, field, frozen

from benchmarks.profiles import PROFILES, Profile
from benchmarks.splicing import Splicer

READY = "ready"


@frozen(kw_only=True)
class Counts:
    """What passed a wire. `in_sequence` are round trips that waited for the one before; `down_s` see `bulk_s`."""

    connections: int = 0
    handshakes: int = 0  # of TLS
    exchanges: int = 0  # times that a client spoke and was answered, handshakes of TLS included
    resets: int = 0
    up_bytes: int = 0
    down_bytes: int = 0
    down_s: float = 0.0
    in_sequence: int = 0
    most_connections: int = 0
    cpu_s: float = 0.0


@frozen
class Wire:
    """A server at the end of a wire; `host` is written `host:port`."""

    host: str
    _process: Any = field(default=None, repr=False)

    def counts(self) -> Counts:
        """What passed since the last time that this was asked."""
        if self._process is None:
            return Counts()
        self._process.stdin.write("counts\n")
        self._process.stdin.flush()
        return Counts(**json.loads(self._process.stdout.readline()))


@contextlib.contextmanager
def wire(host: str, profile: Profile, *, counting: bool = False) -> Iterator[Wire]:
    """The same server at the end of a wire, in a process of its own; without one if there is nothing to imitate."""
    if profile.is_bare and not counting:
        yield Wire(host)
        return
    words = [0, host.rpartition(":")[2], json.dumps(asdict(profile)), "--controlled"]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.slow_wire", *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        start_new_session=True,  # Ctrl-C is for the benchmark, which ends this
    )
    assert process.stdin
    assert process.stdout
    try:
        ready = process.stdout.readline().split()
        if ready[:1] != [READY]:
            raise RuntimeError(f"no wire before {host}: {ready}")
        yield Wire(f"127.0.0.1:{ready[1]}", process)
    finally:
        process.terminate()
        process.wait(10)
        process.stdin.close()
        process.stdout.close()


@contextlib.contextmanager
def slow_wire(host: str, round_trip_s: float, rate: float) -> Iterator[str]:
    """The same server at the end of a long wire, as `host:port`, in a process of its own."""
    profile = Profile(name="slow", told="", round_trip_s=round_trip_s, connection_rate=rate)
    with wire(host, profile) as laid:
        yield laid.host


def _profile(words: list[str]) -> Profile:
    if words[0] in PROFILES:
        return PROFILES[words[0]]
    if words[0].startswith("{"):
        return Profile(**json.loads(words[0]))
    return Profile(name="own", told="", round_trip_s=float(words[0]), connection_rate=float(words[1]))


def main(words: list[str]) -> None:
    """Carry until killed. `--controlled`: the other end of standard input may ask for counts, and its end is ours."""
    controlled = "--controlled" in words
    words = [word for word in words if word != "--controlled"]
    if len(words) < 3:
        raise SystemExit(f"{__doc__}\nprofiles: {', '.join(PROFILES)}")
    splicer = Splicer(int(words[0]), int(words[1]), _profile(words[2:]))
    if controlled:
        splicer.watch(sys.stdin.fileno(), lambda: _control(splicer))
    print(READY, splicer.port, flush=True)
    splicer.run()


def _control(splicer: Splicer) -> None:
    asked = os.read(sys.stdin.fileno(), 1000)
    if not asked:
        raise SystemExit(0)
    for _ in asked.splitlines():
        print(json.dumps(splicer.counts()), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(sys.argv[1:])
