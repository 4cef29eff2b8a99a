"""Ctrl-Z: the process stops within what was asked for, and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import contextlib, sys
from transload.signals import when_stopped

@contextlib.contextmanager
def around():
    print("before", flush=True)
    yield
    print("after", flush=True)

with when_stopped(around):
    print("ready", flush=True)
    for line in sys.stdin:
        print("went on", flush=True)
print("end", flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGTSTP"), reason="this system has no Ctrl-Z")
def test_ctrl_z_stops_the_process_within_the_block_and_it_goes_on_after_it() -> None:
    # In a group of its own, since the system does not stop a group without a parent in its session.
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
    )
    assert process.stdin
    assert process.stdout
    with process:
        assert process.stdout.readline() == "ready\n"
        for _ in range(2):
            process.send_signal(signal.SIGTSTP)
            assert process.stdout.readline() == "before\n"
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            process.send_signal(signal.SIGCONT)
            assert process.stdout.readline() == "after\n"
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "went on\n"
        process.stdin.close()
        assert process.stdout.read() == "end\n"
