"""`transload` as a process that is forked from one which has loaded it, instead of starting an interpreter each time.

It is the same program with streams, a folder, variables and an exit code of its own, in a twentieth of the time. What
is about starting itself, about signals or about a terminal starts it for real: tests/real/test_cli_program.py.

`program()` is the path of a command for that, which any shell can run. The process that forks ends with the tests.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

_ASKING = """\
#!{python} -ISE
import _signal, _socket, array, json, os, sys
_signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # a shell starts what runs beside it without it
asking = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
asking.connect({address!r})
asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
asking.sendmsg([len(asked).to_bytes(8, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
while asked:
    asked = asked[asking.send(asked):]
os._exit(int(asking.recv(8) or b"70"))
"""
_LEFT = ("transload.testing",)


@functools.cache
def program() -> Path:
    """The command, which runs what this clone has of the program; on systems without forks, the installed one."""
    folder = tempfile.TemporaryDirectory(prefix="forks-")
    path = Path(folder.name, "transload")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path.with_name("socket")))
    listening.listen(64)
    path.write_text(_ASKING.format(python=sys.executable, address=str(path.with_name("socket"))))
    path.chmod(0o755)
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.forked", str(listening.fileno())],
        pass_fds=[listening.fileno()],
        stdin=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    listening.close()

    def end() -> None:
        assert server.stdin
        server.stdin.close()  # it ends with us, however we end
        server.wait()
        folder.cleanup()

    atexit.register(end)
    return path


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `transload words…` in our folder, with our variables and these; what it says is kept."""
    environment = {**os.environ, **variables}
    return subprocess.run(
        [program(), *words], capture_output=True, text=True, env=environment, timeout=240, check=False
    )


# --- the process that forks


def _serve(listening: socket.socket) -> None:
    for found in pkgutil.walk_packages(importlib.import_module("transload").__path__, "transload."):
        if not found.name.startswith(_LEFT) and not found.name.endswith("__main__"):
            with contextlib.suppress(ImportError):  # an extra that is not installed
                importlib.import_module(found.name)
    gc.freeze()  # so that collecting garbage copies no pages
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        askers = {asking.fileno(): child for child, asking in running.values()}
        ready: list[int] = select.select([listening.fileno(), 0, *running, *askers], [], [])[0]
        if 0 in ready:  # standard input is closed when the tests end
            for child in askers.values():
                os.kill(child, signal.SIGKILL)
            return
        for number in ready:
            if number == listening.fileno():
                asking = listening.accept()[0]
                child = _forked(asking)
                running[os.pidfd_open(child)] = child, asking
            elif number in running:
                _tell(number, *running.pop(number))
            elif number in askers:  # whoever asked has been ended, and its program is to end too
                _end(number, askers[number], running)


def _end(number: int, child: int, running: dict[int, tuple[int, socket.socket]]) -> None:
    for waiting, (known, asking) in list(running.items()):
        if known == child and asking.fileno() == number:
            os.kill(child, signal.SIGINT)
            asking.close()
            del running[waiting]
            os.close(waiting)


def _forked(asking: socket.socket) -> int:
    """Start the process that is asked for; its number."""
    head, rights, _, _ = asking.recvmsg(8, socket.CMSG_SPACE(12))
    length, asked = int.from_bytes(head, "big"), b""
    while len(asked) < length:
        piece = asking.recv(length - len(asked))
        if not piece:
            raise EOFError("whoever asked has ended in the middle")
        asked += piece
    streams = array.array("i")
    streams.frombytes(rights[0][2])
    child = os.fork()
    if child == 0:
        asking.close()
        words, folder, environment = json.loads(asked)
        _become(words, folder, environment, streams)
    for stream in streams:
        os.close(stream)
    return child


def _tell(number: int, child: int, asking: socket.socket) -> None:
    """Say how a process ended, as a shell would."""
    os.close(number)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with asking, contextlib.suppress(OSError):  # whoever asked has been ended
        asking.send(str(ended if ended >= 0 else 128 - ended).encode())


def _become(words: list[str], folder: str, environment: dict[str, str], streams: array.array[int]) -> NoReturn:
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["transload", *words]
        sys.stdin, sys.stdout = open(0, encoding="utf-8"), open(1, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123, SIM115
        importlib.import_module("transload.__main__").run()
    finally:
        os._exit(1)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
