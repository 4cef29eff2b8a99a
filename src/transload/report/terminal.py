"""Progress on a terminal: what ended, failed or is tried again stays above, the bars of what runs move below."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live

from transload.events import Event, ImageDone, RunFinished, StepRetried
from transload.report.console import dressed, show
from transload.report.screen import ROWS, screen
from transload.report.sentences import Sentences
from transload.report.styled import Styled
from transload.report.tally import Tally

_PER_SECOND = 8
_AROUND = 6  # lines of a low terminal that are not transfers: the bar, the facts, what is printed above


class TerminalProgress:
    """A listener that reads `tally`, which must hear of each event first; bars move while the block is open.

    Unchanged images are only counted: on a terminal, eighteen lines of nothing would hide the one that matters.
    """

    def __init__(self, tally: Tally, console: Console) -> None:
        self._tally = tally
        self._console = console
        self._sentences = Sentences(tally)
        self._finished = False
        self._live = Live(
            console=console, get_renderable=self._bars, refresh_per_second=_PER_SECOND, vertical_overflow="crop"
        )

    def __enter__(self) -> TerminalProgress:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Print what is to stay; the bars look at the tally by themselves."""
        self._sentences.width = self._console.width
        match event:
            case ImageDone() if event.error is not None or self._tally.plan.images[event.image].goals:
                show(self._console, self._sentences.image(event))
            case StepRetried():
                show(self._console, self._sentences.retry(event, self._tally.label(event.step)))
            case RunFinished():
                self._finished = True

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """The bars are gone for the block, so that somebody can be asked something."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

    def notice(self, text: str) -> None:
        """A line for people that no event stands for, such as that the run is being stopped."""
        show(self._console, [Styled.of((text, "strong"))])

    def _bars(self) -> Group:
        size = self._console.size
        rows = 0 if self._finished else max(1, min(ROWS, size.height - _AROUND))
        # One column is left free: some terminals fold a line that fills the last one.
        lines = screen(self._tally.snapshot(), size.width - 1, self._sentences.short, rows)
        return Group(*map(dressed, lines))
