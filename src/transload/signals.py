"""The signals that ask this process to end: Ctrl-C, kill, and the end of the terminal that it was started from."""

from __future__ import annotations

import signal

HANGUP: int | None = getattr(signal, "SIGHUP", None)  # Windows has none


def ending() -> list[int]:
    """Their numbers. SIGHUP is left out where somebody has us ignore it, as `nohup` does.

    For work under way SIGINT counts even then: a script's shell ignores it for whatever it starts in the background,
    and it is with SIGINT that such a program is asked to end.
    """
    if HANGUP is None or signal.getsignal(HANGUP) is signal.SIG_IGN:
        return [signal.SIGINT, signal.SIGTERM]
    return [signal.SIGINT, signal.SIGTERM, HANGUP]
