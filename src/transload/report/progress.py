"""What every way of showing a run has in common, whether it moves bars, writes lines or says nothing."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from transload.events import Event


class Progress(Protocol):
    """A listener that is open for as long as the run is; it reads a tally that hears of each event before it does."""

    def __enter__(self) -> Progress:
        """Begin to show."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave what is to stay, and end what moves."""
        ...

    def __call__(self, event: Event) -> None:
        """Tell an event, or not."""
        ...

    def notice(self, text: str) -> None:
        """A sentence for people that no event stands for, such as that the run is being stopped."""
        ...
