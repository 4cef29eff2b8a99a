"""The report files of a command: checked before it begins, fed while it runs, written when it has a result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os.path import realpath  # Path.resolve raises errors for links in a circle
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transload.errors import TransloadError, UsageError
from transload.planning.plan import Share
from transload.report.insight import Insight
from transload.report.recorder import Recorder
from transload.report.reportfile import check_report_path, write_reports
from transload.report.result import Result
from transload.report.several import Results
from transload.values import evolve

if TYPE_CHECKING:
    from transload.app.location import Location
    from transload.app.outcome import StartTime
    from transload.app.stores import Stores
    from transload.events import HostTroubled
    from transload.report.foundrecord import FoundRecord
    from transload.report.tally import Tally


class Reports:
    """The files at `paths`. Raises what `check_report_path` raises."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        for path in paths:
            check_report_path(path)
        _check_named_once(paths)
        self._paths = paths
        self._stores: Stores | None = None
        self._record: FoundRecord | None = None
        self._recorders: dict[int, Recorder] = {}
        self._begun: tuple[StartTime, tuple[Location, ...]] | None = None

    def begins(self, began: StartTime, targets: tuple[Location, ...]) -> None:
        """The run to `targets` begins."""
        self._begun = (began, targets)

    def watch(self, stores: Stores) -> None:
        """From now on, these stores are read."""
        self._stores = stores

    def recorder(self, tally: Tally, number: int = 0) -> Recorder:
        """What follows the run to target `number`; it hears each event after the tally."""
        sources = tally.plan.sources

        def received() -> int:
            network = self._stores.used_network if self._stores else None
            return sum(network.traffic.host(source).bytes_received for source in sources) if network else 0

        made = self._recorders[number] = Recorder(tally, received)
        return made

    def host(self, event: HostTroubled) -> None:
        """What happened at a host."""
        for recorder in list(self._recorders.values()):
            recorder.host(event)

    def recorded(self, found: FoundRecord | None) -> None:
        """What the transfer record of the run says."""
        self._record = found

    def write(self, result: Result | Results) -> None:
        """Write all of them; raises what `write_reports` raises."""
        write_reports(self._whole(result), self._paths)

    def not_begun(self, error: TransloadError, warn: Callable[[str], None]) -> None:
        """Write what ended the run before it had a result: what is there may be of an older run, which was complete.

        Nothing is written if no run had begun: then a command line was wrong.
        """
        if self._begun is None:
            return
        from transload.app.outcome import not_begun  # few runs end like this

        began, targets = self._begun
        results = tuple(not_begun(error, began, (), target.locator) for target in targets)
        several = Results(targets=tuple(map(str, targets)), results=results, read_again=Share())
        try:
            write_reports(results[0] if len(results) == 1 else several, self._paths)
        except TransloadError as unwritten:
            warn(f"no report was written: {unwritten.message}")

    def _whole(self, result: Result | Results) -> Result | Results:
        if isinstance(result, Result):
            return self._with_insight(result, 0)
        return evolve(result, results=tuple(map(self._with_insight, result.results, range(len(result.results)))))

    def _with_insight(self, result: Result, number: int) -> Result:
        recorder = self._recorders.get(number)
        insight = recorder.insight() if recorder else Insight()
        if len(insight.images) != len(result.images):
            return result
        return evolve(result, insight=evolve(insight, record=self._record))


def _check_named_once(paths: tuple[Path, ...]) -> None:
    """Raise `UsageError` if a report would replace another file of the command line, such as the plan or the record."""
    context = click.get_current_context(silent=True)
    reports = set(map(realpath, paths))
    for parameter in context.command.params if context else ():
        for path in () if parameter.name == "report" else _files(context, parameter):
            if realpath(path) in reports:
                option = isinstance(parameter, click.Option)
                twice = f"{parameter.opts[-1]} and --report name one file, {path}"
                raise UsageError(
                    twice if option else f"{path} is read, and the report would replace it",
                    subject=str(path),
                    hint="name another file for the report",
                )


def _files(context: click.Context | None, parameter: click.Parameter) -> Iterator[Path]:
    """What may be names of files in the value of an option or argument."""
    value = context.params.get(parameter.name or "") if context else None
    for text in value if isinstance(value, tuple) else (value,):
        if isinstance(text, str | Path) and "\0" not in str(text):
            yield Path(text)
