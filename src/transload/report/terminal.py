"""Progress on a terminal: lines about what ended, failed or is retried stay above, and the bars move below."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import TracebackType

from rich.console import Console

from transload.events import Event, HostTroubled, ImageDone, RunFinished, RunPaused, RunResumed, StepRetried
from transload.report.moving import MovingLines
from transload.report.pulse import Pulse
from transload.report.screen import ROWS, screen
from transload.report.sentences import Sentences, pause_sentence
from transload.report.styled import Styled, folded
from transload.report.tally import Tally
from transload.report.theme import rendered

_PER_SECOND = 8
_FOLDED = 3  # into so many rows a line may fold if the terminal becomes narrow; rows off the screen cannot be removed
_AROUND = 4  # lines that are not transfers: the bar, the facts, the number of others


class TerminalProgress:
    """A listener that reads `tally`, which must get each event first. Bars move while the block is open.

    Unchanged images are only counted: on a terminal, eighteen such lines would hide the one that matters.
    """

    def __init__(self, tally: Tally, console: Console) -> None:
        self._tally = tally
        self._console = console
        self._sentences = Sentences(tally)
        self._finished = False
        self._beside: Styled | None = None
        self._lines = MovingLines(
            console.file, lambda: console.size, lambda line: rendered(console, line), moves=console.is_terminal
        )
        self._pulse = Pulse(self._draw, 1 / _PER_SECOND, first_s=0)

    def __enter__(self) -> TerminalProgress:
        self._pulse.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pulse.stop()
        self._draw()
        self._lines.leave()

    def __call__(self, event: Event) -> None:
        """Print the lines that stay. The bars read the tally by themselves."""
        self._sentences.width = self._console.width
        match event:
            case ImageDone() if event.tried and (event.error is not None or self._tally.plan.images[event.image].goals):
                self._lines.above(self._sentences.image(event))
            case StepRetried() if lines := self._sentences.retry(event, self._tally.label(event.step)):
                self._lines.above(lines)
            case RunPaused() | RunResumed():
                self.notice(pause_sentence(event))
            case RunFinished():
                self._finished = True

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
        self._lines.above(folded("", text, self._console.width))

    def host(self, event: HostTroubled) -> None:
        """A host that does not answer as it should, or that answers again."""
        self._sentences.width = self._console.width
        self._lines.above(self._sentences.host(event))

    def _draw(self) -> None:
        width, height = self._console.size
        rows = 0 if self._finished else max(1, min(ROWS, height // _FOLDED - _AROUND))
        # One column stays free: some terminals fold a line that fills the last one.
        bars = screen(self._tally.snapshot(), width - 1, self._sentences.short, rows)
        self._lines.draw([*bars, self._beside] if self._beside else bars)
