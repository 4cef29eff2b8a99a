"""Ctrl-C, SIGTERM and SIGHUP: the first asks the run to stop at a safe point, the second leaves at once.

When a terminal is closed, both the system and the shell send SIGHUP, so a second one is ignored.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from transload.cli.prompts import asking_thread
from transload.errors import Interrupted
from transload.signals import HANGUP, ending

if TYPE_CHECKING:
    from transload.threads import Cancellation

_SHOW_CURSOR = "\x1b[?25h"
_TELLING_S = 1.0  # a terminal that takes no more text holds up nothing longer


@contextlib.contextmanager
def stoppable(cancellation: Cancellation, notice: Callable[[str], None]) -> Iterator[None]:
    """During the block, signals cancel instead of raising; `notice` gets sentences for people, in another thread."""
    asked, told = False, threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of signal handlers
        nonlocal asked
        asking = asking_thread()
        if asking is threading.main_thread():  # this thread asks: end the question
            raise KeyboardInterrupt
        if asked or cancellation.cancelled or asking is not None:
            leave()
        if number == HANGUP:
            signal.signal(number, signal.SIG_IGN)
        asked = True
        cancellation.cancel()
        # The interrupted thread may hold the lock of the output, and would wait for itself. `threading.Thread` has
        # locks too, so this is the plain kind.
        try:
            _thread.start_new_thread(tell, ())
        except RuntimeError:  # the system gives no more threads
            told.set()

    def tell() -> None:
        try:
            notice("stopping: what has arrived is kept where possible; Ctrl-C once more leaves at once")
        finally:
            told.set()

    before = {number: signal.signal(number, stop) for number in ending()}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is stop:
                signal.signal(number, handler)
        if asked:
            told.wait(_TELLING_S)


def leave() -> NoReturn:
    """End at once, without cleaning up, except that the cursor is shown again."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr.isatty():
            os.write(sys.stderr.fileno(), f"{_SHOW_CURSOR}\ninterrupted\n".encode())
    os._exit(Interrupted.exit_code)
