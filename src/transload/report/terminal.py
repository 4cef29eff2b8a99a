"""Progress on a terminal: lines about what ended, failed or is retried stay above, and the bars move below."""

from __future__ import annotations

from typing import IO

from transload.events import Event, HostTroubled, ImageDone, RunFinished, RunPaused, RunResumed, StepRetried
from transload.report.bars import FOLDED, Bars
from transload.report.moving import Size
from transload.report.screen import ROWS, screen
from transload.report.sentences import Sentences, pause_sentence
from transload.report.styled import Styled
from transload.report.tally import Tally
from transload.report.theme import PLAIN, Look

_AROUND = 4  # lines that are not transfers: the bar, the facts, the number of others


class TerminalProgress(Bars):
    """A listener that reads `tally`, which must get each event first. Bars move while the block is open.

    Unchanged images are only counted: on a terminal, eighteen such lines would hide the one that matters.
    """

    def __init__(
        self, tally: Tally, stream: IO[str], look: Look = PLAIN, *, moves: bool = True, size: Size | None = None
    ) -> None:
        super().__init__(stream, look, moves=moves, size=size)
        self._tally = tally
        self._sentences = Sentences(tally)
        self._finished = False

    def __call__(self, event: Event) -> None:
        """Print the lines that stay. The bars read the tally by themselves."""
        match event:
            case ImageDone() if event.tried and (event.error is not None or self._tally.plan.images[event.image].goals):
                self.above(self._fitting.image(event))
            case StepRetried() if lines := self._fitting.retry(event, self._tally.label(event.step)):
                self.above(lines)
            case RunPaused() | RunResumed():
                self.notice(pause_sentence(event))
            case RunFinished():
                self._finished = True

    def host(self, event: HostTroubled) -> None:
        """A host that does not answer as it should, or that answers again: a blob's retries need not say it too."""
        self.above(self._fitting.host(event))

    def bars(self, width: int, height: int) -> list[Styled]:
        """See `Bars`."""
        if self._finished and self._tally.plan.is_done:  # there was nothing to do, as the result says
            return []
        rows = 0 if self._finished else max(1, min(ROWS, height // FOLDED - _AROUND))
        return screen(self._tally.snapshot(), width, self._sentences.short, rows)

    @property
    def _fitting(self) -> Sentences:
        self._sentences.width = self.width
        return self._sentences
