"""Progress without a terminal: plain lines for images, retries and failures, and a heartbeat."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import LocalError
from transload.events import Event, HostTroubled, ImageDone, RunFinished, RunPaused, RunResumed, StepRetried
from transload.report.lookalike import writable
from transload.report.moving import size_of_terminal
from transload.report.pulse import Pulse
from transload.report.sentences import Sentences, pause_sentence
from transload.report.styled import Styled, folded

if TYPE_CHECKING:
    from transload.report.tally import Tally


class LineStream:
    """Writes lines and flushes each. `broken` says that no more can be written; a run goes on without them.

    `full` is the error, if results are lost because of it. `label`, which must be harmless, is before each line.
    """

    def __init__(self, stream: TextIO, label: str = "") -> None:
        self.broken = False
        self.full: LocalError | None = None
        self._stream = stream
        self._label = f"{label}: " if label else ""
        self._lock = threading.RLock()  # reentrant, since a signal handler may write while the main thread does

    @property
    def width(self) -> int | None:
        """The columns of the terminal; None if it is none, so that lines may have any length."""
        try:
            return size_of_terminal(self._stream)[0] if self._stream.isatty() else None
        except ValueError:  # a closed stream
            return None

    def write(self, lines: Iterable[Styled | str]) -> None:
        """Write each line in full; characters that the stream's encoding lacks become similar ones.

        A `Styled` line is always harmless; a `str` is written as it is and must be harmless already.
        """
        text = writable("".join(f"{self._label}{line}\n" for line in lines), self._stream)
        with self._lock:
            if self.broken:
                return
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):  # a broken pipe, or a closed stream
                self.broken = True
            except LocalError as error:
                self.broken, self.full = True, error
            except RuntimeError:  # a signal handler in the middle of a write: only its own line is lost
                pass


HEARTBEAT_S = 10.0


class LineProgress:
    """A listener that reads `tally`, which must get each event first. No carriage returns, no escapes.

    As a context manager it also writes a line every `heartbeat_s` seconds, whether bytes move or not: CI systems kill
    jobs that are silent for long, and people want to see what hangs.
    """

    def __init__(
        self,
        tally: Tally,
        stream: TextIO,
        *,
        clock: Clock = SYSTEM_CLOCK,
        heartbeat_s: float = HEARTBEAT_S,
        label: str = "",
    ) -> None:
        self._tally = tally
        self._lines = LineStream(stream, label)
        self._sentences = Sentences(tally)
        self._finished = False
        self._beside = False
        self._heartbeat_s = heartbeat_s
        self._pulse = Pulse(self._beat, heartbeat_s, clock=clock)

    def __enter__(self) -> LineProgress:
        self._pulse.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pulse.stop()

    def __call__(self, event: Event) -> None:
        """Write a line for events that people want to know."""
        match event:
            case ImageDone() if event.tried:
                self._lines.write(self._sentences.image(event))
            case StepRetried():
                self._lines.write(self._sentences.retry(event, self._tally.label(event.step)))
            case RunPaused() | RunResumed():
                self.notice(pause_sentence(event))
            case RunFinished():
                self._finished = True

    def notice(self, text: str) -> None:
        """A line for people that no event contains, such as that the run is being stopped."""
        self._lines.write(folded("", text, self._lines.width))

    def host(self, event: HostTroubled) -> None:
        """A host that does not answer as it should. The line counts as a sign of life."""
        self._beside = True
        self._lines.write(self._sentences.host(event))

    def _beat(self) -> None:
        now = self._tally.snapshot()
        skip, self._beside = self._beside and now.still_s >= self._heartbeat_s / 2, False
        if not (self._finished or skip or now.paused_until):
            self._lines.write([self._sentences.heartbeat(now)])


class QuietProgress:
    """A listener that writes nothing; the result reports failures."""

    def __init__(self, stream: TextIO) -> None:
        self._lines = LineStream(stream)

    def __enter__(self) -> QuietProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to stop."""

    def __call__(self, event: Event) -> None:
        """Write nothing."""

    def notice(self, text: str) -> None:
        """A line for people that no event contains, such as that the run is being stopped."""
        self._lines.write(folded("", text, self._lines.width))
