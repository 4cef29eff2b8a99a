"""A blob on its way to its place in a bundle: hashed as it is written, and continued where an earlier run stopped.

Invariants, at whatever moment the process ends:
1. nothing is written outside the member's own header, content and padding;
2. a blob is noted as done only after its digest was verified and all of its bytes were handed to the disk;
3. bytes that an earlier run left of a blob are hashed again before anything is added to them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from transload.bundle.format.blueprint import starts
from transload.bundle.format.entries import Stored
from transload.bundle.format.stream import PathOf, StreamReader, StreamWriter
from transload.bundle.format.tarheader import header, padding
from transload.bundle.format.volumes import Cut
from transload.bundle.writing.frontier import Frontier
from transload.bundle.writing.journal import PackJournal
from transload.errors import TransloadError
from transload.hashedingest import HashedIngest
from transload.oci import Verifier
from transload.ports import Chunk

NOTE_BYTES = 2 << 20


class FinishedIngest:
    """What `begin` gives for a blob that is there: nothing to do, whatever is asked."""

    def __init__(self, member: Stored) -> None:
        self._verifier = Verifier(member.digest, 0)
        self.offset = member.size

    def write(self, chunks: Iterable[Chunk]) -> None:
        """See `Ingest`; there is nothing left to receive."""
        for chunk in chunks:
            self._verifier.update(chunk)

    def commit(self) -> None:
        """See `Ingest`; done already."""

    def abandon(self) -> None:
        """See `Ingest`; what is proved stays."""


class BundleIngest(HashedIngest):
    """A blob at its place in the stream. Notes its progress in `progress` every few MiB, and tells `frontier`."""

    def __init__(self, member: Stored, *, cut: Cut, path_of: PathOf, progress: PackJournal, frontier: Frontier) -> None:
        super().__init__(member.digest, member.size)
        self._member = member
        self._progress = progress
        self._frontier = frontier
        self._take_up(cut, path_of, min(progress.parts.get(member.key, 0), member.size))
        self._noted = self._verifier.seen
        # The header is written again each time: it costs one block, and a power cut may have lost the old one.
        self._writer = StreamWriter(cut, path_of, starts(member))
        self._writer.write(header(member.path, member.size))
        self._writer.close()
        self._writer = StreamWriter(cut, path_of, member.offset + self._verifier.seen)

    def _take_up(self, cut: Cut, path_of: PathOf, written: int) -> None:
        with StreamReader(cut, path_of, self._member.offset) as reader:
            for chunk in reader.chunks(written):
                self._verifier.update(chunk)

    def _append(self, chunk: Chunk) -> None:
        self._writer.write(chunk)
        if self._verifier.seen - self._noted >= NOTE_BYTES:
            self._note()

    def _settle(self) -> None:
        self._writer.write(bytes(padding(self._member.size)))
        self._writer.close()
        self._progress.note_done(self._member.key)
        self._frontier.finished(self._member)

    def abandon(self) -> None:
        """Drop what has arrived."""
        self._verifier = Verifier(self._member.digest, self._member.size)
        self._writer.offset = self._member.offset
        self._writer.close()
        self._frontier.dropped(self._member)
        self._note()

    def _note(self) -> None:
        """Note the bytes that were written: a full disk may have taken fewer than were hashed."""
        self._noted = max(0, min(self._writer.offset - self._member.offset, self._member.size))
        self._progress.note_part(self._member.key, self._noted)
        self._frontier.moved(self._member, self._noted)

    def leave(self) -> None:
        """Close the files, and note the progress of the blob if it is not done."""
        self._writer.close()
        if self._member.key not in self._progress.done and self._noted != self._verifier.seen:
            with contextlib.suppress(TransloadError):  # a full disk: then the last note counts
                self._note()
