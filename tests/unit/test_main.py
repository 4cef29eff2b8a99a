"""The program starts with room on its stack."""

from __future__ import annotations

import resource
import subprocess
import sys
from types import FunctionType

import pytest

from transload.__main__ import with_room

TURNS = 300
worst: list[int] = []


def nothing() -> None:
    pass


call = FunctionType(nothing.__code__.replace(co_stacksize=100), globals())  # more than the frame of the loop


def turns_at_each_depth(depth: int) -> int:
    """The most page faults of a loop of calls, with 0 to `depth` callers."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(TURNS):
        call()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return max(faults, turns_at_each_depth(depth - 1) if depth else 0)


def measured() -> None:
    worst.append(turns_at_each_depth(200))


def test_no_call_in_a_loop_takes_memory_from_the_system_each_time() -> None:
    measured()
    with_room(measured)()
    without, with_it = worst
    assert without >= TURNS  # how it is without room; when a later Python does better, this can go
    assert with_it < TURNS / 3


@pytest.mark.parametrize(("command", "module", "function"), [("list", "bundles", "list_"), ("serve", "serve", "serve")])
def test_garbage_is_collected_once_the_command_is_loaded(command: str, module: str, function: str) -> None:
    """Seldom, since most of what a command makes is kept; a server runs for months, and looks as often as usual."""
    code = (
        "import gc, sys\n"
        "usual = gc.get_threshold()[0]\n"
        "from transload.__main__ import run\n"
        f"sys.argv = ['transload', '{command}', 'nothing']\n"
        f"from transload.cli import {module} as module\n"
        f"module.{function}.callback = lambda **_: print(\n"
        "    gc.isenabled(), gc.get_freeze_count() > 0, gc.get_threshold()[0] > usual\n"
        ")\n"
        "run()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["True", "True", str(command != "serve")]
