"""`python -m benchmarks`: measures, prints the table as it grows, and writes .bench/results.json."""

from __future__ import annotations

import argparse
import compileall
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import transload
from benchmarks import airgap, content, figures, scenes
from benchmarks.contenders import installed
from benchmarks.figures import Figure
from benchmarks.scenes import Bench
from benchmarks.site import Site

MIB = 1 << 20
NAMES = (
    *("months", "requests", "layer", "wire", "starting", "serving", "layouts"),
    *("packing", "packed-layer", "pushing", "differential", "resuming"),
)


def main() -> int:
    options = _options()
    for program in ("docker-registry", "skopeo", "curl"):
        if not installed(program):
            print(f"{program} is not installed; apt-get install {program}", file=sys.stderr)
            return 2
    # As installed from a wheel; an environment that forbids bytecode would have every start compile everything.
    compileall.compile_dir(Path(transload.__file__).parent, quiet=1)
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    began_s = time.monotonic()
    found: list[Figure] = []
    about = figures.surroundings()
    print(", ".join(f"{name} {value}" for name, value in about.items()), flush=True)
    for scene in _scenes(options, folder):
        for figure in scene:
            found.append(figure)
            print(f"  {figure.name}: {figure.ours}  {figure.theirs}  {figure.ratio or ''} {figure.reach}", flush=True)
    print("\n" + figures.table(found))
    about["rounds"] = str(options.rounds)
    figures.write(folder / "results.json", found, about)
    shutil.rmtree(folder / "work", ignore_errors=True)
    print(f"\n{time.monotonic() - began_s:.0f} s; {folder / 'results.json'}")
    return 0


def _scenes(options: argparse.Namespace, folder: Path) -> Iterator[Iterator[Figure]]:
    images, size = (8, 20 * MIB) if options.quick else (content.IMAGES, content.RELEASE_BYTES)
    layer = (64 if options.quick else 1024) * MIB
    goods = content.opened(options.layout) if options.layout else content.seeded(folder, size, images)
    work = folder / "work"
    bench = Bench(work, goods, Site.filled(work / "releases", goods), options.rounds)

    def huge() -> content.Goods:
        return content.one_layer(folder, layer)

    known: dict[str, Callable[[], Iterator[Figure]]] = {
        "months": lambda: scenes.months(bench),
        "requests": lambda: scenes.requests(bench),
        "layer": lambda: scenes.one_layer(bench, huge()),
        "wire": lambda: scenes.long_wire(bench),
        "starting": lambda: scenes.starting(bench),
        "serving": lambda: scenes.serving(bench, huge()),
        "layouts": lambda: scenes.layouts(bench),
        "packing": lambda: airgap.packing(bench),
        "packed-layer": lambda: airgap.packed_layer(bench, huge()),
        "pushing": lambda: airgap.pushing(bench),
        "differential": lambda: airgap.differential(bench),
        "resuming": lambda: airgap.resuming(bench),
    }
    return (known[name]() for name in options.only or NAMES)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--layout", type=Path, help="an OCI layout with two releases, instead of the seeded ones")
    parser.add_argument("--folder", type=Path, default=Path(".bench"), help="where everything is kept (.bench)")
    parser.add_argument("--rounds", type=int, help="how often the timed scenes are repeated (5; 1 with --quick)")
    parser.add_argument("--quick", action="store_true", help="a smoke test under a minute: small content, one round")
    parser.add_argument("--only", action="append", choices=NAMES, help="this scene (repeatable)")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    return options


if __name__ == "__main__":
    sys.exit(main())
