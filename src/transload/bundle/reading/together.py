"""Many small blobs of a bundle, read with its volumes open; see `transload.gathers.ReadsMany`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from transload.bundle.format.ledger import Ledger, StoredBlob
from transload.bundle.format.stream import PathOf, StreamReader
from transload.bundle.format.tarheader import header
from transload.errors import TransloadError
from transload.oci import Descriptor
from transload.values import frozen

_AHEAD_BYTES = 128 << 10


@frozen
class ReadsTogether:
    """Reads blobs of one bundle whose volumes are all there."""

    ledger: Ledger
    path_of: PathOf

    def contents(self, descriptors: Sequence[Descriptor]) -> Iterator[bytes | None]:
        """See `transload.gathers.ReadsMany`. A blob whose header is not right is not read so."""
        members = [self.ledger.by_digest.get(descriptor.digest) for descriptor in descriptors]
        end = max((member.offset + member.size for member in members if member is not None), default=0)
        with StreamReader(self.ledger.cut, self.path_of, 0) as reader:
            window = _Window(reader, end)
            for descriptor, member in zip(descriptors, members, strict=True):
                content = None
                if member is not None and member.size == descriptor.size:
                    with suppress(TransloadError):
                        content = _content(window, member)
                yield content


class _Window:
    """Reads a stream, and with what is asked for what lies behind it, up to `end`: small members lie side by side."""

    def __init__(self, reader: StreamReader, end: int) -> None:
        self._reader = reader
        self._end = end
        self._start = 0
        self._bytes = b""

    def read(self, start: int, length: int) -> bytes:
        """`length` bytes from `start` on, fewer if a volume is too short."""
        if not self._start <= start <= start + length <= self._start + len(self._bytes):
            self._bytes = b""
            self._reader.go_to(start)
            self._start, self._bytes = start, self._reader.read(max(length, min(_AHEAD_BYTES, self._end - start)))
        begin = start - self._start
        return self._bytes[begin : begin + length]


def _content(window: _Window, member: StoredBlob) -> bytes | None:
    expected = header(member.path, member.size)
    content = window.read(member.offset - len(expected), len(expected) + member.size)
    return content[len(expected) :] if content.startswith(expected) else None
