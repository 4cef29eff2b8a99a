"""The signals that ask this process to end (Ctrl-C, kill, the end of its terminal) or to stop for a while (Ctrl-Z)."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import FrameType

HANGUP: int | None = getattr(signal, "SIGHUP", None)  # Windows has none


def ending() -> list[int]:
    """The numbers of these signals. SIGHUP is left out if it is ignored, as under `nohup`.

    SIGINT is included even if it is ignored: a script's shell sets that for programs that it starts in the background,
    and such programs are asked to end with SIGINT.
    """
    if HANGUP is None or signal.getsignal(HANGUP) is signal.SIG_IGN:
        return [signal.SIGINT, signal.SIGTERM]
    return [signal.SIGINT, signal.SIGTERM, HANGUP]


@contextlib.contextmanager
def when_stopped(around: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """While this block is open, Ctrl-Z stops the process within a block of `around`, which ends when it goes on.

    Only the main thread can see to that; in others this does nothing, nor on systems without that signal.
    """
    number: int | None = getattr(signal, "SIGTSTP", None)
    if number is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_: int, __: FrameType | None) -> None:
        with around():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)  # here everything stands still until SIGCONT
            signal.signal(number, stop)

    before = signal.getsignal(number)
    if before is not signal.SIG_DFL:  # a shell without job control ignores it
        yield
        return
    signal.signal(number, stop)
    try:
        yield
    finally:
        signal.signal(number, before)
