"""What is shown of a run to several targets: each line says which target it is about."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TextIO

from transload.app.halfway import kept_half
from transload.app.mirror import Prepared
from transload.app.several import Ended
from transload.cli.forprograms import running_stream
from transload.events import ActivityListener, Listener, Progressed
from transload.report.jsonl import JsonLines, JsonProgress
from transload.report.lines import LineProgress, LineStream, QuietProgress
from transload.report.planned import Totals
from transload.report.result import Result
from transload.report.several import labelled, labels
from transload.report.styled import Styled, folded
from transload.report.summary import verdict
from transload.report.tally import Tally, logged, together
from transload.report.texts import one_line

if TYPE_CHECKING:
    from transload.cli.reports import Reports
    from transload.report.log import Log


class TargetsVoice(Protocol):
    """A form of output for several targets, which are numbered from 0. Safe for threads."""

    def __enter__(self) -> TargetsVoice: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def waiting(self, number: int, giver: int) -> None:
        """It waits for the target that feeds it."""
        ...

    def plan(self, number: int, totals: Totals) -> None:
        """Show what will be done for this target."""
        ...

    def copying(self, number: int, tally: Tally) -> AbstractContextManager[Listener]:
        """A listener for the run to this target."""
        ...

    def ended(self, number: int, result: Result) -> None:
        """This target's part is over."""
        ...

    def notice(self, text: str) -> None:
        """A sentence for people."""
        ...


class Targets:
    """Follows a run to several targets; see `transload.app.several.Following`.

    `working` shows what goes on besides copying, for one target at a time, and `rest` that it is over.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        voice: TargetsVoice,
        working: ActivityListener,
        rest: Callable[[], None],
        log: Log | None = None,
        reports: Reports | None = None,
    ) -> None:
        self._names = names
        self._log = log
        self._noted = running_stream().note  # the threads of the targets have no stream
        self._reports = reports
        self._voice = voice
        self._working = working
        self._rest = rest
        self._planning = set(range(len(names)))
        self._heard: dict[int, Progressed] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Targets:
        self._voice.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rest()
        self._voice.__exit__(kind, error, trace)

    def working(self, number: int) -> ActivityListener:
        """What goes on for the first target that has no plan yet."""

        def listen(event: Progressed) -> None:
            self._heard[number] = event
            if number == min(self._planning, default=number):
                self._working(event)

        return listen

    def waiting(self, number: int, giver: int) -> None:
        """It waits for the target that feeds it, and nothing is asked for it yet."""
        self._is_planned(number)
        self._voice.waiting(number, giver)

    def planned(self, number: int, prepared: Prepared) -> None:
        """Show the plan's totals."""
        self._is_planned(number)
        totals = Totals(prepared.plan, prepared.notes, prepared.choices, prepared.additions)
        if self._log:
            self._log.plan(prepared.plan, totals.lines(None), self._names[number])
        self._voice.plan(number, totals)

    def copying(self, number: int, tally: Tally) -> AbstractContextManager[Listener]:
        """See `Following`."""
        log = None if self._log is None else self._log.progress(tally, self._names[number])
        if self._noted is not None:
            note = self._noted[0].following(tally)
            log = note if log is None else together(note, log)
        shown = logged(self._voice.copying(number, tally), log)
        return logged(shown, self._reports.recorder(tally, number)) if self._reports else shown

    def ended(self, number: int, ended: Ended) -> None:
        """Say how it ended, and what a stopped run left half-way."""
        self._is_planned(number)
        prepared, outcome = ended.prepared, ended.outcome
        if prepared is not None and outcome is not None and (outcome.interrupted or outcome.out_of_bytes):
            noted = prepared.journal.is_kept
            half = kept_half(outcome.underway, prepared.location, prepared.target, noted=noted)
            if half is not None:
                self._voice.notice(f"{self._names[number]}: {half}")
        self._voice.ended(number, ended.result)

    def _is_planned(self, number: int) -> None:
        with self._lock:
            self._planning = self._planning - {number}
            heard = self._heard.get(min(self._planning, default=number))
            if not self._planning:
                self._rest()
            elif heard is not None:  # what is shown was about the target that is planned now
                self._working(heard)


class InJson:
    """For programs: the events of one target have its name in `target`."""

    def __init__(self, lines: JsonLines, names: tuple[str, ...]) -> None:
        self._lines = lines
        self._of = tuple(map(lines.of_target, names))

    def __enter__(self) -> InJson:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to stop."""

    def waiting(self, number: int, giver: int) -> None:
        """The result has it."""

    def plan(self, number: int, totals: Totals) -> None:
        """See `TargetsVoice`."""
        self._of[number].plan(totals.plan, totals.notes, totals.choices, totals.additions)

    def copying(self, number: int, tally: Tally) -> AbstractContextManager[Listener]:
        """See `TargetsVoice`."""
        return JsonProgress(tally, self._of[number])

    def ended(self, number: int, result: Result) -> None:
        """The result has it."""

    def notice(self, text: str) -> None:
        """See `TargetsVoice`."""
        self._lines.notice(text)


class InSilence:
    """Only what must be said."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines = LineStream(stream)

    def __enter__(self) -> InSilence:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to stop."""

    def waiting(self, number: int, giver: int) -> None:
        """Not shown."""

    def plan(self, number: int, totals: Totals) -> None:
        """Not shown."""

    def copying(self, number: int, tally: Tally) -> AbstractContextManager[Listener]:  # noqa: ARG002 - see the protocol
        """See `TargetsVoice`."""
        return QuietProgress(self._stream)

    def ended(self, number: int, result: Result) -> None:
        """The result has it."""

    def notice(self, text: str) -> None:
        """See `TargetsVoice`."""
        self._lines.write(folded("", text, self._lines.width))


class InLines(InSilence):
    """Plain lines, each with its target before it. With `only_new`, none for a target that has everything."""

    def __init__(self, stream: TextIO, names: tuple[str, ...], *, only_new: bool = False) -> None:
        super().__init__(stream)
        self._only_new = only_new
        self._labels = labels(names)

    def waiting(self, number: int, giver: int) -> None:
        """See `TargetsVoice`."""
        if not self._only_new:
            self._lines.write([Styled.of(f"{self._labels[number]}: ", (f"waits for {self._labels[giver]}", "faint"))])

    def plan(self, number: int, totals: Totals) -> None:
        """See `TargetsVoice`."""
        if not (self._only_new and totals.plan.is_done):
            self._lines.write(labelled(self._labels[number], totals.lines(None)))

    @contextlib.contextmanager
    def copying(self, number: int, tally: Tally) -> Iterator[Listener]:
        """See `TargetsVoice`."""
        label = self._labels[number]
        quiet = self._only_new and tally.plan.is_done
        with QuietProgress(self._stream) if quiet else LineProgress(tally, self._stream, label=label) as progress:
            yield progress

    def ended(self, number: int, result: Result) -> None:
        """See `TargetsVoice`."""
        if self._only_new and result.is_unchanged:
            return
        words, meaning = verdict(result)
        why = f": {one_line(result.problem.message)}" if result.problem else ""
        self._lines.write([Styled.of(f"{self._labels[number]}: ", (words, meaning), why)])
