"""The runs that go on or were stopped on this machine, from their notes in the state folder (`app.runid` writes them).

The folder may be shared, so a note is content from outside. Whether a run goes on is known by the lock that its process
holds. What cannot be read is told; it is never taken for nothing.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from transload.app.runid import NOTE_FORMAT, NOTE_NAME, RUNS
from transload.errors import LocksMissing, TransloadError
from transload.files import Folder, free_bytes
from transload.limits import RUN_NOTE_BYTES, RUN_NOTES, SMALL_JSON_VALUES
from transload.report.texts import harmless, instant
from transload.strictjson import NotJson, read_json
from transload.values import field, frozen

State = Literal["going-on", "stopped", "unknown"]
"""`unknown`: the file system has no locks, so nothing proves that the process is still there."""

_NEEDED = 8192  # bytes of a disk: a note, and its name in the folder
_LATEST_S = 253_402_300_799  # the end of the year 9999, the last that dates can show


@frozen(kw_only=True)
class HowFar:
    """How far a run is: images, and bytes of what is to be copied. `noted_s` is when that was said, since 1970.

    `left_s` is the time left, None while it is not known. `paused_until` is the time of the day when it goes on.
    With `share`, these images are those of a share of a plan, which completes none.
    """

    images: int
    images_done: int
    images_failed: int
    bytes: int
    bytes_total: int
    rate_bytes_per_s: int
    left_s: int | None
    paused_until: str | None
    noted_s: float
    share: str | None = None


@frozen(kw_only=True)
class Ended:
    """How a run ended that is not complete, as its process said; `ended_s` in seconds since 1970."""

    ended_s: float
    exit_code: int
    why: str
    hint: str


@frozen(kw_only=True)
class NotedRun:
    """A run that goes on or was stopped. `line` repeats it, in `folder`; `again` is the line that goes on with it.

    `ended` is None for a run that goes on, and for one that could not say how it ended: it was killed, or the machine
    went down; then `seen_s` is when it was last heard of. Times are in seconds since 1970.
    """

    run_id: str
    command: str
    line: str
    folder: str
    host: str
    pid: int
    began_s: float
    state: State
    seen_s: float
    far: HowFar | None = None
    ended: Ended | None = None
    again: str = ""
    keys: frozenset[str] = frozenset()

    def to_json(self) -> dict[str, Any]:
        """One entry of `runs` (docs/formats/json-output.md)."""
        far, ended = self.far, self.ended
        return {
            "run_id": self.run_id,
            "state": self.state,
            "command": self.command,
            "line": self.line,
            "folder": self.folder,
            "host": self.host,
            "pid": self.pid,
            "began": instant(self.began_s),
            "seen": instant(self.seen_s),
            "far": None if far is None else _far_json(far),
            "ended": None if ended is None else _ended_json(ended),
            "again": None if self.state == "going-on" else self.again,
        }


@frozen(kw_only=True)
class Status:
    """All runs that are noted, those that go on first; and what could not be read, each with the reason.

    `more` is how many notes were not looked at, because there are too many.
    """

    runs: tuple[NotedRun, ...] = ()
    troubles: tuple[tuple[str, str], ...] = field(default=())
    more: int = 0

    @property
    def going_on(self) -> tuple[NotedRun, ...]:
        """Those that go on."""
        return tuple(run for run in self.runs if run.state == "going-on")


def noted_runs(state: Path) -> Status:
    """What the notes in a state folder say."""
    folder = Folder(state, (RUNS,))
    try:
        names = sorted(name for name in folder.entries() if NOTE_NAME.fullmatch(name) and name[0] != ".")
    except (OSError, TransloadError) as error:
        return Status(troubles=((str(folder.path), f"cannot be read: {_why(error)}"),))
    runs, troubles = [], _unwritable(state)
    for name in names[-RUN_NOTES:]:
        try:
            run = _read(folder, name)
        except (OSError, TransloadError, NotJson, ValueError) as error:
            troubles.append((str(folder.path / name), f"cannot be read: {_why(error)}"))
            continue
        if run is not None:
            runs.append(run)
    return Status(
        runs=tuple(sorted(_without_repeated(runs), key=_order)),
        troubles=tuple(troubles),
        more=max(0, len(names) - RUN_NOTES),
    )


def _unwritable(state: Path) -> list[tuple[str, str]]:
    """The trouble that runs cannot be noted there, if they cannot."""
    there = next((folder for folder in (state, *state.absolute().parents) if folder.exists()), state)
    if not (there.is_dir() and os.access(there, os.W_OK)):
        return [(str(state), "cannot be written to, so runs are not noted")]
    return [(str(state), "is on a full disk, so runs are not noted")] if free_bytes(there) < _NEEDED else []


def parse_note(raw: bytes, keys: frozenset[str] = frozenset(), *, held: bool | None = False) -> NotedRun:
    """A note. `held`: whether its process holds it; None if that cannot be known. Raises `NotJson` or `ValueError`."""
    first, _, rest = raw.partition(b"\n")
    head, now = _object(first), _object(rest.partition(b"\n")[0] or b"{}")
    if _number(head, "format") != NOTE_FORMAT:
        raise ValueError("it was written by a newer version of transload")
    began_s = _moment(head, "began_s")
    far = None if now.get("images") is None else _far(now)
    ended = None if held or now.get("ended_s") is None else _ended(now)
    seen_s = ended.ended_s if ended else far.noted_s if far else began_s
    line = _command(_text(head, "line"))
    return NotedRun(
        run_id=_text(head, "run_id"),
        command=_text(head, "command"),
        line=line,
        folder=_text(head, "folder"),
        host=_text(head, "host"),
        pid=_number(head, "pid"),
        began_s=began_s,
        state="going-on" if held else "stopped" if held is not None or ended else "unknown",
        seen_s=seen_s,
        far=far,
        ended=ended,
        again=_command(_text(now, "again", "") or line),
        keys=keys,
    )


def _read(folder: Folder, name: str) -> NotedRun | None:
    """What a note says; None if its run took it away meanwhile."""
    keys = frozenset(name.split(".")[1:-1])
    try:
        held: bool | None = folder.is_locked(name)
    except FileNotFoundError:
        return None
    except LocksMissing:
        held = None
    try:
        raw = folder.read(name, RUN_NOTE_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(raw) > RUN_NOTE_BYTES:
        raise ValueError("it is larger than any note of transload")
    try:
        return parse_note(raw, keys, held=held)
    except NotJson:
        # the second line is said anew at this moment
        return parse_note(folder.read(name, RUN_NOTE_BYTES), keys, held=held)


def _without_repeated(runs: list[NotedRun]) -> list[NotedRun]:
    """Without stopped runs with which a run goes on already."""
    busy = frozenset(key for run in runs if run.state == "going-on" for key in run.keys)
    return [run for run in runs if run.state == "going-on" or not busy & run.keys]


def _order(run: NotedRun) -> tuple[bool, float]:
    return (run.state != "going-on", -run.began_s)


def _far(now: Mapping[str, Any]) -> HowFar:
    return HowFar(
        images=_number(now, "images"),
        images_done=_number(now, "images_done"),
        images_failed=_number(now, "images_failed"),
        bytes=_number(now, "bytes"),
        bytes_total=_number(now, "bytes_total"),
        rate_bytes_per_s=_number(now, "rate_bytes_per_s"),
        left_s=None if now.get("left_s") is None else _number(now, "left_s"),
        paused_until=_text(now, "paused_until", "") or None,
        noted_s=_moment(now, "noted_s"),
        share=_text(now, "share", "") or None,
    )


def _ended(now: Mapping[str, Any]) -> Ended:
    return Ended(
        ended_s=_moment(now, "ended_s"),
        exit_code=_number(now, "exit_code"),
        why=_text(now, "why"),
        hint=_text(now, "hint", ""),
    )


def _object(line: bytes) -> dict[str, Any]:
    document = read_json(line, limit=RUN_NOTE_BYTES, values=SMALL_JSON_VALUES)
    if not isinstance(document, dict):
        raise ValueError(_NO_NOTE)
    return document


_NO_NOTE = "it is no note of transload, or it was cut short"


def _command(line: str) -> str:
    """A line that somebody may type: the words of one command of ours, and nothing that a shell does besides."""
    if not line.startswith("transload ") or harmless(line) != line:
        raise ValueError(_NO_NOTE)
    if os.name != "nt" and shlex.join(shlex.split(line)) != line:
        raise ValueError(_NO_NOTE)
    return line


def _text(document: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = document.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise ValueError(_NO_NOTE)
    return value


def _number(document: Mapping[str, Any], key: str) -> int:
    value = document.get(key)
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(_NO_NOTE)
    return value


def _moment(document: Mapping[str, Any], key: str) -> float:
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST_S:
        raise ValueError(_NO_NOTE)
    return float(value)


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return _NO_NOTE if isinstance(error, NotJson) else str(error)


def _far_json(far: HowFar) -> dict[str, Any]:
    return {
        "images": far.images,
        "images_done": far.images_done,
        "images_failed": far.images_failed,
        "bytes": far.bytes,
        "bytes_total": far.bytes_total,
        "rate_bytes_per_s": far.rate_bytes_per_s,
        "left_s": far.left_s,
        "paused_until": far.paused_until,
        "noted": instant(far.noted_s),
        **({"share": far.share} if far.share else {}),
    }


def _ended_json(ended: Ended) -> dict[str, Any]:
    return {
        "at": instant(ended.ended_s),
        "exit_code": ended.exit_code,
        "why": ended.why,
        "hint": ended.hint or None,
    }
