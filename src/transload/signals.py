"""The signals that ask this process to end: Ctrl-C, kill, and the end of its terminal."""

from __future__ import annotations

import signal

HANGUP: int | None = getattr(signal, "SIGHUP", None)  # Windows has none


def ending() -> list[int]:
    """The numbers of these signals. SIGHUP is left out if it is ignored, as under `nohup`.

    SIGINT is included even if it is ignored: a script's shell sets that for programs that it starts in the background,
    and such programs are asked to end with SIGINT.
    """
    if HANGUP is None or signal.getsignal(HANGUP) is signal.SIG_IGN:
        return [signal.SIGINT, signal.SIGTERM]
    return [signal.SIGINT, signal.SIGTERM, HANGUP]
