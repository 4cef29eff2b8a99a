"""Progress without a terminal: plain lines for images, retries and failures, and a heartbeat."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TextIO

from transload.clock import SYSTEM_CLOCK, Clock
from transload.events import Event, ImageDone, RunFinished, StepRetried
from transload.report.sentences import Sentences
from transload.report.stream import LineStream
from transload.report.tally import Tally

HEARTBEAT_S = 30.0


class LineProgress:
    """A listener that reads `tally`, which must hear of each event first. No carriage returns, no escapes.

    As a context manager it also gives a sign of life every `heartbeat_s` seconds, moving or not: jobs that are silent
    for long get killed, and people look for what hangs.
    """

    def __init__(
        self, tally: Tally, stream: TextIO, *, clock: Clock = SYSTEM_CLOCK, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self._tally = tally
        self._lines = LineStream(stream)
        self._sentences = Sentences(tally)
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_beating, name="heartbeat", daemon=True)

    def __enter__(self) -> LineProgress:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def __call__(self, event: Event) -> None:
        """Tell what is worth a line."""
        match event:
            case ImageDone():
                self._lines.write(self._sentences.image(event))
            case StepRetried():
                self._lines.write(self._sentences.retry(event, self._tally.label(event.step)))
            case RunFinished():
                self._ended.set()

    def notice(self, text: str) -> None:
        """A line for people that no event stands for, such as that the run is being stopped."""
        self._lines.write([text])

    def _keep_beating(self) -> None:
        while not self._ended.is_set():
            self._clock.sleep_s(self._heartbeat_s, self._ended)
            if not self._ended.is_set():
                self._lines.write([self._sentences.heartbeat(self._tally.snapshot())])
