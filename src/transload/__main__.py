"""`python -m transload`, and the console script. Signals to end work from the first moment."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable
from types import FunctionType

from transload.signals import ending

_ROOM = 20_000  # values on the stack: 160 KB, so that its block has 256 KiB, and some 96 KiB are left


def run() -> None:
    """Load the program and run it. A signal to end during loading ends it too, without a traceback."""
    with_room(_run)()


def with_room(function: Callable[[], None]) -> Callable[[], None]:
    """`function`, in a block of its stack that has room for what it calls.

    CPython keeps the frames of a thread in blocks of 16 KiB. A call that does not fit takes a new block from the system
    and gives it back when it returns: in a loop, such as compiling a regular expression while modules are loaded, for
    each turn. An unchanged mirror asked 3,000 times. A function that claims a large stack gets a large block;
    what it does not use of it takes no memory.
    """
    same: FunctionType = function  # type: ignore[assignment]  # it is one
    return FunctionType(same.__code__.replace(co_stacksize=_ROOM), same.__globals__)


def _run() -> None:
    wanted = [number for number in ending() if signal.getsignal(number) is not signal.SIG_IGN]  # until work begins
    for number in wanted:
        signal.signal(number, lambda *_: _leave())
    gc.disable()  # what is loaded stays: until the command is loaded (`cli.main`), nothing is garbage
    from transload.cli.main import run as run_program

    for number in wanted:
        signal.signal(number, signal.default_int_handler)
    run_program()


def _leave() -> None:
    try:
        os.write(2, b"\ninterrupted\n")
    finally:
        os._exit(130)


if __name__ == "__main__":
    run()
