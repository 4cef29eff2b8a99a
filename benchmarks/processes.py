"""Runs a program from start to end and says what it took: wall time, processor time, peak memory."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

LAUNCH = Path(__file__).with_name("launch.py")
AT_MOST_S = 900.0
LOG_END = 2000


@frozen
class Cost:
    """What one process took: seconds of wall and of processor (user and system), bytes of memory at the peak."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


class ProgramFailed(Exception):
    """A measured program ended otherwise than with 0; its figures would mean nothing."""


class TookTooLong(ProgramFailed):
    """It did not end, and was stopped."""


def measured(
    command: Sequence[object], environment: Mapping[str, str], log: Path, at_most_s: float = AT_MOST_S
) -> Cost:
    """Run `command` with nothing but `environment`; what it prints goes to `log`. Raises `ProgramFailed`.

    Processor time is that of all processes which the command waited for, memory that of the largest of them.
    """
    words = [str(word) for word in command]
    launch = [sys.executable, "-I", "-S", str(LAUNCH), str(log), *words]
    shown = " ".join(words)
    with subprocess.Popen(launch, stdout=subprocess.PIPE, env=dict(environment), start_new_session=True) as process:
        try:
            out, _ = process.communicate(timeout=at_most_s)
        except subprocess.TimeoutExpired:
            raise TookTooLong(f"{shown} was stopped after {at_most_s:.0f} s") from None
        finally:
            if process.returncode is None:  # also when the benchmark itself is interrupted
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        raise ProgramFailed(f"{shown} cannot be started")
    told = json.loads(out)
    if (status := told.pop("exit")) != 0:
        ended = f"ended with {status}" if status > 0 else f"was ended by signal {-status}"
        raise ProgramFailed(f"{shown} {ended}:\n{log.read_text(errors='replace')[-LOG_END:]}")
    return Cost(**told)
