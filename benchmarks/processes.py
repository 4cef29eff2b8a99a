"""Runs a program from start to end and says what it took: wall time, processor time, peak memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

LAUNCH = Path(__file__).with_name("launch.py")


@frozen
class Cost:
    """What one process took: seconds of wall and of processor (user and system), bytes of memory at the peak."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


class ProgramFailed(Exception):
    """A measured program ended otherwise than with 0; its figures would mean nothing."""


def measured(command: Sequence[object], environment: Mapping[str, str], log: Path) -> Cost:
    """Run `command` with nothing but `environment`; what it prints goes to `log`. Raises `ProgramFailed`."""
    words = [str(word) for word in command]
    launch = [sys.executable, "-I", "-S", str(LAUNCH), str(log), *words]
    told = json.loads(subprocess.run(launch, capture_output=True, check=True, env=dict(environment)).stdout)
    if (status := told.pop("exit")) != 0:
        raise ProgramFailed(f"{' '.join(words)} ended with {status}:\n{log.read_text(errors='replace')}")
    return Cost(**told)
