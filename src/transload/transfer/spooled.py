"""A blob on its way from a source to several targets: its bytes are in a file until each target has taken them.

Nobody is in charge of the reading. Whoever has read all that is there fetches the next bytes, and the others find them
in the file. So the fastest target sets the pace, and one that is slow or dies holds nobody up.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from transload.errors import LocalError, SizeMismatch, TransloadError, Truncated
from transload.files import local_errors, write_all
from transload.oci import Descriptor, Verifier
from transload.ports import Chunk

_PIECE_BYTES = 256 << 10


class Opening(Protocol):
    """Opens the blob at its source."""

    def __call__(self, position: int, length: int | None = None) -> AbstractContextManager[Iterator[Chunk]]:
        """Its bytes from `position` on, `length` of them (to the end when None)."""
        ...


class SpooledBlob:
    """The bytes of one blob from `base` on, in a file without a name in `folder`. Safe for threads.

    `lost` says that the file took no more bytes: what is in it can be read, and the rest comes from the source.
    Raises `LocalError` if there can be no file.
    """

    def __init__(self, descriptor: Descriptor, base: int, folder: Path) -> None:
        self.descriptor = descriptor
        self.base = base
        self.lost = False
        self._end = base
        self._stream = contextlib.ExitStack()
        self._coming: Iterator[Chunk] | None = None
        self._fetching = threading.Lock()
        self._touching = threading.Lock()  # a file has one position
        self._right: bool | None = None
        self._folder = folder
        with local_errors("making a temporary file in", folder):
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - `close` closes it

    @property
    def is_whole(self) -> bool:
        """Whether all of it has come."""
        return self._end == self.descriptor.size

    def is_right(self) -> bool:
        """Whether what has come is the whole content of the digest; asked only when a target found it damaged."""
        with self._fetching:
            if self._right is None:
                self._right = self.is_whole and not self.base and self._matches()
            return self._right

    def _matches(self) -> bool:
        verifier = Verifier(self.descriptor.digest, self.descriptor.size)
        try:
            for piece in self._pieces(0):
                verifier.update(piece)
            verifier.check()
        except TransloadError:
            return False
        return True

    def begin(self, position: int, opening: Opening) -> None:
        """Open the source if bytes are needed from there, so that an error of the source comes before any byte."""
        with self._fetching:
            if self._end <= position < self.descriptor.size and self._coming is None and not self.lost:
                self._open(opening)

    def read(self, position: int, opening: Opening) -> Iterator[Chunk]:
        """The bytes from `position` on. Raises errors of the source, after which another reader may go on.

        What comes before `base` is only for this reader: its target has less of the blob than the others.
        """
        size = self.descriptor.size
        if position < self.base:
            with opening(position, self.base - position) as chunks:
                yield from chunks
            position = self.base
        while position < size:
            for piece in self._pieces(position):
                position += len(piece)
                yield piece
            if position < size and not self._fetch(position, opening):
                with opening(position) as chunks:
                    yield from chunks
                return

    def bring(self, opening: Opening, go_on: Callable[[], bool]) -> None:
        """Go on with what is on its way, for others who need it, as long as `go_on` says so."""
        with contextlib.suppress(TransloadError):  # whoever needs it will ask for itself
            while self._coming is not None and not self.is_whole and go_on():
                self._fetch(self._end, opening)

    def close(self) -> None:
        """End the file and the connection to the source. Nobody reads any more."""
        with self._fetching:
            self._end_stream()
            self._file.close()

    def leave(self) -> None:
        """The last reader has gone for now: end the connection to the source; what has come stays."""
        with self._fetching:
            self._end_stream()

    # --- parts

    def _pieces(self, position: int) -> Iterator[memoryview]:
        """What is there from `position` on, in views of a buffer that is used again."""
        buffer = memoryview(bytearray(min(_PIECE_BYTES, max(self._end - position, 0))))
        while (length := min(len(buffer), self._end - position)) > 0:
            with self._touching, local_errors("reading a temporary file in", self._folder):
                self._file.seek(position - self.base)
                read = self._file.readinto(buffer[:length]) or 0
            if not read:
                raise LocalError("a temporary file has lost its content", hint="run the same command again")
            position += read
            yield buffer[:read]

    def _fetch(self, position: int, opening: Opening) -> bool:
        """Bring more bytes than `position`, if nobody else has; False if the file takes no more."""
        with self._fetching:
            if self._end > position:
                return True
            if self.lost:
                return False
            try:
                if self._coming is None:
                    self._open(opening)
                return self._take(next(self._coming, None))  # type: ignore[arg-type]
            except BaseException:
                self._end_stream()
                raise

    def _take(self, chunk: Chunk | None) -> bool:
        subject = self.descriptor.digest
        if chunk is None:
            raise Truncated(f"blob {subject.short} ended after {self._end} bytes", subject=subject)
        if self._end + len(chunk) > self.descriptor.size:
            raise SizeMismatch(f"blob {subject.short} has more bytes than its descriptor says", subject=subject)
        try:
            with self._touching:
                self._file.seek(self._end - self.base)
                write_all(self._file, chunk)
        except OSError:  # the disk is full, most likely
            self.lost = True
            self._end_stream()
            return False
        self._end += len(chunk)
        if self.is_whole:
            self._exhaust()
        return True

    def _exhaust(self) -> None:
        """Let the source say that the body is over, so that the connection can be used again."""
        coming: Iterable[Chunk] = self._coming or ()
        for _ in coming:
            pass
        self._end_stream()

    def _open(self, opening: Opening) -> None:
        self._coming = iter(self._stream.enter_context(opening(self._end)))

    def _end_stream(self) -> None:
        self._coming = None
        self._stream.close()
