"""Progress on a terminal, for one target and for several: lines that stay above, and bars that move below them."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import partial
from types import TracebackType
from typing import IO, Self

from transload.events import HostTroubled
from transload.report.moving import MovingLines, Size
from transload.report.pulse import Pulse
from transload.report.sentences import host_sentence
from transload.report.styled import Styled, folded
from transload.report.theme import PLAIN, Look, painted
from transload.signals import when_stopped

_PER_SECOND = 5
FOLDED = 3
"""Into so many rows a line may fold if the terminal becomes narrow; rows off the screen cannot be removed."""


class Bars(ABC):
    """Lines at the end of a terminal, drawn a few times a second while the block is open. Safe for threads."""

    def __init__(self, stream: IO[str], look: Look = PLAIN, *, moves: bool = True, size: Size | None = None) -> None:
        self._lines = MovingLines(stream, size, partial(painted, look=look), moves=moves)
        self._beside: Styled | None = None
        self._pulse = self._new_pulse()
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._held.enter_context(when_stopped(self._lines.left))
        self._pulse.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pulse.stop()
        self._draw(at_once=True)
        self._lines.leave()
        self._held.close()

    @abstractmethod
    def bars(self, width: int, height: int) -> list[Styled]:
        """The lines that move, none wider than `width`, on a terminal of `height` rows."""

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Hide the bars during the block, for a question to the user."""
        self._pulse.stop()
        self._lines.clear()
        try:
            yield
        finally:
            self._pulse = self._new_pulse()
            self._pulse.start()

    def beside(self, line: Styled | None) -> None:
        """Show what goes on besides copying, below the bars, until it is over."""
        self._beside = line

    def above(self, lines: Iterable[Styled]) -> None:
        """Write lines that stay."""
        self._lines.above(lines)

    def notice(self, text: str) -> None:
        """A line for people that no event contains, such as that the run is being stopped."""
        self.above(folded("", text, self.width))

    def host(self, event: HostTroubled) -> None:
        """A host that does not answer as it should, or that answers again."""
        self.notice(host_sentence(event))

    @property
    def width(self) -> int:
        """The columns of the terminal."""
        return self._lines.size()[0]

    def _new_pulse(self) -> Pulse:
        return Pulse(self._draw, 1 / _PER_SECOND, first_s=0)

    def _draw(self, *, at_once: bool = False) -> None:
        width, height = self._lines.size()
        # One column stays free: some terminals fold a line that fills the last one.
        lines = self.bars(max(1, width - 1), height)
        self._lines.draw([*lines, self._beside] if self._beside else lines, at_once=at_once)
