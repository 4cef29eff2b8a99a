"""The output of one run: bars on a terminal, plain lines without one, JSON Lines for programs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from transload.app.runid import new_run_id
from transload.app.stores import Listeners
from transload.cli.command import blame_defaults
from transload.cli.console import look_of, moves, paint_on, say, say_folded, show_result, width_of
from transload.cli.forprograms import running_stream
from transload.errors import TransloadError
from transload.report.activity import EventVoice, LogVoice, TerminalVoice, Voice, Working
from transload.report.hostnews import HostNews
from transload.report.lines import LineProgress, QuietProgress
from transload.report.moving import MovingLines, size_of_terminal
from transload.report.planned import planned_lines, planned_totals, share_json
from transload.report.problem import Problem, problem_lines
from transload.report.result import Result
from transload.report.sentences import host_sentence
from transload.report.styled import Styled, folded
from transload.report.summary import nothing_new_line, result_lines
from transload.report.tally import Tally, logged
from transload.report.texts import harmless
from transload.report.trusted import trusted_by_name
from transload.version import __version__

if TYPE_CHECKING:
    from transload.app.recording import Recorded
    from transload.catalog.ruled import Choice
    from transload.cli.following import Targets, TargetsVoice
    from transload.cli.logging import LogFile
    from transload.cli.reports import Reports
    from transload.events import HostTroubled, Listener, Progressed
    from transload.planning import Plan
    from transload.planning.additions import Addition
    from transload.planning.plan import Share
    from transload.report.conclusion import Conclusion
    from transload.report.jsonl import JsonLines, JsonProgress
    from transload.report.several import Results
    from transload.report.terminal import TerminalProgress
    from transload.trust.policy import Verdict

OutputFormat = Literal["text", "json"]
Progress: TypeAlias = "LineProgress | JsonProgress | QuietProgress | TerminalProgress"


class Output:
    """All output of a command, in the chosen form. As a context manager, it writes errors for programs too."""

    def __init__(
        self,
        command: str,
        output: OutputFormat,
        quiet: bool,
        reports: Iterable[Path] = (),
        run_id: str | None = None,
        log: LogFile | None = None,
    ) -> None:
        self.run_id = run_id or new_run_id()
        self.command = command
        self._result: Result | Results | None = None
        self._concluded: Conclusion | None = None
        self._paths = tuple(reports)
        self.reports: Reports | None = None
        self._log = log.log if log else None
        self._mute = bool(log and log.is_standard_error)  # its lines stand for all others there
        self._short = quiet  # for standard output; on standard error the log is instead of all else
        self._quiet = quiet or self._mute
        self._json = _json_lines() if output == "json" else None
        self._progress: Progress | TargetsVoice | None = None
        self._news, self._news_of_log = HostNews(), HostNews()
        self._only_new: tuple[str, ...] = ()
        self._line = MovingLines(sys.stderr, paint=paint_on(sys.stderr), moves=moves())
        self._working = Working(self._voice())

    def _voice(self) -> Voice:
        if self._json:
            return EventVoice(self._json.activity)
        if self._line.moves:
            return TerminalVoice(self._draw, lambda: size_of_terminal(sys.stderr))
        return LogVoice(lambda text: say([text]))

    def _draw(self, line: Styled | None) -> None:
        beside = getattr(self._progress, "beside", None)
        if beside is not None:
            beside(line)
        elif line is None:
            self._line.clear()
        else:
            self._line.draw([line])

    def __enter__(self) -> Output:
        if self._json:
            self._json.hello(self.command, __version__, self.run_id)
            running_stream().begun = True
        if self._log:
            self._log.tell("info", f"transload {__version__} begins {self.command}")
        try:
            self._check_reports()
        except TransloadError as error:
            self._failed(error)
            raise
        return self

    def _check_reports(self) -> None:
        if self._paths:
            from transload.cli.reports import Reports  # few runs write one

            self.reports = Reports(self._paths)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._working.rest()
        if isinstance(error, TransloadError):
            blame_defaults(error)
            if self.reports and self._result is None:
                self.reports.not_begun(error, self.warn)
            self._failed(error)
        if error is None and self._json and self._json.full:
            raise self._json.full

    def _failed(self, error: TransloadError) -> None:
        if self._json:
            self._json.error(Problem.of(error))
            running_stream().ended = True
        if self._log:
            self._log.lines("error", problem_lines(Problem.of(error)))
            running_stream().told = self._mute

    def document(self, event: str, **fields: Any) -> bool:
        """Write the result of a command that is no run, for programs; False if people read the output."""
        self._working.rest()
        if self._json:
            self._json.tell(event, **fields)
        return self._json is not None

    @property
    def conclusion(self) -> Conclusion | None:
        """How the command ended; None if it has no result."""
        from transload.report.conclusion import Conclusion  # few runs ask for it

        return Conclusion.of_result(self._result) if self._result is not None else self._concluded

    @property
    def ended(self) -> Result | Results | None:
        """The result of a run; None if there is none yet."""
        return self._result

    def conclude(self, conclusion: Conclusion) -> None:
        """Keep how a command ended that is no run."""
        self._concluded = conclusion

    def warn(self, text: str) -> None:
        """Write a warning when the result is written already: programs have had their last line."""
        if self._log:
            self._log.tell("warning", text)
        if not self._mute:
            say_folded(f"warning: {text}")

    def only_new(self, *targets: str) -> None:
        """From now on, people read one line about a target that has everything. `targets` are the names of all."""
        self._only_new = targets
        if self._log:
            self._log.only_new = targets

    def _has_all(self, plan: Plan) -> bool:
        """Whether people read only one line of this plan."""
        return bool(self._only_new) and plan.is_done

    def rest(self) -> None:
        """Remove the line that says what goes on, before something else is shown."""
        self._working.rest()

    @property
    def listeners(self) -> Listeners:
        """The listeners for the stores."""
        return Listeners(self.notice, self.working, self.host)

    @property
    def speaks(self) -> bool:
        """Whether the output is for people, also if it is quiet: who signed a bundle is no progress."""
        return self._json is None

    def notice(self, text: str) -> None:
        """Write a sentence for people, above the bars if there are any."""
        if self._log:
            self._log.notice(text)
        if self._mute:
            return
        if self._progress is not None:
            self._progress.notice(text)
        elif self._json:
            self._json.notice(text)
        elif self._line.drawn:
            self._line.above(folded("", text, size_of_terminal(sys.stderr)[0]))
        else:
            say_folded(text)

    def working(self, event: Progressed) -> None:
        """Show what goes on besides copying, if it takes longer."""
        if not self._quiet:
            self._working(event)

    def host(self, event: HostTroubled) -> None:
        """Report a host that does not answer as it should, at any time, also before there is a plan."""
        if self._log and self._news_of_log.is_for_people(event):
            self._log.host(event)
        if self.reports:
            self.reports.host(event)
        if self._json:
            self._json.host(event)
        elif not self._quiet and self._news.is_for_people(event):
            self._working.beside()
            tell = getattr(self._progress, "host", None)
            if tell is not None:
                tell(event)
            else:
                self.notice(host_sentence(event))

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """For a question during a run: hides the bars, if there are any."""
        self._working.rest()
        bars = getattr(self._progress, "paused", contextlib.nullcontext)
        with bars():
            yield

    def whole_plan(
        self,
        plan: Plan,
        notes: Iterable[str],
        choices: Sequence[Choice] = (),
        additions: Sequence[Addition] = (),
        *,
        explained: bool = False,
        of: str | None = None,
        verdicts: Mapping[str, Verdict] | None = None,
    ) -> None:
        """Write a plan as the result of the command; if `explained`, with every tag that rules took or left.

        `of` is the name of the target, if there are several; `verdicts` are what a policy says of images.
        """
        trusted = trusted_by_name(verdicts or {})
        self._working.rest()
        if self._json:
            lines = self._json.of_target(of) if of else self._json
            lines.plan(plan, notes, choices, additions, trusted)
        else:
            planned = planned_lines(
                plan, width_of(sys.stdout), notes, choices, additions, explained=explained, trusted=trusted
            )
            show_result([*planned, ""] if of else planned)

    def no_plan(self, name: str, error: TransloadError) -> None:
        """Write why there is no plan for one of several targets."""
        self._working.rest()
        problem = Problem.of(error)
        if self._json:
            self._json.of_target(name).tell("no-plan", problem=problem.to_json())
        else:
            from transload.report.several import indented

            width = width_of(sys.stdout)
            show_result([f"no plan for {harmless(name)}", *indented(problem_lines(problem, width and width - 2)), ""])

    def read_once(self, once: Share, shares: Sequence[Share]) -> None:
        """Write what the plans for several targets come to."""
        if self._json:
            self._json.tell("plans", read_once=share_json(once), written=[share_json(share) for share in shares])
        elif shares:
            from transload.report.several import read_once_lines

            show_result(read_once_lines(once, shares, width_of(sys.stdout)))

    def totals(
        self,
        plan: Plan,
        notes: Iterable[str],
        choices: Sequence[Choice] = (),
        additions: Sequence[Addition] = (),
        verdicts: Mapping[str, Verdict] | None = None,
    ) -> None:
        """Write the plan's totals before the run."""
        self._working.rest()
        if self._log:
            self._log.plan(plan, planned_totals(plan, None, notes, choices, additions))
        if self._json:
            self._json.plan(plan, notes, choices, additions, trusted_by_name(verdicts or {}))
        elif not self._quiet and not self._has_all(plan):
            say(planned_totals(plan, width_of(sys.stderr), notes, choices, additions))

    def progress(self, tally: Tally) -> AbstractContextManager[Listener]:
        """The listener for a run; a context manager."""
        self._working.rest()
        progress: Progress
        if self._json:
            from transload.report.jsonl import JsonProgress

            progress = JsonProgress(tally, self._json)
        elif self._quiet or self._has_all(tally.plan):
            progress = QuietProgress(sys.stderr)
        elif self._line.moves:
            progress = _bars(tally)
        else:
            progress = LineProgress(tally, sys.stderr)
        self._progress = progress
        shown = logged(progress, None if self._log is None else self._log.progress(tally))
        return logged(shown, self.reports.recorder(tally)) if self.reports else shown

    def following(self, names: tuple[str, ...]) -> Targets:
        """What follows a run to several targets; a context manager."""
        from transload.cli.following import InJson, InLines, InSilence, Targets  # most runs have one target

        self._working.rest()
        if self._json:
            voice: TargetsVoice = InJson(self._json, names)
        elif self._quiet:
            voice = InSilence(sys.stderr)
        elif self._line.moves:
            voice = _all_bars(names)
        else:
            voice = InLines(sys.stderr, names, only_new=bool(self._only_new))
        self._progress = voice
        return Targets(names, voice, self.working, self._working.rest, log=self._log, reports=self.reports)

    def result(self, result: Result | Results) -> None:
        """Write the report files, and last the result: it ends with what to do next."""
        self._working.rest()
        self._progress = None
        self._result = result
        if self._log:
            self._log.result(result)
        try:  # first the files: the reader of standard output may have gone
            if self.reports:
                self.reports.write(result)
            if self._paths and not self._json and not self._quiet:
                say([f"report: {', '.join(map(str, self._paths))}"])
        finally:
            if self._json:
                self._json.result(result)
                running_stream().ended = True
            elif self._only_new and all(single.is_unchanged for single in _each(result)):
                self._nothing_new(result)
            else:
                show_result(result_lines(result, width_of(sys.stdout)))

    def recorded(self, record: Recorded) -> None:
        """Say where the transfer record is, or that there is none. People only: the result has what programs need."""
        self._working.rest()
        if self.reports:
            self.reports.recorded(record.found)
        if record.is_nothing:
            self.warn("no transfer record was written: no image is at the target")
        elif not self._json and not self._quiet:
            if record.path is not None:
                say([f"record: {record.path}"])
            if record.receipt is not None:
                say([f"receipt: {record.receipt}, {record.arrived} of {record.wanted} images arrived"])
            if record.attached is not None:
                had = f", {record.attached.had} had one" if record.attached.had else ""
                say([f"records at the target: {record.attached.new} attached{had}"])

    def _nothing_new(self, result: Result | Results) -> None:
        if not self._short:
            show_result([nothing_new_line(*pair) for pair in zip(_each(result), self._only_new, strict=True)])


def _each(result: Result | Results) -> tuple[Result, ...]:
    return (result,) if isinstance(result, Result) else result.results


def _json_lines() -> JsonLines:
    from transload.report.jsonl import JsonLines  # programs read few runs

    return JsonLines(sys.stdout)


def _all_bars(names: tuple[str, ...]) -> TargetsVoice:
    from transload.report.severalbars import SeveralBars

    return SeveralBars(sys.stderr, names, look_of(sys.stderr))


def _bars(tally: Tally) -> Progress:
    from transload.report.terminal import TerminalProgress

    return TerminalProgress(tally, sys.stderr, look_of(sys.stderr))
