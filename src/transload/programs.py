"""Runs other programs: without a shell, with a time limit, and with a limit on what they write."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import IO, cast

from transload.files import write_all

_CHECK_S = 0.2
_PIECE = 1 << 16
_AFTERWARDS_S = 5.0  # for what a program leaves running, which may still write for it


def run_program(
    command: Sequence[str],
    *,
    variables: Mapping[str, str] | None,
    timeout_s: float,
    limit: int,
    given: bytes = b"",
    folder: Path | None = None,
    with_children: bool = False,
    check: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, with `given` on its standard input, in `folder` or the current one.

    A program that writes more than `limit` bytes to standard output or error is ended; one byte more than the limit is
    in what is returned. With `with_children`, what the program has started itself is ended with it when its time is
    over, and what it leaves running when it ends, which gets five seconds more if it holds the output open.

    `variables` are its environment (None: that of the process). `check` is called a few times a second, and ends the
    program if it raises. Raises what it raises, `subprocess.TimeoutExpired`, `OSError` if the program cannot be
    started.
    """
    process = subprocess.Popen(  # noqa: S603 - no shell; callers say which programs these are
        command,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables,
        cwd=folder,
        start_new_session=with_children and os.name != "nt",
    )
    until_s = time.monotonic() + timeout_s
    try:
        readers = [PipeReader(process, pipe, limit) for pipe in (process.stdout, process.stderr)]
        threading.Thread(target=_give, args=(process, given), daemon=True, name="program").start()
        for reader in readers:
            _await(reader, until_s, check, process if with_children else None)
            has_ended = with_children and process.poll() is not None
            if has_ended:
                _end_group(process)
            elif reader.is_alive():
                raise subprocess.TimeoutExpired(command, timeout_s)
        code = process.wait(max(0.0, until_s - time.monotonic()))
    except BaseException:
        if with_children:
            _end_group(process)
        raise
    finally:
        process.kill()
        process.wait()
    return subprocess.CompletedProcess(command, code, *(reader.content for reader in readers))


def _await(
    reader: PipeReader,
    until_s: float,
    check: Callable[[], None] | None,
    process: subprocess.Popen[bytes] | None = None,
) -> None:
    """Wait until the reader has come to the end, but no longer than `until_s` on the monotonic clock.

    If `process` ends before that, what it has left running gets a moment.
    """
    while reader.is_alive() and (left_s := until_s - time.monotonic()) > 0:
        reader.join(left_s if check is None and process is None else min(left_s, _CHECK_S))
        if check is not None:
            check()
        if process is not None and process.poll() is not None:
            until_s, process = min(until_s, time.monotonic() + _AFTERWARDS_S), None


def _give(process: subprocess.Popen[bytes], given: bytes) -> None:
    """Write to a program's standard input, and close it. A program may also end, or wait, without reading it."""
    with contextlib.suppress(OSError), cast("FileIO", process.stdin) as pipe:
        write_all(pipe, given)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    if os.name != "nt":
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)


class PipeReader(threading.Thread):
    """Reads one pipe of a process to its end, and closes it. A process that writes too much is ended.

    Nothing waits for this thread: a child of the program may hold the pipe open after the program has ended.
    """

    def __init__(self, process: subprocess.Popen[bytes], pipe: IO[bytes] | None, limit: int) -> None:
        super().__init__(daemon=True, name="program")
        self._content = bytearray()
        self._process = process
        self._pipe = cast("FileIO", pipe)  # since the process is unbuffered
        self._limit = limit
        self.start()

    @property
    def content(self) -> bytes:
        """What was read so far, at most one byte more than the limit."""
        return bytes(self._content)

    def run(self) -> None:
        """See `threading.Thread`."""
        with self._pipe:
            while piece := self._pipe.read(min(_PIECE, self._limit + 1 - len(self._content))):
                self._content += piece
            if len(self._content) > self._limit:
                self._process.kill()
