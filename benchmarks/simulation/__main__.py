"""`python -m benchmarks.simulation`: the table of all topologies; exit code 1 if one is worse than it may be."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time

from benchmarks.simulation.copying import Result, copied
from benchmarks.simulation.topologies import Topology, grid


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulation")
    parser.add_argument("--only", default="", help="a part of the kind, or of the name")
    parser.add_argument("--processes", type=int, default=min(4, os.cpu_count() or 1))
    asked = parser.parse_args()
    topologies = [each for each in grid() if asked.only in f"{each.kind}: {each.name}"]
    began_s = time.monotonic()
    bad = 0
    print(f"{'topology':64} {'optimum':>9} {'took':>9} {'ratio':>6} {'bound':>6}")
    with multiprocessing.Pool(asked.processes, maxtasksperchild=40) as pool:
        for result in pool.imap(_copied, topologies):
            bad += not result.is_good
            print(_line(result), flush=True)
    took_s = time.monotonic() - began_s
    print(f"{len(topologies)} topologies, {bad} worse than they may be, {took_s:.0f} s")
    return 1 if bad else 0


def _copied(topology: Topology) -> Result:
    return copied(topology)


def _line(result: Result) -> str:
    topology = result.topology
    verdict = "" if result.is_good else result.error or "TOO SLOW"
    return (
        f"{topology.kind + ': ' + topology.name:64} {result.optimum_s:8.2f}s {result.took_s:8.2f}s {result.ratio:6.3f}"
        f" {topology.bound:6.2f} {verdict}".rstrip()
    )


if __name__ == "__main__":
    sys.exit(main())
