"""What a running program has on the disk at its peak, and how it is killed when it has come so far."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.contenders import Command
from benchmarks.processes import ProgramFailed

LOOK_EVERY_S = 0.002


def allocated_bytes(*folders: Path) -> int:
    """What all files below occupy: blocks, those that the kernel has only promised included (stat(2), st_blocks)."""
    total = 0
    for folder in folders:
        for where, _, names in os.walk(folder):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    total += (Path(where) / name).stat().st_blocks * 512
    return total


def peak_bytes(command: Command, log: Path, *folders: Path) -> int:
    """Run to the end; the most that was found in the folders, looking again and again. Raises `ProgramFailed`."""
    peak = 0

    def look() -> bool:
        nonlocal peak
        peak = max(peak, allocated_bytes(*folders))
        return False

    if (status := _watched(command, log, look)) != 0:
        raise ProgramFailed(f"{command.words} ended with {status}:\n{log.read_text(errors='replace')}")
    return peak


def killed_at(size: int, command: Command, log: Path, folder: Path) -> int:
    """Run until the folder holds `size` bytes, then SIGKILL; what it holds then. Raises `ProgramFailed` if it ends."""
    if (status := _watched(command, log, lambda: allocated_bytes(folder) >= size)) != -signal.SIGKILL:
        raise ProgramFailed(f"{command.words} ended with {status} before it could be killed")
    return allocated_bytes(folder)


def _watched(command: Command, log: Path, is_enough: Callable[[], bool]) -> int:
    """Run a program, and kill it once it is enough; what it ended with."""
    words = [str(word) for word in command.words]
    with log.open("wb") as out:
        process = subprocess.Popen(words, env=dict(command.environment), stdout=out, stderr=subprocess.STDOUT)
    while process.poll() is None:
        if is_enough():
            process.kill()
        time.sleep(LOOK_EVERY_S)
    return process.wait()
