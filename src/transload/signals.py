"""The signals that ask this process to end: Ctrl-C, kill, and the end of the terminal that it was started from."""

from __future__ import annotations

import signal

HANGUP: int | None = getattr(signal, "SIGHUP", None)  # Windows has none


def ending() -> list[int]:
    """Their numbers, but for those that somebody has us ignore, as `nohup` does and shells for what runs behind."""
    known = filter(None, (signal.SIGINT, signal.SIGTERM, HANGUP))
    return [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]
