"""A target that takes nothing for one of its repositories: what others need still arrives, and memory stays bounded."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

import pytest

from tests.real.servers import StartRegistry
from tests.real.vendor import store_at
from transload.errors import NotFound
from transload.net.http import Http
from transload.net.settings import NetSettings
from transload.oci import Name
from transload.registry.store import RegistryStore
from transload.testing.images import fill, image
from transload.testing.laboratory import ALWAYS, Answer, Asked, Fault, Laboratory, Onward

MIB = 1 << 20
STUCK = image("stuck", [16 * MIB + number for number in range(6)])
OTHERS = {f"other{number}": image(f"other{number}", [2 * MIB, 300_000]) for number in range(10)}
MOST_KIB = 96 << 10
PATIENCE_S = 120.0


def arrives(store: RegistryStore, name: str) -> bool:
    """Whether the tag is there within the patience of the test."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        try:
            store.resolve(Name(name, "1"))
        except NotFound:
            time.sleep(0.05)  # another process copies it
        else:
            return True
    return False


def peak(process: int) -> int:
    """The most memory that a running process has had, in KiB; `wait4` counts that of the fork, too."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_one_slow_repository_does_not_stall_the_others(start_registry: StartRegistry, tmp_path: Path) -> None:
    """96 MiB wait for it, more than memory may hold: they are left with the source until they can be sent on."""
    source, target, may = start_registry(), start_registry(), threading.Event()
    with store_at(source) as store:
        for name, built in {"stuck": STUCK, **OTHERS}.items():
            fill(store, built, name, "1")

    def hold(asked: Asked, onward: Onward, _: Random) -> Answer:
        if "/stuck/" in asked.path and asked.method == "PATCH":
            may.wait(2 * PATIENCE_S)  # its bytes stay in the connection
        return onward(asked)

    listed = tmp_path / "images.txt"
    listed.write_text("".join(f"{source.host}/{name}:1\n" for name in ("stuck", *OTHERS)))
    with (
        Laboratory(target.host, [Fault(on="* *", act=hold, times=ALWAYS)]) as front,
        Http(NetSettings()) as http,
    ):
        words = [sys.executable, "-m", "transload", "mirror", "--quiet", listed, "--to", front.host_port]
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(list(map(str, words)), env=environment)
        try:
            there = RegistryStore(target.host, http)
            late = [name for name in OTHERS if not arrives(there, name)]
            stuck_meanwhile, peak_kib = process.poll() is None, peak(process.pid)
        finally:
            may.set()
        process.wait()
        assert not late, "they do not wait for the slow one"
        assert stuck_meanwhile
        assert process.returncode == 0
        assert arrives(there, "stuck")
        assert peak_kib <= MOST_KIB
