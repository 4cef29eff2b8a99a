"""Progress to several targets on a terminal: lines that stay above, and below them a bar for each target."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from types import TracebackType

from rich.console import Console

from transload.events import Event, HostTroubled, ImageDone, Listener, RunPaused, RunResumed, StepRetried
from transload.report.moving import MovingLines
from transload.report.planned import Totals
from transload.report.pulse import Pulse
from transload.report.result import Result
from transload.report.screen import WIDEST, bar, screen
from transload.report.sentences import Sentences, host_sentence, pause_sentence
from transload.report.several import labelled, labels
from transload.report.styled import Meaning, Styled, folded
from transload.report.summary import verdict
from transload.report.tally import Snapshot, Tally
from transload.report.texts import percent, shortened
from transload.report.theme import rendered
from transload.values import evolve

_PER_SECOND = 8
_FOLDED = 3  # see `terminal.py`
_ROWS = 4  # lines of a target: its name, its bar, and one or two of facts


class SeveralBars:
    """The moving lines of all targets, which are numbered from 0. Bars move while the block is open."""

    def __init__(self, console: Console, names: tuple[str, ...]) -> None:
        self._labels = labels(names)
        self._console = console
        self._tallies: dict[int, Tally] = {}
        self._over: dict[int, tuple[str, Meaning]] = {}
        self._beside: Styled | None = None
        self._lines = MovingLines(
            console.file, lambda: console.size, lambda line: rendered(console, line), moves=console.is_terminal
        )
        self._pulse = Pulse(self._draw, 1 / _PER_SECOND, first_s=0)

    def __enter__(self) -> SeveralBars:
        self._pulse.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pulse.stop()
        self._draw()
        self._lines.leave()

    @contextlib.contextmanager
    def copying(self, number: int, tally: Tally) -> Iterator[Listener]:
        """A listener for the run to this target, which reads `tally`; `tally` must get each event first."""
        self._tallies[number] = tally
        yield TargetLines(self, self._labels[number], tally)

    def plan(self, number: int, totals: Totals) -> None:
        """Show what will be done for this target."""
        label = self._labels[number]
        self.above(labelled(label, totals.lines(max(20, self.width - len(label) - 2))))

    def ended(self, number: int, result: Result) -> None:
        """This target's part is over."""
        self._over[number] = verdict(result)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Hide the bars during the block, for a question to the user."""
        self._pulse.stop()
        self._lines.clear()
        try:
            yield
        finally:
            self._pulse = Pulse(self._draw, 1 / _PER_SECOND, first_s=0)
            self._pulse.start()

    def beside(self, line: Styled | None) -> None:
        """Show what goes on besides copying, below the bars, until it is over."""
        self._beside = line

    def notice(self, text: str) -> None:
        """A line for people that no event contains, such as that the run is being stopped."""
        self.above(folded("", text, self.width))

    def host(self, event: HostTroubled) -> None:
        """A host that does not answer as it should, or that answers again."""
        self.notice(host_sentence(event))

    @property
    def width(self) -> int:
        """The columns of the terminal."""
        return self._console.width

    def above(self, lines: Iterable[Styled]) -> None:
        """Write lines that stay."""
        self._lines.above(lines)

    def _draw(self) -> None:
        width, height = self._console.size
        # One column stays free: some terminals fold a line that fills the last one.
        width = max(10, min(width - 1, WIDEST))
        whole = height // _FOLDED >= 2 + _ROWS * len(self._labels) or height >= 2 + 2 * _ROWS * len(self._labels)
        lines: list[Styled] = []
        for number, label in enumerate(self._labels):
            lines += self._of(number, label, width, whole=whole)
        self._lines.draw([*lines, self._beside] if self._beside else lines)

    def _of(self, number: int, label: str, width: int, *, whole: bool) -> list[Styled]:
        """The lines of one target; only one if it is over, if it has no plan yet, or if there is no room."""
        tally = self._tallies.get(number)
        if number in self._over or tally is None:
            words, meaning = self._over.get(number, ("planning", "faint"))
            return [_one_line(label, words, meaning, width)]
        now = evolve(tally.snapshot(), running=())
        if not whole:
            return [_with_bar(label, now, width)]
        return [Styled.of((shortened(label, width), "strong")), *screen(now, width, str, 0)]


class TargetLines:
    """A listener that writes the lines which stay, each with the target before it."""

    def __init__(self, bars: SeveralBars, label: str, tally: Tally) -> None:
        self._bars = bars
        self._label = label
        self._tally = tally
        self._sentences = Sentences(tally)

    def __call__(self, event: Event) -> None:
        """Print the lines that stay. The bars read the tally by themselves."""
        self._sentences.width = max(20, self._bars.width - len(self._label) - 2)
        match event:
            case ImageDone() if event.tried and (event.error is not None or self._tally.plan.images[event.image].goals):
                self._above(self._sentences.image(event))
            case StepRetried():
                self._above(self._sentences.retry(event, self._tally.label(event.step)))
            case RunPaused() | RunResumed():
                self._above([Styled.of(pause_sentence(event))])

    def _above(self, lines: list[Styled]) -> None:
        if lines:
            self._bars.above(labelled(self._label, lines))


def _one_line(label: str, words: str, meaning: Meaning, width: int) -> Styled:
    name = shortened(label, max(width // 2, 8))
    return Styled.of((name, "strong"), ": ", (shortened(words, max(width - len(name) - 2, 1)), meaning))


def _with_bar(label: str, now: Snapshot, width: int) -> Styled:
    """Name, bar and percentage in one line."""
    part, whole = (now.position, now.total) if now.total else (now.images_done, now.images)
    name, percentage = shortened(label, max(width // 2, 8)), f" {percent(part, whole):>4}"
    full, empty = bar(part, whole, max(width - len(name) - len(percentage) - 1, 1))
    return Styled.of(
        (name, "strong"), " ", (full, "bad" if now.images_failed else "good"), (empty, "faint"), (percentage, "strong")
    )
