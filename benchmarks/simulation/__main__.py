"""`python -m benchmarks.simulation`: the table of all topologies; exit code 1 if one is worse than it may be."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Iterator

from benchmarks.simulation.copying import Result, copied
from benchmarks.simulation.topologies import USUAL, Topology, grid


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulation")
    parser.add_argument("--only", default="", help="a part of the kind, or of the name")
    parser.add_argument("--processes", type=int, default=min(4, os.cpu_count() or 1))
    asked = parser.parse_args()
    topologies = [each for each in grid() if asked.only in f"{each.kind}: {each.name}"]
    began_s = time.monotonic()
    results = []
    print(f"{'topology':64} {'optimum':>9} {'took':>9} {'ratio':>6}")
    with multiprocessing.Pool(asked.processes, maxtasksperchild=40) as pool:
        for result in pool.imap(_copied, topologies):
            results.append(result)
            print(_line(result), flush=True)
    print()
    for line in _by_kind(results):
        print(line)
    bad = sum(not result.is_good for result in results)
    print(f"\n{len(results)} topologies, {bad} worse than they may be, {time.monotonic() - began_s:.0f} s")
    return 1 if bad else 0


def _by_kind(results: list[Result]) -> Iterator[str]:
    """A table in Markdown: how far from the optimum each kind is."""
    yield "| kind | topologies | within 10 % | median | worst | allowed |"
    yield "| --- | --- | --- | --- | --- | --- |"
    by_kind: dict[str, list[Result]] = {}
    for result in results:
        by_kind.setdefault(result.topology.kind, []).append(result)
    for kind, those in by_kind.items():
        ratios = [result.ratio for result in those]
        near = sum(ratio <= USUAL for ratio in ratios)
        yield (
            f"| {kind} | {len(those)} | {near} | {statistics.median(ratios):.2f} | {max(ratios):.2f} "
            f"| {those[0].topology.bound:.2f} |"
        )


def _copied(topology: Topology) -> Result:
    return copied(topology)


def _line(result: Result) -> str:
    topology = result.topology
    verdict = (
        "" if result.is_good else result.error or ("TOO SLOW" if result.ratio > 1 else "TOO FAST: the optimum is wrong")
    )
    return (
        f"{topology.kind + ': ' + topology.name:64} {result.optimum_s:8.2f}s {result.took_s:8.2f}s {result.ratio:6.3f}"
        f" {verdict}".rstrip()
    )


if __name__ == "__main__":
    sys.exit(main())
