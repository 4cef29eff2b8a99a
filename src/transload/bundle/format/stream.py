"""Writes and reads bytes of the logical stream in the files of its volumes, with one volume open at a time.

Every writer and reader has its own file objects, so that many of them work at different offsets at once without a
lock, on systems with and without positional reads.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterable, Iterator
from io import FileIO
from pathlib import Path
from types import TracebackType

from transload.bundle.format.volumes import Cut
from transload.errors import LocalError, MediumLost
from transload.files import CHUNK_BYTES, Folder, local_errors, open_file

PathOf = Callable[[int], Path]
"""The path of a volume's file. May raise the reason why there is none."""


class _Cursor:
    """An offset in the stream, and the open file of the volume that it is in."""

    def __init__(self, cut: Cut, path_of: PathOf, offset: int) -> None:
        self.offset = offset
        self.path = Path()
        self._cut = cut
        self._path_of = path_of
        self._volume = 0
        self._file: FileIO | None = None

    def file_at(self, volume: int, offset: int, mode: str) -> FileIO:
        """The file of `volume`; if it was not open yet, positioned at `offset`."""
        if self._file is None or volume != self._volume:
            self.close()
            self.path, self._volume = self._path_of(volume), volume
            with _gone(self.path, mode), local_errors("opening", self.path):
                self._file = open_volume(self.path) if mode == "r+" else open_file(self.path)
                self._file.seek(offset)
        return self._file

    def go_to(self, offset: int) -> None:
        """Go on from another offset; a volume that is open stays open."""
        self.offset = offset
        for span in self._cut.spans(offset, 1):
            if self._file is not None and span.volume == self._volume:
                with local_errors("looking into", self.path):
                    self._file.seek(span.offset)
            else:
                self.close()

    def close(self) -> None:
        """Close the open file, if there is one. Some file systems report only here that they could not write."""
        if self._file is not None:
            file, self._file = self._file, None
            with local_errors("writing" if file.writable() else "reading", self.path):
                file.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class StreamWriter(_Cursor):
    """Writes from `offset` on, into volumes that exist but may still be short."""

    def __enter__(self) -> StreamWriter:
        return self

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Write all of `chunk`. `offset` then is behind the bytes that were written, also if an error is raised."""
        rest = memoryview(chunk)
        for span in self._cut.spans(self.offset, len(rest)):
            file = self.file_at(span.volume, span.offset, "r+")
            part, rest = rest[: span.length], rest[span.length :]
            with writing_errors(self.path):
                while part:
                    written = file.write(part)
                    part = part[written:]
                    self.offset += written


class StreamReader(_Cursor):
    """Reads from `offset` on."""

    def __enter__(self) -> StreamReader:
        return self

    def read_into(self, buffer: memoryview) -> int:
        """Fill `buffer` as far as the stream goes; fewer bytes mean that a volume is shorter than it should be."""
        done = 0
        for span in self._cut.spans(self.offset, min(len(buffer), self._cut.size - self.offset)):
            file = self.file_at(span.volume, span.offset, "r")
            end = done + span.length
            while done < end:
                with local_errors("reading", self.path):
                    count = file.readinto(buffer[done:end])
                if not count:
                    return done
                done += count
                self.offset += count
        return done

    def skip(self, length: int) -> None:
        """Move on by `length` bytes."""
        self.close()
        self.offset += length

    def read(self, length: int) -> bytes:
        """Up to `length` bytes, fewer if `read_into` gives fewer; takes memory only for bytes that are there."""
        return b"".join([bytes(chunk) for chunk in self.chunks(length)])

    def chunks(self, length: int) -> Iterator[memoryview]:
        """The next `length` bytes as views of one buffer, possibly fewer."""
        buffer = memoryview(bytearray(min(CHUNK_BYTES, length)))
        while length > 0:
            count = self.read_into(buffer[: min(len(buffer), length)])
            if not count:
                return
            length -= count
            yield buffer[:count]


def joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in larger pieces, for what is made in thousands of small ones."""
    chunk = bytearray()
    for piece in pieces:
        chunk += piece
        if len(chunk) >= CHUNK_BYTES:
            yield bytes(chunk)
            chunk.clear()
    if chunk:
        yield bytes(chunk)


def open_volume(path: Path) -> FileIO:
    """Open a volume for writing. Raises `FolderUnsafe` for a link, which may lead to any file here; `OSError`."""
    return Folder(path.parent).open(path.name, "r+")


@contextlib.contextmanager
def _gone(path: Path, mode: str) -> Iterator[None]:
    """A volume that is being written and is not there any more: its medium was unmounted, or it was deleted."""
    try:
        yield
    except LocalError as error:
        if mode == "r" or not isinstance(error.__cause__, FileNotFoundError):
            raise
        raise MediumLost(
            f"{path} is not there any more: was the medium removed?",
            subject=str(path),
            hint="put it in again at the same place and run the same command again: it goes on where this one stopped",
        ) from error


@contextlib.contextmanager
def writing_errors(path: Path) -> Iterator[None]:
    """As `local_errors`, with a hint if the file is too large for its file system."""
    with local_errors("writing", path):
        try:
            yield
        except OSError as error:
            if error.errno != errno.EFBIG:
                raise
            raise LocalError(
                f"writing {path}: the file system does not take files of this size",
                subject=str(path),
                hint="choose smaller volumes, fat32 for disks formatted so",
            ) from error
