"""Limits on the lines of an answer: in its head, between the chunks of a body, and in the trailer after it.

http.client limits only the head of the last answer. urllib3 accepts lines of any length between chunks, chunks of one
byte, negative sizes (which mean "all there is" to the reader below), and any number of lines after the last chunk.
"""

from __future__ import annotations

import http.client
from io import BufferedReader
from typing import Any

from transload.limits import CHUNK_BYTES, HEADER_LINE_BYTES, HEADER_LINES, SMALL_CHUNKS


class BoundedReader(BufferedReader):
    """Reads an answer. Raises `HTTPException` for a line that is too long, too many lines in a row without content, or
    more lines than content.
    """

    _lines = 0
    _cost = 0  # bytes of lines and `CHUNK_BYTES` for each, less the bytes of content read

    def readline(self, size: int | None = -1, /) -> bytes:
        """See `io`; raises `HTTPException` where a line breaks a limit."""
        self._lines += 1
        if self._lines > HEADER_LINES:
            raise http.client.HTTPException(f"more than {HEADER_LINES} lines without content")
        line = super().readline(HEADER_LINE_BYTES + 1 if size is None or size < 0 else size)
        if len(line) > HEADER_LINE_BYTES:
            raise http.client.LineTooLong("answer")
        self._cost += CHUNK_BYTES + len(line)
        if self._cost > SMALL_CHUNKS * CHUNK_BYTES:
            raise http.client.HTTPException(f"a body in chunks of less than {CHUNK_BYTES} bytes, without end")
        return line

    def read(self, size: int | None = -1, /) -> bytes:
        """See `io`; a negative size ("all there is") raises `HTTPException`."""
        if size is None or size < 0:
            raise http.client.HTTPException("a chunk with a negative size")
        self._lines = 0
        content = super().read(size)
        self._cost = max(0, self._cost - len(content))
        return content

    def readinto(self, buffer: Any, /) -> int:
        """See `io`."""
        self._lines = 0
        return super().readinto(buffer)
