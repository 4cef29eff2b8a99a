"""Programs run with little memory to have: what costs more than it may ends in MemoryError there, and not here."""

from __future__ import annotations

import subprocess
import sys

import pytest

resource = pytest.importorskip("resource", reason="limits of memory are those of POSIX")

MEMORY = 256 << 20
"""What any answer, file or medium may cost (transload.limits), the interpreter included."""


def run_limited(program: str, *arguments: object, space: int = MEMORY) -> str:
    """What `program` prints, a process with `space` bytes of address space."""
    ran = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (space, space)),
    )
    return ran.stdout
