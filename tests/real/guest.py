"""The first process of a Linux kernel that runs as a program (tests/real/uml.py): it runs what it is told to run.

guest.py LINE MODULE,…    loads the modules, then answers each line of the terminal LINE, JSON objects both
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import traceback
import tty
from pathlib import Path
from typing import Any

# Before any command runs, so that each is a fork only.
from transload.cli import bundles, clean, inventory, pack, plan, push, verify  # noqa: F401 - loaded for the forks
from transload.cli import main as cli

_FINIT_MODULE = 313  # of x86-64
_POWER_OFF = 0x4321FEDC
_SAID = Path("/run/said")


def _load(system: ctypes.CDLL, module: str) -> None:
    with Path(module).open("rb") as file:
        if system.syscall(_FINIT_MODULE, file.fileno(), b"", 0):
            raise OSError(ctypes.get_errno(), "the module cannot be loaded", module)


def _in_fork(words: list[str]) -> None:
    """Become the program, or Python with these lines, and end."""
    code = 1
    try:
        if words[0] == "python":
            exec(words[1], {"__name__": "__main__"})  # noqa: S102 - the test's own lines
            code = 0
        else:
            sys.argv = words
            cli.run()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(words: list[str], folder: str, environment: dict[str, str]) -> int:
    """The exit code of a program; minus the signal that ended it."""
    with _SAID.open("w+b") as said:
        if words[0] not in ("transload", "python"):
            return subprocess.run(
                words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False
            ).returncode
        child = os.fork()
        if not child:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for number in (1, 2):
                os.dup2(said.fileno(), number)
            _in_fork(words)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _serve(line: str) -> None:
    with Path(line).open("r+b", buffering=0) as terminal:
        tty.setraw(terminal.fileno())
        reading = os.fdopen(os.dup(terminal.fileno()), "rb")
        answer: dict[str, Any] = {"ready": os.uname().release}
        while True:
            terminal.write(json.dumps(answer).encode() + b"\n")
            asked = reading.readline()
            if not asked.strip():
                return
            code = _run(**json.loads(asked))
            answer = {"code": code, "told": _SAID.read_text("utf-8", "replace")}


def main() -> None:
    """Until the line is closed; then the kernel ends."""
    system = ctypes.CDLL(None, use_errno=True)
    try:
        for kind, place in (("proc", "/proc"), ("tmpfs", "/run")):
            subprocess.run(["mount", "-t", kind, kind, place], check=True)
        Path("/dev/shm").mkdir(exist_ok=True)  # hidden by the kernel's own /dev, and the tests' files may be there
        subprocess.run(["mount", "-t", "hostfs", "none", "-o", "/dev/shm", "/dev/shm"], check=True)
        for module in sys.argv[2].split(","):  # the kernel adds words of its own at the end
            _load(system, module)
        _serve(sys.argv[1])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.sync()
        system.reboot(_POWER_OFF)


if __name__ == "__main__":
    main()
