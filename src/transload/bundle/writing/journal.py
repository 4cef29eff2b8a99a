"""The progress of a bundle that is being made: a file of lines beside its volumes, locked while a process works on it.

Lines are appended and never changed. A line that was cut short or is unknown is ignored. The last line about a blob
counts. After a `kill -9`, all written bytes are still there; after a power cut, only those that were flushed before. So
`synced N` says how many of the `done` lines are flushed. Blobs that are done but not flushed are hashed again before
they are used, and so is every part of an unfinished blob: a wrong line costs time, never correctness.

    bundle 1 DIGEST       the ledger of the bundle
    packed TIME           the time in it, which a run that goes on must take over
    part DIGEST BYTES     this many bytes of a blob have been written
    done DIGEST           a blob was written and verified, or a manifest was put
    synced N              the first N `done` lines are on the medium
    lost DIGEST           a blob that was done is not there after all
    sum VOLUME HEX        the SHA-256 of a whole volume
    unsummed              bytes change, so the sums so far are wrong
    whole                 everything is written, verified and flushed; volumes may have their final names already
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path

from transload.errors import BundleExists, DigestInvalid, LocalError, LocksMissing
from transload.files import Folder, local_errors, read_up_to, write_all
from transload.oci import Digest

_PROGRESS_BYTES = 1 << 30  # 200,000 blobs with a line every few MiB stay far below
_HEAD_BYTES = 256  # the first two lines have less


def time_begun(path: Path) -> str | None:
    """The time that the bundle of the journal at `path` is packed with; None if that is not known. Never raises."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if path.is_file():
            with path.open("rb") as file:
                first, second, *_ = *file.read(_HEAD_BYTES).decode("ascii").split("\n", 2), ""
            if first.startswith("bundle ") and second.startswith("packed "):
                return second.removeprefix("packed ")
    return None


class PackJournal:
    """Opens and locks the file at `path`, and reads it. Raises `Busy`, `BundleExists`, `LocalError`.

    `packed` is the time in the ledger, if it has one. Safe to use from several threads.
    """

    def __init__(self, path: Path, ledger: Digest, packed: str | None = None) -> None:
        self.path = path
        self._folder = Folder(path.parent)
        self.parts: dict[Digest, int] = {}
        self.done: set[Digest] = set()
        self.sums: dict[int, str] = {}
        self.whole = False
        self.known = False
        self._order: list[Digest] = []
        self._synced = 0
        self._lock = threading.Lock()
        with contextlib.ExitStack() as stack:
            self._file = self._open(stack)
            try:
                self._read(ledger, packed)
            except LocalError:  # the disk has no room even for one line: then leave no file
                if self._file.seek(0, os.SEEK_END) == 0:
                    self._folder.unlink(self.path.name)
                raise
            self._closing = stack.pop_all()

    def _open(self, stack: contextlib.ExitStack) -> FileIO:
        while True:
            with contextlib.ExitStack() as attempt:
                with local_errors("locking", self.path):
                    file = attempt.enter_context(self._held())
                if self._folder.status(self.path.name):  # the process that held it before has not deleted it
                    stack.push(attempt.pop_all())
                    return file

    @contextlib.contextmanager
    def _held(self) -> Iterator[FileIO]:
        """The open file, locked where the file system has locks. Two runs at once would write the same bytes."""
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(self._folder.locked(self.path.name))
            except LocksMissing:
                file = stack.enter_context(self._folder.open(self.path.name, "a+"))
            yield file

    def _read(self, ledger: Digest, packed: str | None) -> None:
        with local_errors("reading", self.path):
            self._file.seek(0)
            lines = read_up_to(self._file, _PROGRESS_BYTES).split(b"\n")
        first = f"bundle 1 {ledger}".encode()
        if lines[0] == first and len(lines) > 1:
            self.known = True
            for line in lines[1:]:
                with contextlib.suppress(ValueError, DigestInvalid):
                    self._take(line.decode("ascii").split(" "))
            if lines[-1]:
                self._append("")  # ends a line that was cut short
        elif lines[0].startswith(b"bundle ") and len(lines) > 1:
            left = f"{self.path.name.removesuffix('.partial.journal')}.*partial*"
            raise BundleExists(
                f"{self.path} belongs to an unfinished bundle with other content",
                subject=str(self.path),
                hint=f"finish it with the command that began it, choose another name, or delete what it left: {left}",
            )
        else:
            with local_errors("writing", self.path):
                self._file.truncate(0)
            self._append(first.decode() + (f"\npacked {packed}" if packed else ""))

    def _take(self, words: list[str]) -> None:
        match words:
            case ["part", digest, count]:
                self.parts[Digest(digest)] = int(count)
            case ["done", digest]:
                self.done.add(Digest(digest))
                self._order.append(Digest(digest))
            case ["lost", digest]:
                self.done.discard(Digest(digest))
            case ["synced", count]:
                self._synced = int(count)
            case ["sum", volume, value] if len(value) == 64:
                self.sums[int(volume)] = value
            case ["unsummed"]:
                self.sums.clear()
            case ["whole"]:
                self.whole = True

    @property
    def synced(self) -> set[Digest]:
        """The blobs that are done and on the medium."""
        return set(self._order[: self._synced]) & self.done

    @property
    def unsynced(self) -> int:
        """How many `done` lines `note_synced` has not covered."""
        return len(self._order) - self._synced

    @property
    def count(self) -> int:
        """How many `done` lines there are: the number for `note_synced` after a flush."""
        return len(self._order)

    def note_part(self, digest: Digest, offset: int) -> None:
        """Note that `offset` bytes of a blob are written."""
        self._note(f"part {digest} {offset}")

    def note_done(self, digest: Digest) -> None:
        """Note that a blob is complete and verified."""
        self._note(f"done {digest}")

    def note_all_done(self, digests: Sequence[Digest]) -> None:
        """Note that blobs are complete and verified, with one write."""
        if digests:
            with self._lock:
                self._append("\n".join(f"done {digest}" for digest in digests))
                self.done.update(digests)
                self._order += digests

    def note_lost(self, digest: Digest) -> None:
        """Note that a blob that was done is not there after all."""
        self._note(f"lost {digest}")
        self._note(f"part {digest} 0")

    def note_synced(self, count: int) -> None:
        """Note that the first `count` of the `done` lines are on the medium."""
        self._note(f"synced {count}")

    def note_sum(self, volume: int, value: str) -> None:
        """Note the SHA-256 of a whole volume."""
        self._note(f"sum {volume} {value}")

    def forget_sums(self) -> None:
        """Note that bytes change, so that the sums are no longer right."""
        self._note("unsummed")

    def note_whole(self) -> None:
        """Note that everything is there and flushed."""
        self._note("whole")

    def _note(self, line: str) -> None:
        with self._lock:
            self._append(line)
            self._take(line.split(" "))

    def _append(self, line: str) -> None:
        with local_errors("writing", self.path):
            write_all(self._file, line.encode() + b"\n")

    def close(self) -> None:
        """Close the file, so that another process may go on."""
        with contextlib.suppress(OSError):  # a network file system may report a failed write only here; it does no harm
            self._closing.close()

    def delete(self) -> None:
        """Delete the file: the bundle is finished."""
        if os.name == "nt":  # where an open file cannot be deleted
            self.close()
        with local_errors("deleting", self.path):
            self._folder.unlink(self.path.name)
        self.close()
