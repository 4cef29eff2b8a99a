"""Kills and bad lines with seeds from chance, for as long as one likes: a line every minute, and a summary.

    python -m tests.kills.soak [--minutes 60] [--seed SEED] [--workers 2]

A failure is told with its seed and does not end the soak; the exit code is 1 if there was any.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from attrs import define, field

from tests.kills import lines
from tests.kills.rounds import Rounds
from tests.kills.scenes import SCENES, made_world
from tests.real.servers import running_registry

_SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
_LINES_SHARE = 0.1  # of the rounds, those of a bad line


@define
class Soak:
    """What has come of it so far; workers write it."""

    until_s: float
    passed: Counter[str] = field(factory=Counter)
    failed: list[str] = field(factory=list)
    lock: threading.Lock = field(factory=threading.Lock)

    def work(self, folder: Path, seed: str) -> None:
        """Rounds, one after the other, until the time is over."""
        dice = random.Random(seed)  # noqa: S311 - no secret
        with contextlib.ExitStack() as stack:
            for name in ("registry", "bundle", "rounds"):
                (folder / name).mkdir(parents=True)
            registry = stack.enter_context(running_registry(_program("docker-registry"), folder / "registry"))
            rounds = Rounds(stack.enter_context(made_world(registry, folder / "bundle")), folder / "rounds")
            vendor = stack.enter_context(lines.vendor())
            while time.monotonic() < self.until_s:
                self._round(rounds, vendor, folder, dice)

    def _round(self, rounds: Rounds, vendor: lines.Vendor, folder: Path, dice: random.Random) -> None:
        seed, bad_line = f"{dice.getrandbits(64):x}", dice.random() < _LINES_SHARE
        scene, number = dice.choice(lines.KINDS if bad_line else list(SCENES)), dice.choice(_SIGNALS)
        label = f"bad line, {scene}" if bad_line else f"{signal.Signals(number).name}, {scene}"
        try:
            if bad_line:
                _bad_line(scene, rounds, vendor, folder / f"lines-{seed}", seed)
            else:
                rounds.killed(scene, seed, number)
        except Exception as error:  # noqa: BLE001 - all that can go wrong is what a soak is for
            with self.lock:
                self.failed.append(f"{label}, seed {seed}: {error}")
                print(f"FAILED {self.failed[-1]}", flush=True)
        else:
            with self.lock:
                self.passed[label] += 1

    def line(self) -> str:
        """How things stand, in one line."""
        with self.lock:
            return f"{self.passed.total()} rounds passed, {len(self.failed)} failed"


def _bad_line(kind: str, rounds: Rounds, vendor: lines.Vendor, folder: Path, seed: str) -> None:
    folder.mkdir()
    try:
        lines.carry(kind, rounds.world.registry, vendor, folder, seed).check()
    finally:
        shutil.rmtree(folder)
        repositories = rounds.world.registry.root / "docker/registry/v2/repositories"
        shutil.rmtree(repositories / folder.name, ignore_errors=True)


def _program(name: str) -> str:
    return shutil.which(name) or sys.exit(f"{name} is not installed; apt-get install {name}")


def main() -> int:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--minutes", type=float, default=60)
    options.add_argument("--seed", default=f"{random.SystemRandom().getrandbits(64):x}")
    options.add_argument("--workers", type=int, default=2)
    chosen = options.parse_args()
    logging.getLogger("transload.server").addHandler(logging.NullHandler())  # it tells every upload that breaks
    print(f"seed {chosen.seed}, {chosen.minutes:g} min", flush=True)
    began_s = time.monotonic()
    soak = Soak(began_s + chosen.minutes * 60)
    with tempfile.TemporaryDirectory(prefix="soak-") as place:
        # Nobody's logins and settings, and nothing that was learnt about another registry at the same port.
        os.environ |= {"HOME": place, "TRANSLOAD_STATE_DIR": f"{place}/state", "TRANSLOAD_CONFIG": f"{place}/none"}
        workers = [
            threading.Thread(target=soak.work, args=(Path(place) / str(number), f"{chosen.seed}/{number}"))
            for number in range(chosen.workers)
        ]
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            next(worker for worker in workers if worker.is_alive()).join(60)
            print(f"{(time.monotonic() - began_s) / 60:.0f} min: {soak.line()}", flush=True)
    for label, count in sorted(soak.passed.items()):
        print(f"  {label}: {count}")
    for failure in soak.failed:
        print(f"  FAILED {failure}")
    return 1 if soak.failed or not soak.passed else 0


if __name__ == "__main__":
    sys.exit(main())
