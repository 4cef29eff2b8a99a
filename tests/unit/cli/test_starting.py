"""A signal to end while the program is still being loaded: no traceback, and the exit code of any interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

CODE = """
import signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "transload.cli.main":
            signal.raise_signal({number})

sys.meta_path.insert(0, Interrupting())
from transload.__main__ import run
run()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=str)
def test_a_signal_while_loading_ends_it_quietly(number: signal.Signals) -> None:
    code = CODE.format(number=int(number))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\ninterrupted\n")
