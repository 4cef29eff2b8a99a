"""The progress of a bundle that is being made: a file of lines beside its volumes, locked as long as somebody works.

Lines are appended and never changed; one that was cut short, or that says nothing known, is passed over. The last word
on a blob counts. After a `kill -9` what was written is still there; after a power cut only what was flushed before it,
so that `synced N` says for how many of the `done` lines this is so. What is done but not flushed is hashed again before
it is believed, and so is every part of an unfinished blob: a wrong line costs time, never correctness.

    bundle 1 DIGEST       the ledger that is being made
    part DIGEST BYTES     so much of a blob has been written
    done DIGEST           a blob was written whole and proved, or a manifest is pointed at
    synced N              the first N `done` lines are on the medium
    lost DIGEST           what was done is not there after all
    sum VOLUME HEX        the SHA-256 of a whole volume
    unsummed              the sums so far are of bytes that change now
    whole                 everything is there, proved and flushed; volumes may have their final names already
"""

from __future__ import annotations

import contextlib
import os
import threading
from io import FileIO
from pathlib import Path

from transload.errors import BundleExists, DigestInvalid, LocalError
from transload.files import Folder, local_errors, read_up_to, write_all
from transload.oci import Digest

_PROGRESS_BYTES = 1 << 30  # 200,000 blobs with a word every few MiB stay far below


class PackJournal:
    """Opens and locks the file at `path`, and remembers what it says. Raises `Busy`, `BundleExists`, `LocalError`.

    Methods may be called by several threads at once.
    """

    def __init__(self, path: Path, ledger: Digest) -> None:
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
                self._read(ledger)
            except LocalError:  # not even a line has room on the disk: then nothing stays there
                if self._file.seek(0, os.SEEK_END) == 0:
                    self._folder.unlink(self.path.name)
                raise
            self._closing = stack.pop_all()

    def _open(self, stack: contextlib.ExitStack) -> FileIO:
        while True:
            with contextlib.ExitStack() as attempt:
                with local_errors("locking", self.path):
                    file = attempt.enter_context(self._folder.locked(self.path.name))
                if self._folder.status(self.path.name):  # not deleted by whoever held it just before
                    stack.push(attempt.pop_all())
                    return file

    def _read(self, ledger: Digest) -> None:
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
            self._append(first.decode())

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
        """What is done and on the medium."""
        return set(self._order[: self._synced]) & self.done

    @property
    def unsynced(self) -> int:
        """How many `done` lines have not been covered by `note_synced`."""
        return len(self._order) - self._synced

    @property
    def count(self) -> int:
        """How many `done` lines there are: what `note_synced` is to be told after flushing."""
        return len(self._order)

    def note_part(self, digest: Digest, offset: int) -> None:
        """So much of a blob is written now."""
        self._note(f"part {digest} {offset}")

    def note_done(self, digest: Digest) -> None:
        """A blob is whole and proved."""
        self._note(f"done {digest}")

    def note_lost(self, digest: Digest) -> None:
        """A blob that was done is not there after all."""
        self._note(f"lost {digest}")
        self._note(f"part {digest} 0")

    def note_synced(self, count: int) -> None:
        """The first `count` of the `done` lines are on the medium."""
        self._note(f"synced {count}")

    def note_sum(self, volume: int, value: str) -> None:
        """What a whole volume hashes to."""
        self._note(f"sum {volume} {value}")

    def forget_sums(self) -> None:
        """The bytes of some volume change."""
        self._note("unsummed")

    def note_whole(self) -> None:
        """Everything is there and flushed."""
        self._note("whole")

    def _note(self, line: str) -> None:
        with self._lock:
            self._append(line)
            self._take(line.split(" "))

    def _append(self, line: str) -> None:
        with local_errors("writing", self.path):
            write_all(self._file, line.encode() + b"\n")

    def close(self) -> None:
        """Let go of the file; the next one may go on."""
        with contextlib.suppress(OSError):  # a network's file system may tell only here of a line that is not needed
            self._closing.close()

    def delete(self) -> None:
        """The bundle is finished."""
        if os.name == "nt":  # where an open file cannot be deleted
            self.close()
        with local_errors("deleting", self.path):
            self._folder.unlink(self.path.name)
        self.close()
