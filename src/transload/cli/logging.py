"""Where the log lines of a run go: to a file, or to standard error in place of all else there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from transload.app.settings import read_environment
from transload.cli.flags import RunFlags
from transload.report.log import Log, file_writer, stream_writer
from transload.values import frozen

STANDARD_ERROR = Path("-")


@frozen
class LogFile:
    """A log, and whether it is what standard error gets."""

    log: Log
    is_standard_error: bool


def open_log(command: str, run_id: str, run: RunFlags) -> LogFile | None:
    """The log that the flags ask for. Raises `LocalError` for a file that cannot be written to."""
    if run.log_file is None:
        return None
    here = run.log_file == STANDARD_ERROR
    write = stream_writer(sys.stderr) if here else file_writer(run.log_file)
    log = Log(write, run.log_format, command=command, run_id=run_id, in_journal=here and _is_in_journal())
    return LogFile(log, here)


def _is_in_journal() -> bool:
    """Whether standard error is a stream of systemd's journal (systemd.exec(5), JOURNAL_STREAM)."""
    named = read_environment().journal_stream
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{status.st_dev}:{status.st_ino}"
