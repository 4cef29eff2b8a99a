"""The lines of an answer, bounded: of its head, of chunked bodies, and of what follows those.

http.client bounds the head of the last answer only; urllib3 reads lines of any length between chunks, and as many of
them after the last one as come.
"""

from __future__ import annotations

import http.client
from io import BufferedReader
from typing import Any

from transload.limits import HEADER_LINE_BYTES, HEADER_LINES


class BoundedReader(BufferedReader):
    """Reads an answer. A line that is too long, or too many in a row without content, raise `HTTPException`."""

    _lines = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        """See io."""
        self._lines += 1
        if self._lines > HEADER_LINES:
            raise http.client.HTTPException(f"more than {HEADER_LINES} lines without content")
        line = super().readline(HEADER_LINE_BYTES + 1 if size is None or size < 0 else size)
        if len(line) > HEADER_LINE_BYTES:
            raise http.client.LineTooLong("answer")
        return line

    def read(self, size: int | None = -1, /) -> bytes:
        """See io."""
        self._lines = 0
        return super().read(size)

    def readinto(self, buffer: Any, /) -> int:
        """See io."""
        self._lines = 0
        return super().readinto(buffer)
