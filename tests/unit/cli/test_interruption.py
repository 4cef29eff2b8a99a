"""A signal asks a run to stop, wherever its thread is at that moment."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_IN_A_LOCK = """
import os, signal, threading
from transload.cli.interruption import stoppable
from transload.threads import Cancellation

cancellation, told, lock = Cancellation(), threading.Event(), threading.Lock()

def notice(text):
    with lock:
        print(text, flush=True)
        told.set()

with stoppable(cancellation, notice):
    with lock:
        os.kill(os.getpid(), signal.{name})
        assert cancellation.wake.wait(60)
    assert told.wait(60)
"""


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals to processes")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_is_heard_while_its_thread_holds_the_lock_of_the_output(name: str) -> None:
    ended = _run(_IN_A_LOCK.format(name=name))
    assert (ended.returncode, ended.stdout[:8]) == (0, "stopping"), ended.stderr


_AT_A_LINE = """
import os, signal, sys, threading
from transload.cli.interruption import stoppable
from transload.threads import Cancellation

cancellation, lines = Cancellation(), 0

def trace(frame, event, _):
    global lines
    lines += event == "line"
    if lines == {line}:
        sys.settrace(None)
        os.kill(os.getpid(), signal.SIGINT)
    return trace

with stoppable(cancellation, lambda text: None):
    sys.settrace(trace)
    cancellation.wake.wait(0.2)
    sys.settrace(None)
    assert cancellation.cancelled == (lines == {line}), lines
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals to processes")
@pytest.mark.parametrize("line", range(1, 13))
def test_a_signal_at_any_line_of_a_sleep_is_heard(line: int) -> None:
    """At some lines of the standard event its thread holds a lock, and waited for itself for ever."""
    ended = _run(_AT_A_LINE.format(line=line))
    assert ended.returncode == 0, ended.stderr


_TWICE = """
import os, signal, threading
from transload.cli.interruption import stoppable
from transload.threads import Cancellation

with stoppable(Cancellation(), lambda text: threading.Event().wait()):
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(60)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals to processes")
def test_a_second_signal_leaves_at_once_while_the_first_is_being_told() -> None:
    assert _run(_TWICE).returncode == 130
