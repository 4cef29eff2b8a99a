"""Keeps a second run of the same command out while the first one works, as when cron starts it before it is done."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from io import FileIO
from pathlib import Path

from transload.clock import SYSTEM_CLOCK
from transload.errors import AlreadyRunning, Busy, LocalError, LocksMissing, TransloadError
from transload.files import Folder, read_up_to, write_all
from transload.limits import SMALL_JSON_BYTES, SMALL_JSON_VALUES
from transload.locks import claimed
from transload.report.texts import instant
from transload.strictjson import read_json

_NAME_DIGITS = 32


@contextlib.contextmanager
def only_one(state: Path | None, words: Iterable[str]) -> Iterator[None]:
    """Hold the lock of the command with these `words` for the block. The system frees it when the process dies.

    Does nothing where the lock cannot be kept: for a user without a state folder, or one that cannot be written to.
    Two runs at a time then copy some content twice, and harm nothing. Raises `AlreadyRunning`, which names the other
    process.
    """
    folder = _folder(state)
    if folder is None:
        yield
        return
    name = f"{hashlib.sha256(json.dumps([*words]).encode()).hexdigest()[:_NAME_DIGITS]}.lock"
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(claimed(folder, name))
            _note(file)
        except Busy as error:
            raise _running(folder, name) from error
        except (LocksMissing, LocalError, OSError):
            pass
        yield


def _folder(state: Path | None) -> Folder | None:
    if state is None:
        return None
    try:
        state.mkdir(parents=True, exist_ok=True)
        folder = Folder(state, ("running",))
        folder.make()
    except (OSError, TransloadError):
        return None
    return folder


def _note(file: FileIO) -> None:
    """Write who holds the lock, for the message of the second run."""
    file.truncate(0)
    write_all(file, json.dumps({"pid": os.getpid(), "since": SYSTEM_CLOCK.wall_s()}).encode())


def _running(folder: Folder, name: str) -> AlreadyRunning:
    """The error, with the process that holds the lock if it can be read (another user's or Windows' cannot)."""
    who = ""
    with contextlib.suppress(OSError, OverflowError, TransloadError, ValueError), folder.open(name, "r") as file:
        noted = read_json(read_up_to(file, SMALL_JSON_BYTES), limit=SMALL_JSON_BYTES, values=SMALL_JSON_VALUES)
        if isinstance(noted, dict) and type(noted.get("pid")) is int and isinstance(noted.get("since"), int | float):
            who = f": process {noted['pid']}, since {instant(noted['since'])}"
    return AlreadyRunning(
        f"the same command is running already{who}",
        hint="it will copy what is new; if it hangs, end it: nothing that has arrived is lost",
    )
