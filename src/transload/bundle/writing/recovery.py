"""Writes the recovery volumes of a finished bundle: the same bytes for the same bundle, with final names when whole.

Volumes are read once, stripe by stripe, and are mostly still in memory. What a run leaves that was killed is written
again from the beginning.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from transload.bundle.format.galois import add, factor
from transload.bundle.format.member import Read
from transload.bundle.format.recovery import (
    SUM_BYTES,
    Description,
    Protection,
    recovery_name,
)
from transload.bundle.format.recoveryfile import descriptions_in, protections_in
from transload.bundle.format.stream import open_volume, writing_errors
from transload.bundle.format.volumes import PARTIAL
from transload.bundle.writing.sums import write_sums
from transload.errors import BundleExists, DiskFull, LocksMissing, Truncated
from transload.files import Folder, free_bytes, fsync_folder, local_errors, open_file, read_up_to, write_all
from transload.oci import Digest
from transload.values import evolve
from transload.wording import in_words

_MEMORY_BYTES = 16 << 20  # for the parity of the rows that are made in one go


class RecoveryWriter:
    """Writes the recovery volumes of the finished bundle at `path`, which `description` describes. `read` counts."""

    def __init__(self, path: Path, description: Description, read: Read = lambda _length: None) -> None:
        self._path = path
        self._description = description
        self._read = read
        self._rows = range(1, description.rows + 1)
        self.files = tuple(path.with_name(recovery_name(path.name, row)) for row in self._rows)

    def files_there(self) -> tuple[Path, ...]:
        """The recovery volumes of this bundle that are there, as many or more, with the right sizes; else none.

        Of the content only the first block of the bundle is compared; `verify` reads all.
        """
        for protection in protections_in(path for path in self.files if path.is_file()):
            theirs = protection.description
            ours = self._description
            same = evolve(theirs, sums=ours.sums, rows=ours.rows, block_bytes=ours.block_bytes) == ours
            files = [self._path.with_name(recovery_name(self._path.name, row)) for row in range(1, theirs.rows + 1)]
            whole = all(file.is_file() and file.stat().st_size == theirs.file_bytes for file in files)
            if same and whole and theirs.rows >= self._description.rows and self._begins_as(protection):
                return tuple(files)
        return ()

    def _begins_as(self, protection: Protection) -> bool:
        """Whether they are made of the first block that is there; a volume that is lost is about to be written."""
        if not self._path.with_name(self._description.cut.file_name(self._path.name, 1)).is_file():
            return True
        return protection.is_right(1, 0, self._block(1, 0, protection.description.length(1, 0)))

    def check_free(self) -> None:
        """Raises `BundleExists` if a recovery volume of another bundle has one of the names."""
        for file in self.files:
            theirs = {description.ledger for description in descriptions_in(file)}
            if theirs and self._description.ledger not in theirs:
                raise BundleExists(
                    f"{file} belongs to another bundle",
                    subject=str(file),
                    hint="delete it, or give the new bundle another name",
                )

    @property
    def missing_bytes(self) -> int:
        """The number of bytes that are still to be written; 0 if the recovery volumes are there."""
        return 0 if self.files_there() else self._description.file_bytes * len(self.files)

    def check_space(self) -> None:
        """Raises `DiskFull`, with the numbers, if the disk has too little room."""
        needed = self._description.file_bytes * len(self.files)
        there = sum(file.stat().st_size for file in self._partials if file.exists())
        free = free_bytes(self._path.parent)
        if free + there < needed:
            raise DiskFull(
                f"the recovery volumes need {in_words(needed)} ({needed} bytes), "
                f"{self._path.parent} has {in_words(free)} free ({free} bytes)",
                subject=str(self._path.parent),
                hint="make room and run the same command again, or choose a smaller number for --recovery",
            )

    @property
    def _partials(self) -> list[Path]:
        return [file.with_name(file.name + PARTIAL) for file in self.files]

    def write(self) -> tuple[Path, ...]:
        """Write all recovery volumes, name them, and list their sums; returns their paths and `SHA256SUMS`.

        Raises `Busy` while another process does so, `DiskFull`, `LocalError`, `Truncated` if a volume is too short.
        """
        folder = Folder(self._path.parent)
        with ExitStack() as stack:
            with suppress(LocksMissing):  # two runs at once would write the same bytes
                stack.enter_context(folder.locked(self._partials[0].name))
            for partial in self._partials:
                with writing_errors(partial), folder.open(partial.name, "a+") as file:
                    file.truncate(0)
            try:
                sums = self._write_parity()
                digest = Digest(f"sha256:{hashlib.sha256(sums).hexdigest()}")
                protection = Protection(evolve(self._description, sums=digest), sums)
                listed = {file.name: self._complete(protection, row) for row, file in enumerate(self.files, 1)}
            except DiskFull:
                for partial in self._partials:
                    folder.unlink(partial.name)
                raise
            listing = write_sums(folder.path, listed)  # before the names: with them, there is nothing left to do
            for partial, final in zip(self._partials, self.files, strict=True):
                with local_errors("renaming", partial):
                    partial.replace(final)
        with local_errors("flushing", folder.path):
            fsync_folder(folder.path)
        return *self.files, listing

    def _write_parity(self) -> bytes:
        """Write the parity of all rows at its place; returns the table of sums."""
        sums = bytearray(self._description.sums_bytes)
        at_once = max(1, _MEMORY_BYTES // self._description.block_bytes)
        for first in range(0, len(self._rows), at_once):
            self._write_rows(self._rows[first : first + at_once], sums)
        return bytes(sums)

    def _write_rows(self, rows: Sequence[int], sums: bytearray) -> None:
        description, last = self._description, self._description.volumes
        factors = [[factor(row, volume) for row in rows] for volume in range(1, last + 1)]
        partials = [self._partials[row - 1] for row in rows]
        with ExitStack() as stack:
            targets = [stack.enter_context(open_volume(partial)) for partial in partials]
            for target in targets:
                target.seek(description.parity_offset)
            parity = [0] * len(rows)
            for stripe, volume, block in self._blocks():
                add(parity, factors[volume - 1], block)
                self._note(sums, volume, stripe, block)
                if volume == last:
                    for place, row in enumerate(rows):
                        content = parity[place].to_bytes(description.length(last + row, stripe), "little")
                        self._note(sums, last + row, stripe, content)
                        with writing_errors(partials[place]):
                            write_all(targets[place], content)
                    parity = [0] * len(rows)

    def _note(self, sums: bytearray, number: int, stripe: int, block: bytes) -> None:
        start = ((number - 1) * self._description.stripes + stripe) * SUM_BYTES
        sums[start : start + SUM_BYTES] = hashlib.sha256(block).digest()

    def _blocks(self) -> Iterator[tuple[int, int, bytes]]:
        """Every block of the bundle with its stripe and volume, stripe after stripe."""
        description = self._description
        for stripe in range(description.stripes):
            for volume in range(1, description.volumes + 1):
                length = description.length(volume, stripe)
                block = self._block(volume, stripe * description.block_bytes, length) if length else b""
                self._read(length)
                yield stripe, volume, block

    def _block(self, volume: int, offset: int, length: int) -> bytes:
        path = self._path.with_name(self._description.cut.file_name(self._path.name, volume))
        with local_errors("reading", path), open_file(path) as file:
            file.seek(offset)
            block = read_up_to(file, length)
        if len(block) < length:
            raise Truncated(f"{path} is shorter than it was", subject=str(path))
        return block

    def _complete(self, protection: Protection, row: int) -> str:
        """Write what stands around the parity of a row, and flush; returns the SHA-256 of the whole file."""
        partial = self._partials[row - 1]
        with writing_errors(partial), open_volume(partial) as target:
            for offset, piece in protection.stretches(self._description.volumes + row):
                target.seek(offset)
                write_all(target, piece)
            os.fsync(target.fileno())
            target.seek(0)
            return hashlib.file_digest(target, "sha256").hexdigest()  # type: ignore[arg-type, unused-ignore]
