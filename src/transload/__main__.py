"""`python -m transload`, and what the console script calls: Ctrl-C works from the first moment on."""

from __future__ import annotations

import os
import signal


def run() -> None:
    """Load the program and run it. Ctrl-C meanwhile ends it as later on, and shows nobody where the loading was."""
    started = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else the caller wants it ignored
    if started:
        signal.signal(signal.SIGINT, lambda *_: _leave())
    from transload.cli.main import run as run_program

    if started:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run_program()


def _leave() -> None:
    try:
        os.write(2, b"\ninterrupted\n")
    finally:
        os._exit(130)


if __name__ == "__main__":
    run()
