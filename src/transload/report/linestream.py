"""Whole lines to a text stream from any thread, which outlive a reader that goes away."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TextIO

from transload.errors import LocalError
from transload.report.lookalike import writable
from transload.report.styled import Styled


class LineStream:
    """Writes lines and flushes each. `broken` says that no more can be written: a run does not end because of that.

    `full` is why, if results are lost by it.
    """

    def __init__(self, stream: TextIO) -> None:
        self.broken = False
        self.full: LocalError | None = None
        self._stream = stream
        self._lock = threading.RLock()  # reentrant, since a signal handler may write while the main thread does

    def write(self, lines: Iterable[Styled | str]) -> None:
        """Write each line in full; characters that the stream lacks become others that look alike.

        A `Styled` line is harmless; a text is written as it is, and has to be harmless already.
        """
        text = writable("".join(f"{line}\n" for line in lines), self._stream)
        with self._lock:
            if self.broken:
                return
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):  # a broken pipe, or a stream that somebody closed
                self.broken = True
            except LocalError as error:
                self.broken, self.full = True, error
            except RuntimeError:  # a signal handler in the middle of a write: its words are lost, and nothing else
                pass
