"""The name of a run, by which its output, reports and notifications are found again; and the note that it goes on.

The note is a file in the state folder, for `transload status` (`app.runs` reads it). Its process holds it locked, and
the lock says that the run goes on: the number of a process may be that of another one by now. The first line says what
was called, and never changes. The second has a fixed room for how far the run is, and at last for how it ended, so that
a full disk does not prevent it. A run that is complete takes its note away.

Invariant: a note is a help. Where it cannot be kept, the run goes on without it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import LocksMissing, TransloadError, UsageError
from transload.expressions import late
from transload.files import Folder, lock, write_all
from transload.limits import RUN_NOTE_BYTES, RUN_NOTES_KEPT
from transload.report.texts import harmless

if TYPE_CHECKING:
    from transload.events import Event, Listener
    from transload.report.tally import Tally

_FORM = late(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,127}")

RUNS = "runs"
"""The folder of the notes, in the state folder."""

NOTE_FORMAT = 1
NOTE_NAME = late(r"\.?[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}(?:\.[0-9a-f]{16}){1,4}\.jsonl")
"""Notes have such names: when the run began, and a key of each command that goes on with it. Half made ones have a dot
before it."""

_KEYS = 4
_KEY_DIGITS = 16
_ROOM = 2048  # bytes of the second line, with its end
_EVERY_S = 2.0
_PRIVATE = 0o600  # what is copied from where is nobody else's business


def new_run_id() -> str:
    """A name that sorts by time, such as `20261127T020301Z-4f2a9c`: the second when it was made, and 24 random bits."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(SYSTEM_CLOCK.wall_s()))
    return f"{moment}-{os.urandom(3).hex()}"


def checked_run_id(given: str | None) -> str:
    """The name that was `given`, or a new one. Raises `UsageError` for a text that could be taken for something else.

    It stands in lines of logs, labels of metrics and names of files. Raises `TypeError` for what is no text.
    """
    if given is None:
        return new_run_id()
    if not isinstance(given, str):
        raise TypeError(f"run_id must be str, not {type(given).__name__}")
    if not _FORM.fullmatch(given):
        raise UsageError(
            f"{given[:140]!r} cannot be the name of a run",
            hint="take up to 128 letters, digits and . _ : + - after a letter or digit, or leave it out: one is made",
        )
    return given


def note_run(state: Path | None, command: str, line: str, run_id: str, clock: Clock = SYSTEM_CLOCK) -> RunNote | None:
    """Note that the run which `line` repeats begins now. None where nothing can be noted.

    `line` has no secrets in it; names and passwords in addresses are taken out all the same.
    """
    if state is None:
        return None
    folder, where = Folder(state, (RUNS,)), _current_folder()
    line = _told(line)
    name = f"{new_run_id()}.{_key(line, where)}.jsonl"
    head: dict[str, Any] = {"format": NOTE_FORMAT, "run_id": run_id, "command": command, "line": line, "folder": where}
    head |= {"host": socket.gethostname(), "pid": os.getpid(), "began_s": round(clock.wall_s(), 3)}
    try:
        try:
            file = folder.open(f".{name}", "x+", _PRIVATE)
        except FileNotFoundError:
            state.mkdir(parents=True, exist_ok=True)
            folder.make()
            file = folder.open(f".{name}", "x+", _PRIVATE)
    except (OSError, TransloadError):
        return None
    try:
        with contextlib.suppress(LocksMissing):
            lock(file, folder.path / name)
            head["locked"] = True
        first = json.dumps(head).encode() + b"\n"
        if len(first) > RUN_NOTE_BYTES - _ROOM:
            raise OSError
        write_all(file, first + _padded({}))
        folder.move(f".{name}", folder, name)  # whole and locked before anybody sees it
    except (OSError, TransloadError):
        file.close()
        with contextlib.suppress(OSError, TransloadError):
            folder.unlink(f".{name}")
        return None
    return RunNote(folder, name, file, room_at=len(first), clock=clock)


