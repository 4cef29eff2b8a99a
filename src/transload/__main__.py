"""`python -m transload`, and the console script. Signals to end work from the first moment."""

from __future__ import annotations

import os
import signal

from transload.signals import ending


def run() -> None:
    """Load the program and run it. A signal to end during loading ends it too, without a traceback."""
    wanted = [number for number in ending() if signal.getsignal(number) is not signal.SIG_IGN]  # until work begins
    for number in wanted:
        signal.signal(number, lambda *_: _leave())
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
