"""Log lines of a run, for files and collectors: each with its time, how serious it is, and the name of the run.

Text: `2026-11-27T02:03:01.250Z info run=NAME sentence`. JSON: one object a line, with `time`, `level`, `run_id`,
`command`, `message` and, for an image, `image` and `target`. Both are docs/formats/log.md.
"""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, TextIO

from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import LocalError, OutOfBytes
from transload.events import Event, HostTroubled, ImageDone, Listener, RunPaused, RunResumed, StepRetried
from transload.files import check_kind, local_errors
from transload.planning import Plan
from transload.report.lookalike import writable
from transload.report.result import Result, exit_code
from transload.report.sentences import Sentences, host_sentence, pause_sentence
from transload.report.several import Results
from transload.report.styled import Styled
from transload.report.summary import nothing_new_line, summary_lines
from transload.report.tally import Tally
from transload.report.texts import harmless_json, instant, one_line

LogFormat = Literal["text", "json"]
Level = Literal["info", "warning", "error"]
Write = Callable[[str], None]

_PRIORITY = {"info": 6, "warning": 4, "error": 3}  # as sd-daemon(3) has them


def file_writer(path: Path) -> Write:
    """What appends to a file, and opens it each time, so that it may be moved away at any moment.

    Raises `LocalError` if it is no file, or cannot be written to.
    """
    check_kind(path, stat.S_ISREG)
    folder = path.absolute().parent
    if not folder.is_dir():
        raise LocalError(f"there is no folder {folder}", subject=str(path), hint="make the folder first")
    with local_errors("writing", path):
        path.open("a").close()

    def write(text: str) -> None:
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(text)

    return write


def stream_writer(stream: TextIO) -> Write:
    """What writes to an open stream."""

    def write(text: str) -> None:
        stream.write(writable(text, stream))
        stream.flush()

    return write


class Log:
    """Writes what happens in a run, one line for each. Safe for threads. What cannot be written is lost: a run goes on.

    `only_new` are the names of the targets, if one line is enough for one that has everything. With `in_journal` text
    has no time, which the journal has already, but a priority that it understands.
    """

    def __init__(
        self,
        write: Write,
        form: LogFormat,
        *,
        command: str,
        run_id: str,
        in_journal: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.only_new: tuple[str, ...] = ()
        self._write = write
        self._form = form
        self._command = command
        self._run_id = run_id
        self._in_journal = in_journal
        self._clock = clock
        self._lock = threading.RLock()  # reentrant, since a signal handler may write while the main thread does

    def tell(self, level: Level, text: str, **fields: Any) -> None:
        """One line. Texts from outside become harmless."""
        message = one_line(text)
        if not message:
            return
        line = self._as_json(level, message, fields) if self._form == "json" else self._as_text(level, message)
        with self._lock:
            try:
                self._write(f"{line}\n")
            except (OSError, ValueError, RuntimeError, LocalError):  # a full disk, a reader that has gone
                return

    def lines(self, level: Level, lines: Iterable[Styled | str], **fields: Any) -> None:
        """Several sentences, a line for each."""
        for line in lines:
            self.tell(level, str(line), **fields)

    def notice(self, text: str) -> None:
        """A sentence that says itself whether it is a warning."""
        warning = text.startswith("warning: ")
        self.tell("warning" if warning else "info", text.removeprefix("warning: "))

    def host(self, event: HostTroubled) -> None:
        """A host that does not answer as it should, or answers again."""
        self.tell("info" if event.state == "back" else "warning", host_sentence(event), host=event.host)

    def progress(self, tally: Tally, target: str | None = None) -> Listener:
        """A listener that reads `tally`, which must get each event first."""
        return (lambda _: None) if self._has_all(tally.plan) else _Progress(self, tally, target or tally.plan.target)

    def plan(self, plan: Plan, lines: Iterable[Styled | str], target: str | None = None) -> None:
        """What will be done, in the lines that people read."""
        if not self._has_all(plan):
            self.lines("info", lines, target=target or plan.target)

    def result(self, result: Result | Results) -> None:
        """How a run ended: what people read of it, a line for each of theirs."""
        if isinstance(result, Results):
            for name, single in zip(result.targets, result.results, strict=True):
                self._result(single, name)
        else:
            self._result(result, self.only_new[0] if self.only_new else result.target)

    def _result(self, result: Result, target: str) -> None:
        if self.only_new and result.is_unchanged:
            self.tell("info", str(nothing_new_line(result, target)), target=target)
        else:
            self.lines(_level(exit_code(result)), summary_lines(result), target=target)

    def _has_all(self, plan: Plan) -> bool:
        return bool(self.only_new) and plan.is_done

    def _as_text(self, level: Level, message: str) -> str:
        if self._in_journal:
            return f"<{_PRIORITY[level]}>run={self._run_id} {message}"
        return f"{instant(self._clock.wall_s())} {level} run={self._run_id} {message}"

    def _as_json(self, level: Level, message: str, fields: dict[str, Any]) -> str:
        document = {
            "time": instant(self._clock.wall_s()),
            "level": level,
            "run_id": self._run_id,
            "command": self._command,
            "message": message,
            **fields,
        }
        return json.dumps(harmless_json(document), separators=(",", ":"))


def _level(code: int) -> Level:
    return "info" if code == 0 else "warning" if code == OutOfBytes.exit_code else "error"


class _Progress:
    """Writes how images end, what is tried again, and when a run waits for its hours."""

    def __init__(self, log: Log, tally: Tally, target: str) -> None:
        self._log = log
        self._tally = tally
        self._target = target
        self._sentences = Sentences(tally)

    def __call__(self, event: Event) -> None:
        log, sentences = self._log, self._sentences
        match event:
            case ImageDone() if event.tried:
                image = self._tally.plan.images[event.image]
                level: Level = "error" if event.error is not None and not image.excused else "info"
                log.lines(level, sentences.image(event), image=image.label, target=self._target)
            case StepRetried():
                log.lines("warning", sentences.retry(event, self._tally.label(event.step)), target=self._target)
            case RunPaused() | RunResumed():
                log.tell("info", pause_sentence(event))