class RunNote:
    """The note of a run that goes on; see the module. `room_at` is where its second line begins."""

    def __init__(self, folder: Folder, name: str, file: FileIO, *, room_at: int, clock: Clock) -> None:
        self._folder = folder
        self._name = name
        self._file = file
        self._room_at = room_at
        self._clock = clock
        self._tallies: list[Tally] = []
        self._waits_until: str | None = None
        self._due_s = clock.monotonic_s()  # the first event says how much there is to do, also if nothing follows
        self._lock = threading.Lock()  # the runs to several targets tell from a thread each

    def following(self, tally: Tally) -> Listener:
        """A listener that notes, every few seconds, how far the run of `tally` is: one run for each target."""

        def listen(_: Event) -> None:
            if self._clock.monotonic_s() >= self._due_s:
                self._tell()

        self._tallies.append(tally)
        return listen

    def waits(self, until: str | None) -> None:
        """Before it begins, the run waits for its hours, until this time of the day; None: no longer."""
        self._waits_until = until
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            self._due_s = self._clock.monotonic_s() + _EVERY_S
            self._write(self._far())

    def _far(self) -> dict[str, Any]:
        now = [tally.snapshot() for tally in self._tallies]
        if not now and self._waits_until is None:
            return {}
        lefts = [one.left_s for one in now if one.left_s is not None]
        return {
            "noted_s": round(self._clock.wall_s(), 3),
            "images": sum(one.images for one in now),
            "images_done": sum(one.images_done for one in now),
            "images_failed": sum(one.images_failed for one in now),
            "bytes": sum(one.position for one in now),
            "bytes_total": sum(one.total for one in now),
            "rate_bytes_per_s": round(sum(one.rate_bytes_per_s for one in now)),
            "left_s": round(max(lefts)) if lefts else None,
            **next(({"share": str(tally.plan.share)} for tally in self._tallies if tally.plan.share), {}),
            "paused_until": next((one.paused_until for one in now if one.paused_until), self._waits_until),
        }

    def complete(self) -> None:
        """The run is complete, or there is nothing to go on with: take its note away, and those that it makes good."""
        with contextlib.suppress(OSError, TransloadError), self._folder.held() as folder:
            folder.unlink(self._name)
            self._made_good(folder, _keys_of(self._name))
        self._file.close()

    def stopped(self, exit_code: int, why: str, hint: str = "", again: str = "") -> None:
        """The run ended before it was complete, because of `why`; `again` is the command that does the rest."""
        ended = {"ended_s": round(self._clock.wall_s(), 3), "exit_code": exit_code, "why": why[:500]}
        told = {**self._far(), **ended, "hint": hint[:300]}
        again = _told(again)
        with self._lock:
            any(map(self._write, ({**told, "again": again}, told, ended)))
        with contextlib.suppress(OSError, TransloadError), self._folder.held() as folder:
            keys = [*_keys_of(self._name), *([_key(again, _current_folder())] if again else [])]
            keys = [*dict.fromkeys([*keys, *self._made_good(folder, keys)])][:_KEYS]
            folder.move(self._name, folder, ".".join([*self._name.split(".")[:1], *keys, "jsonl"]))
            _forget_oldest(folder)
        self._file.close()

    def _write(self, document: dict[str, Any]) -> bool:
        """Say how it stands; False if there is no room."""
        try:
            self._file.seek(self._room_at)
            write_all(self._file, _padded(document))
        except OSError:
            return False
        return True

    def _made_good(self, folder: Folder, keys: Iterable[str]) -> list[str]:
        """Take away the notes of stopped runs that one of these commands goes on with. Returns all their keys."""
        wanted, found = set(keys), []
        for name in folder.entries():
            if name != self._name and NOTE_NAME.fullmatch(name) and wanted & set(_keys_of(name)):
                found += _keys_of(name) if _taken_away(folder, name) else []
        return found


def _taken_away(folder: Folder, name: str) -> bool:
    """Delete a note, unless its run goes on."""
    with contextlib.suppress(OSError, TransloadError):
        if not folder.is_locked(name):
            folder.unlink(name)
            return True
    return False


def _forget_oldest(folder: Folder) -> None:
    names = sorted(name for name in folder.entries() if NOTE_NAME.fullmatch(name))
    for name in names[:-RUN_NOTES_KEPT]:
        _taken_away(folder, name)


def _padded(document: dict[str, Any]) -> bytes:
    """The second line, which always takes the same room. Raises `OSError` if it does not fit."""
    text = json.dumps(document).encode()
    if len(text) >= _ROOM:
        raise OSError
    return text.ljust(_ROOM - 1) + b"\n"


def _told(line: str) -> str:
    """`line` without names and passwords in addresses, and still the words of one command."""
    told = harmless(line)
    if told == line or os.name == "nt":
        return told
    import shlex  # few lines have them

    return shlex.join(harmless(word) for word in shlex.split(line))


def _keys_of(name: str) -> list[str]:
    return name.split(".")[1 if name[0] != "." else 2 : -1]


def _key(line: str, folder: str) -> str:
    """What two calls of the same command have in common: paths in it may be relative to the folder."""
    return hashlib.sha256(f"{folder}\0{line}".encode()).hexdigest()[:_KEY_DIGITS]


def _current_folder(getcwd: Callable[[], str] = os.getcwd) -> str:
    try:
        return getcwd()
    except OSError:  # it was deleted
        return ""
