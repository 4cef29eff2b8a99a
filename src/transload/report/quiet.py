"""Progress for those who asked for none: retries and images are silent, only what people must know is told."""

from __future__ import annotations

from types import TracebackType
from typing import TextIO

from transload.events import Event
from transload.report.linestream import LineStream
from transload.report.styled import Styled


class QuietProgress:
    """A listener that says nothing; the result tells of failures."""

    def __init__(self, stream: TextIO) -> None:
        self._lines = LineStream(stream)

    def __enter__(self) -> QuietProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing runs that would have to end."""

    def __call__(self, event: Event) -> None:
        """Say nothing."""

    def notice(self, text: str) -> None:
        """A line for people that no event stands for, such as that the run is being stopped."""
        self._lines.write([Styled.of(text)])
