"""Progress to several targets on a terminal: lines that stay above, and below them a bar for each target."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import IO

from transload.events import Event, ImageDone, Listener, RunPaused, RunResumed, StepRetried
from transload.report.bars import FOLDED, Bars
from transload.report.moving import Size
from transload.report.planned import Totals
from transload.report.result import Result
from transload.report.screen import WIDEST, bar, screen
from transload.report.sentences import Sentences, pause_sentence
from transload.report.several import indented, labelled, labels
from transload.report.styled import Meaning, Styled
from transload.report.summary import verdict
from transload.report.tally import Snapshot, Tally
from transload.report.texts import count, percent, shortened
from transload.report.theme import PLAIN, Look
from transload.values import evolve

_BESIDE = 2  # rows for what else goes on
_ROWS = 4  # lines of a target: its name, its bar, and one or two of facts


class SeveralBars(Bars):
    """The moving lines of all targets, which are numbered from 0. Bars move while the block is open."""

    def __init__(
        self, stream: IO[str], names: tuple[str, ...], look: Look = PLAIN, *, size: Size | None = None
    ) -> None:
        super().__init__(stream, look, size=size)
        self._labels = labels(names)
        self._tallies: dict[int, Tally] = {}
        self._over: dict[int, tuple[str, Meaning]] = {}
        self._givers: dict[int, int] = {}

    @contextlib.contextmanager
    def copying(self, number: int, tally: Tally) -> Iterator[Listener]:
        """A listener for the run to this target, which reads `tally`; `tally` must get each event first."""
        self._tallies[number] = tally
        yield TargetLines(self, self._labels[number], tally)

    def waiting(self, number: int, giver: int) -> None:
        """This target waits for the one that feeds it."""
        self._givers[number] = giver

    def plan(self, number: int, totals: Totals) -> None:
        """Show what will be done for this target."""
        self.above([Styled.of((self._labels[number], "strong")), *indented(totals.lines(max(20, self.width - 2)))])

    def ended(self, number: int, result: Result) -> None:
        """This target's part is over."""
        self._over[number] = verdict(result)

    def bars(self, width: int, height: int) -> list[Styled]:
        """See `Bars`."""
        if len(self._over) == len(self._labels):  # the results follow at once
            return []
        width = max(10, min(width, WIDEST))
        whole = height // FOLDED >= 2 + _ROWS * len(self._labels) or height >= 2 + 2 * _ROWS * len(self._labels)
        rows = max(1, height - _BESIDE)
        numbers, lines = (range(len(self._labels)), []) if len(self._labels) <= rows else self._fitting(rows, width)
        for number in numbers:
            lines += self._of(number, self._labels[number], width, whole=whole)
        return lines

    def _fitting(self, rows: int, width: int) -> tuple[Sequence[int], list[Styled]]:
        """Of more targets than there are rows: those at work, as many as fit, and before them a line about the rest."""
        at_work = [number for number in range(len(self._labels)) if number not in self._over]
        shown, over = at_work[: max(1, rows - 1)], len(self._labels) - len(at_work)
        more = f", {len(at_work) - len(shown)} more are at work" if len(shown) < len(at_work) else ""
        text = f"{over} of {count(len(self._labels), 'target')} {'has' if over == 1 else 'have'} ended{more}"
        return shown, [Styled.of(shortened(text, width))]

    def _of(self, number: int, label: str, width: int, *, whole: bool) -> list[Styled]:
        """The lines of one target; only one if it is over, if it has no plan yet, or if there is no room."""
        tally = self._tallies.get(number)
        if number in self._over or tally is None:
            giver = self._givers.get(number)
            waits = giver is not None and giver not in self._over
            doing = f"waits for {self._labels[giver or 0]}" if waits else "planning"
            words, meaning = self._over.get(number, (doing, "faint"))
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
        """Each block of lines is written as one, so only its first line needs the target before it."""
        if lines:
            self._bars.above([*labelled(self._label, lines[:1]), *indented(lines[1:])])


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
