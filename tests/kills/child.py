"""The command line as a child process: forked from a process that has imported it, or started as people start it.

A fork is the same program in a process of its own, with signals, files and an exit code, without the time that an
interpreter takes to start. So hundreds of runs take minutes.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Protocol

import transload.app.mirror
import transload.app.pack
import transload.app.push
import transload.bundle
import transload.cli.bundles
import transload.cli.defaults
import transload.cli.mirror
import transload.cli.pack
import transload.cli.push
import transload.layout
import transload.registry.knownfile
import transload.registry.store  # noqa: F401 - all are here so that the process that forks has loaded them
from transload.cli.main import main
from transload.errors import Interrupted
from transload.signals import ending

_FORKS: ForkServerContext = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.kills.child"])
_NOT_TOLD = 255
"""What multiprocessing says when its fork server does not tell how a process ended; transload never ends so."""


class Child(Protocol):
    """A running command."""

    @property
    def pid(self) -> int | None: ...

    def end(self) -> int:
        """Wait for the end; the exit code, or the number of the signal below zero."""
        ...


class _Forked:
    def __init__(self, words: Sequence[str], environment: Mapping[str, str], said: Path) -> None:
        self._code = said.with_name(f"{said.name}.code")
        self._code.unlink(missing_ok=True)
        self._process = _FORKS.Process(target=_run, args=(list(words), dict(environment), str(said), str(self._code)))
        self._process.start()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def end(self) -> int:
        self._process.join()
        code = self._process.exitcode
        self._process.close()
        assert code is not None
        if code != _NOT_TOLD:
            return code
        return int(self._code.read_text()) if self._code.exists() else -signal.SIGKILL


class _Started:
    def __init__(self, words: Sequence[str], environment: Mapping[str, str], said: Path) -> None:
        with said.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "transload", *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
            )

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def end(self) -> int:
        return self._process.wait()


def _run(words: list[str], environment: dict[str, str], said: str, code_file: str) -> None:
    os.environ.update(environment)
    out = os.open(said, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(out, stream)
    os.close(out)
    for number in ending():  # as `transload.__main__` does: the end of the work gives these back
        signal.signal(number, signal.default_int_handler)
    try:
        code = main(words)
    except KeyboardInterrupt:  # after the work
        code = Interrupted.exit_code
    for number in ending():
        signal.signal(number, signal.SIG_IGN)
    sys.stdout.flush()
    sys.stderr.flush()
    Path(code_file).write_text(str(code))
    os._exit(code)


@contextlib.contextmanager
def running(words: Sequence[str], environment: Mapping[str, str], said: Path, *, started: bool) -> Iterator[Child]:
    """Run `transload words…`; what it says is appended to the file `said`. Whatever happens, it has ended afterwards.

    `started`: with an interpreter of its own.
    """
    child: Child = (_Started if started else _Forked)(words, environment, said)
    try:
        yield child
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            if child.pid:
                os.kill(child.pid, signal.SIGKILL)
        raise
