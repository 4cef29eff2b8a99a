"""Ctrl-C and SIGTERM: the first asks the run to stop at a safe point, the second leaves at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

from transload.nursery import Cancellation

INTERRUPTED = 130


_SHOW_CURSOR = "\x1b[?25h"


@contextlib.contextmanager
def stoppable(cancellation: Cancellation, notice: Callable[[str], None]) -> Iterator[None]:
    """For the block, signals cancel instead of raising; `notice` tells people what is happening."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of signal handlers
        if cancellation.cancelled:
            _leave()
        cancellation.cancel()
        notice("stopping: what is under way is parked where possible; once more to leave at once")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave() -> NoReturn:
    """End without unwinding anything; only the cursor, which bars hide, is given back."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())
    os._exit(INTERRUPTED)
