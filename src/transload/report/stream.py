"""Whole lines to a text stream from any thread, which outlive a reader that goes away."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TextIO

from transload.report.styled import Styled


class LineStream:
    """Writes lines and flushes each. `broken` says that the reader has gone: a run does not end because of that."""

    def __init__(self, stream: TextIO) -> None:
        self.broken = False
        self._stream = stream
        self._lock = threading.RLock()  # reentrant, since a signal handler may write while the main thread does

    def write(self, lines: Iterable[Styled | str]) -> None:
        """Write each line in full; characters that the stream cannot encode become question marks."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        text = "".join(f"{line}\n" for line in lines).encode(encoding, "replace").decode(encoding)
        with self._lock:
            if self.broken:
                return
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):  # a broken pipe, or a stream that somebody closed
                self.broken = True
