"""`python -m benchmarks`: measures transload beside every tool of the field that is installed here.

Each scene copies the same images between two registries of its own on this machine, with a wire in between, tool after
tool, and looks afterwards whether everything arrived. The table grows while it runs; tables, samples and plots are
written into the folder after each scene. A scene that fails is reported, and the next one runs.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import fcntl
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import frozen

import transload
from benchmarks import airgap, content, growing, peers, profiles, scenes, serving, small
from benchmarks.contenders import installed
from benchmarks.figures import Figure, table
from benchmarks.race import Bench
from benchmarks.report import BEGIN, END, Part, Report, surroundings
from benchmarks.wording import ending
from transload.errors import TransloadError

NEEDED = ("docker-registry", "curl")
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@frozen
class Scene:
    """A scene by name: the wire that it is about, whether it runs unless it is asked for, what it does."""

    name: str
    run: Callable[[Bench], Iterator[Figure]]
    profile: str = "loopback"
    usual: bool = True

    @property
    def told(self) -> str:
        """Its first line."""
        return (self.run.__doc__ or "").strip().splitlines()[0]


SCENES = (
    Scene("release", scenes.months),
    Scene("requests", scenes.requests),
    Scene("lan", scenes.lan, "lan"),
    Scene("far-source", scenes.far_source, "far"),
    Scene("far-both", scenes.far_both, "far"),
    Scene("far-layer", scenes.far_layer, "far"),
    Scene("satellite", scenes.satellite, "satellite"),
    Scene("flaky", scenes.flaky, "flaky"),
    Scene("tls", scenes.tls),
    Scene("serving", serving.serving),
    Scene("large", scenes.large),
    Scene("blobs", small.blobs),
    Scene("images", small.growing_images),
    Scene("layers", small.growing_layers),
    Scene("growth", growing.growing, usual=False),
    Scene("many", small.many, usual=False),
    Scene("starting", serving.starting, usual=False),
    Scene("layouts", serving.layouts, usual=False),
    Scene("packing", airgap.packing, usual=False),
    Scene("packed-layer", airgap.packed_layer, usual=False),
    Scene("pushing", airgap.pushing, usual=False),
    Scene("differential", airgap.differential, usual=False),
    Scene("resuming", airgap.resuming, usual=False),
)


def main(words: list[str] | None = None) -> int:
    """Run what is asked for; 0 if every scene ran, 1 if one failed, 2 if nothing can be measured here."""
    options = parser().parse_args(words)
    refuse = parser().error
    if not options.list and not chosen(options):
        refuse("no scene has this name and is on this wire; --list names them")
    if options.list:
        listed()
        return 0
    if missing := [program for program in NEEDED if not installed(program)]:
        print(f"cannot measure without {' and '.join(missing)}: apt-get install {' '.join(missing)}", file=sys.stderr)
        return 2
    if wrong := unusable(options):
        refuse(wrong)
    # As installed from a wheel; an environment that forbids bytecode would have every start compile everything.
    compileall.compile_dir(Path(transload.__file__).parent, quiet=1)
    here, absent = peers.present(options.peers)
    for told in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(told, lambda number, _: sys.exit(128 + number))  # what was started is ended, too
    folder = options.folder.resolve()
    with only_one(folder):
        return measure(options, folder, here, absent)


def measure(options: argparse.Namespace, folder: Path, here: dict[str, str], absent: list[str]) -> int:
    """Run the scenes that are asked for, and show what came of them."""
    bench = Bench(
        folder,
        tuple(here),
        rounds=options.rounds,
        full=options.full,
        quick=options.quick,
        layout=options.layout,
        sizes=options.sizes,
    )
    report = Report(folder, surroundings(here, absent))
    if options.add:
        try:
            report.read()
        except (OSError, ValueError, LookupError, TypeError) as error:
            print(f"--add: {folder / 'results.json'} cannot be read: {error}", file=sys.stderr)
            return 2
    print(", ".join(f"{name} {value}" for name, value in report.about.items()), flush=True)
    if os.getloadavg()[0] > (cores := os.cpu_count() or 1):
        print(f"note: more is running here than {cores} cores can do; times and ratios mean little", flush=True)
    began_s = time.monotonic()
    ended: dict[str, bool] = {}
    try:
        for scene in chosen(options):
            ended[scene.name] = _ran(scene, bench, report)
    except KeyboardInterrupt:
        kept = f"{', '.join(ended)}: see {folder / 'results.md'}" if ended else "no scene had ended"
        print(f"\nstopped; {kept}", file=sys.stderr)
        return 128 + signal.SIGINT
    failed = [name for name, well in ended.items() if not well]
    if options.publish:
        report.publish(options.publish)
    print("\n" + table(report.figures))
    print(f"\n{time.monotonic() - began_s:.0f} s; {folder / 'results.md'}, {folder / 'results.json'}")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def unusable(options: argparse.Namespace) -> str | None:
    """What would fail after minutes of measuring, said before."""
    if options.rounds is not None and options.rounds < 1:
        return "--rounds: at least one"
    if options.quick and options.publish:
        return "--publish: figures of a --quick run mean nothing"
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        if options.layout and len(content.opened(options.layout).tags) < 2:
            return f"--layout: {options.layout} has not the same images under two tags"
        if options.publish:
            _, found, rest = options.publish.read_text().partition(BEGIN)
            if not found or END not in rest:
                return f"--publish: {options.publish} lacks the marks {BEGIN} and {END}"
    except (OSError, ValueError, LookupError, TransloadError) as error:
        return f"{type(error).__name__}: {error}"
    return None


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Two benchmarks in one folder would remove each other's files. Exits with 2."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print(f"another benchmark runs in {folder}; choose another --folder", file=sys.stderr)
            sys.exit(2)
        yield


def chosen(options: argparse.Namespace) -> list[Scene]:
    """The scenes that are asked for: by name, by the wire, or those that are usual."""
    if options.scene:
        found = [scene for scene in SCENES if scene.name in options.scene]
    else:
        found = [scene for scene in SCENES if scene.usual or options.full]
    return [scene for scene in found if not options.profile or scene.profile in options.profile]


def listed() -> None:
    """What there is to choose from."""
    print("scenes (those with * run only with --full or by name):")
    for scene in SCENES:
        print(f"  {scene.name + ('' if scene.usual else ' *'):16}{scene.told}")
    print("wires:")
    for profile in profiles.PROFILES.values():
        print(f"  {profile.name:16}{profile.told}")
    print("tools:")
    here, absent = peers.present()
    for name in here:
        print(f"  {name:16}{here[name]}")
    for name in absent:
        print(f"  {name:16}{peers.why_absent(name)}")


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--list", action="store_true", help="say which scenes, wires and tools there are, and stop")
    names, wires = [each.name for each in SCENES], list(profiles.PROFILES)
    only = "only this scene (repeatable; --list names them)"
    made.add_argument("--scene", action="append", choices=names, metavar="NAME", help=only)
    only = "only scenes on this wire (repeatable; --list names them)"
    made.add_argument("--profile", action="append", choices=wires, metavar="NAME", help=only)
    made.add_argument(
        "--peers", type=_names, default=(), metavar="NAMES", help="only these tools: skopeo,crane; or none"
    )
    made.add_argument("--rounds", type=int, metavar="N", help="how often each scene is repeated (1 to 9 by scene)")
    made.add_argument("--sizes", type=_sizes, default=(), help="sizes of the scene `layers`: 1K,64M,10G")
    made.add_argument("--full", action="store_true", help="every scene, twice as often, to 2,000 images and 10 GiB")
    made.add_argument("--quick", action="store_true", help="a smoke test: small content; ratios mean nothing")
    made.add_argument("--layout", type=Path, help="an OCI layout with two releases, instead of the seeded ones")
    made.add_argument("--add", action="store_true", help="keep what earlier runs measured in other scenes")
    made.add_argument("--publish", type=Path, metavar="PAGE", help="write the figures into this page between its marks")
    made.add_argument("--folder", type=Path, default=Path(".bench"), help="where everything is kept (.bench)")
    return made


# --- inside


def _ran(scene: Scene, bench: Bench, report: Report) -> bool:
    """Run one scene and write everything down, also if it fails."""
    print(f"{scene.name}: {scene.told}", flush=True)
    began_s, failure = time.monotonic(), ""
    part = report.parts[scene.name] = Part(samples=bench.begin(), failures=bench.failures)
    try:
        for figure in scene.run(bench):
            part.figures.append(figure)
            told = f"{figure.ours}  {figure.theirs}  {figure.ratio or ''} {figure.reach}"
            reached = {None: "", True: "reached", False: "not reached"}[figure.reached]
            print(f"  {figure.name}: {told} {reached}", flush=True)
    except Exception as error:  # whatever it was, the other scenes are still to be measured
        traceback.print_exc()
        failure = f"{scene.name}: {type(error).__name__}: {error}"
        part.failures.append(failure)
        part.figures.append(Figure(scene.name, "failed", ending(f"{type(error).__name__}: {error}")))
    finally:
        shutil.rmtree(bench.work, ignore_errors=True)
    print(f"  {time.monotonic() - began_s:.0f} s", flush=True)
    with contextlib.suppress(OSError):
        os.sync()
    try:
        report.write()
    except OSError as error:
        print(f"what was measured so far cannot be written: {error}", file=sys.stderr)
        return False
    return not failure


def _names(text: str) -> tuple[str, ...]:
    known = [peer.name for peer in peers.PEERS]
    names = tuple(name.strip() for name in text.split(","))
    if unknown := [name for name in names if name not in (*known, "none")]:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is unknown; there are {', '.join(known)}, none")
    return names


def _sizes(text: str) -> tuple[int, ...]:
    sizes = []
    for word in text.upper().replace("IB", "").split(","):
        number, unit = word.strip().rstrip("KMG"), word.strip().lstrip("0123456789")
        if not number.isdecimal() or unit not in UNITS or int(number) == 0:
            raise argparse.ArgumentTypeError(f"{word} is not a size such as 64M")
        sizes.append(int(number) * UNITS[unit])
    return tuple(sizes)


if __name__ == "__main__":
    sys.exit(main())
