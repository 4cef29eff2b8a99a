"""Repairs a bundle from its recovery volumes: exactly, or not at all.

Invariants, at whatever moment the process ends:
1. no file of the bundle is changed before every member was proved against the ledger, with what was made again;
2. in a file, only blocks that are wrong are written; a file that was lost gets its name when it is whole;
3. running again goes on, and ends with the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Literal

from transload.bundle.format.member import Read
from transload.bundle.format.recovery import split_recovery_name
from transload.bundle.format.stream import open_volume, writing_errors
from transload.bundle.format.volumes import PARTIAL, before_copying, finished_name, split_file_name
from transload.bundle.reading.mending import Mender, Place, Unmendable
from transload.bundle.reading.reader import BundleStore
from transload.bundle.writing.sums import are_listed, listed_sums, write_sums
from transload.errors import BeyondRepair, DiskFull, LocksMissing, NotFound, PermissionRefused, TransloadError
from transload.files import Folder, free_bytes, fsync_folder, local_errors, read_up_to, write_all
from transload.locks import claimed
from transload.values import frozen
from transload.wording import in_words

How = Literal["made", "mended", "renamed"]
"""What happened to a file: made again as a whole; some of its blocks made again; given its right name."""

_ASIDE = ".replaced"


@frozen
class RepairedFile:
    """A file that was repaired: its path now, and how many of its blocks were written."""

    path: Path
    how: How
    blocks: int = 0


@frozen
class Repaired:
    """What `repair` did. `aside` are files that had the name of a volume and were no part of the bundle, where they are
    now. `listed` are files that were right, and had no line in `SHA256SUMS`: it was written again. Nothing was wrong if
    there are no `files` and nothing is `listed`."""

    files: tuple[RepairedFile, ...]
    aside: tuple[Path, ...] = ()
    listed: tuple[Path, ...] = ()


def repair(bundle: BundleStore, to: Path | None = None, read: Read = lambda _length: None) -> Repaired:
    """Repair a bundle in place; with `to`, write the repaired files into that folder, and leave the bundle as it is.

    `read` gets the numbers of bytes that were read. Raises `NotFound` for a bundle without recovery volumes,
    `BeyondRepair` if too much is lost (nothing was changed then), `DiskFull`, `Busy`, `LocalError`.
    """
    if bundle.mender is None:
        foreign = bundle.foreign_recovery
        why = f": {foreign[0].name} is of another one, or the beginning of the bundle is damaged" if foreign else ""
        raise NotFound(
            f"{bundle.locator} has no recovery volumes{' that fit it' if foreign else ''}{why}",
            subject=bundle.locator,
            hint="copy what is damaged again from where it was made; pack --recovery writes recovery volumes",
        )
    bundle.mended = lambda _sentence: None  # what is damaged is told in the result
    folder = bundle.folder if to is None else to
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(LocksMissing), _told_where_else(to):
            stack.enter_context(claimed(Folder(folder), f".{bundle.name}.repair.lock"))
        with _told_where_else(to):
            return _Repair(bundle, bundle.mender, folder, in_place=to is None, read=read).run()


@contextlib.contextmanager
def _told_where_else(to: Path | None) -> Iterator[None]:
    try:
        yield
    except PermissionRefused as error:
        if to is None:
            error.hint = "if the medium cannot be written to, --into DIR writes the repaired files elsewhere"
        raise


class _Repair:
    def __init__(self, bundle: BundleStore, mender: Mender, folder: Path, *, in_place: bool, read: Read) -> None:
        self._bundle = bundle
        self._mender = mender
        self._description = mender.description
        self._folder = folder
        self._in_place = in_place
        self._read = read
        self._made: dict[int, int] = {}  # the volumes written beside, and how many blocks of them were made again
        self._kept: set[Path] = set()  # the files that have their right names
        self._moves: dict[int, Path] = {}  # the files that have another name than their volume's

    def run(self) -> Repaired:
        here = {number for number in self._description.numbers if self._is_here(number)}
        self._kept = {place.path for number in here if (place := self._mender.named(number)) is not None}
        lost = [number for number in self._description.numbers if number not in here]
        try:
            self._make_lost([number for number in lost if not self._is_elsewhere(number)])
            self._prove()
            mended = self._mend()
        except BaseException:
            for number in self._made:
                with contextlib.suppress(OSError):  # the first error is the one to report
                    self._partial(number).unlink(missing_ok=True)
            raise
        return self._settle(mended)

    # --- what is where

    def _is_here(self, number: int) -> bool:
        """Whether some of a volume is in the file with its name."""
        own = self._mender.named(number)
        if own is None:
            return False
        joined = number <= self._description.volumes and own.path == self._bundle.whole
        return (joined and self._description.volumes > 1) or number in self._mender.recognised(own)

    def _is_elsewhere(self, number: int) -> bool:
        """Whether it is in a file of this bundle with a wrong name, which then only has to be renamed."""
        base = 0 if number <= self._description.volumes else self._description.parity_offset
        for place in self._mender.places(number):
            taken = place.path in self._kept or place.path in self._moves.values()
            right = number in self._mender.recognised(place)
            if self._in_place and right and not taken and place.offset == base and self._is_ours(place.path):
                self._moves[number] = place.path
                return True
        return False

    def _is_ours(self, path: Path) -> bool:
        plain = before_copying(finished_name(path.name) or path.name)
        recovery = split_recovery_name(plain)
        name, volume = recovery or split_file_name(plain)
        if volume is None and self._description.volumes > 1:  # joined volumes, or a bundle that is not cut
            return False
        return path.parent == self._folder and name.casefold() == self._bundle.name.casefold()

    def _final(self, number: int) -> Path:
        return self._folder / self._mender.file_name(number)

    def _partial(self, number: int) -> Path:
        return self._folder / f"{self._mender.file_name(number)}{PARTIAL}"

    def _file_bytes(self, number: int) -> int:
        description = self._description
        return description.file_bytes if number > description.volumes else description.content_bytes(number)

    # --- making again

    def _make_lost(self, lost: Sequence[int]) -> None:
        """Write lost volumes beside, all of them while each stripe is read once."""
        self._check_space(lost)
        with contextlib.ExitStack() as stack:
            files = {number: stack.enter_context(self._begun(number)) for number in lost}
            for stripe in range(self._description.stripes if lost else 0):
                try:
                    blocks = self._mender.stripe(lost, stripe)
                except Unmendable as error:
                    raise self._beyond(str(error)) from error
                for number, block in zip(lost, blocks, strict=True):
                    self._write(files[number], number, stripe, block)
                self._read(self._description.block_bytes * self._description.volumes)
            for number, file in files.items():
                self._complete(file, number)
                self._mender.add(number, Place(self._partial(number), self._base(number)))

    def _check_space(self, lost: Sequence[int]) -> None:
        needed, free = sum(map(self._file_bytes, lost)), free_bytes(self._folder)
        if free < needed:
            raise DiskFull(
                f"the repaired files need {in_words(needed)} ({needed} bytes), "
                f"{self._folder} has {in_words(free)} free ({free} bytes)",
                subject=str(self._folder),
                hint="make room, or write them elsewhere with --into DIR",
            )

    @contextlib.contextmanager
    def _begun(self, number: int) -> Iterator[FileIO]:
        partial = self._partial(number)
        with writing_errors(partial):
            Folder(self._folder).unlink(partial.name)
            Folder(self._folder).open(partial.name, "x+").close()
        self._made[number] = len(self._description.stripes_of(number))
        with writing_errors(partial), open_volume(partial) as file:
            yield file

    def _base(self, number: int) -> int:
        return self._description.parity_offset if number > self._description.volumes else 0

    def _write(self, file: FileIO, number: int, stripe: int, block: bytes, base: int | None = None) -> None:
        file.seek((self._base(number) if base is None else base) + stripe * self._description.block_bytes)
        write_all(file, block)

    def _complete(self, file: FileIO, number: int) -> None:
        """Write what stands around the parity of a recovery volume, where it is wrong, and flush."""
        if number > self._description.volumes:
            for offset, piece in self._mender.protection.stretches(number):
                file.seek(offset)
                if read_up_to(file, len(piece)) != piece:
                    file.seek(offset)
                    write_all(file, piece)
        os.fsync(file.fileno())

    def _prove(self) -> None:
        """Read everything, and compare it with the ledger, before a file of the bundle is changed."""
        for part in self._bundle.check(self._read):
            if part.error is not None and not part.made_good:
                raise self._beyond(self._why(part.error)) from part.error

    def _why(self, error: TransloadError) -> str:
        """What is lost, in terms of volumes if possible."""
        try:
            self._mender.check_mendable()
        except Unmendable as unmendable:
            return str(unmendable)
        return str(error)

    def _beyond(self, why: str) -> BeyondRepair:
        return BeyondRepair(
            f"{self._bundle.locator} has lost more than its recovery volumes replace: {why}",
            subject=self._bundle.locator,
            hint="nothing was changed; another copy of any volume helps, under any name, also with --volumes DIR",
        )

    # --- mending

    def _mend(self) -> Mapping[int, int]:
        """Mend what is damaged, in its file or beside; the number of blocks written by volume."""
        mended = {}
        for number in self._description.numbers:
            if number in self._made or not self._needs_mending(number):
                continue
            if self._in_place:
                mended[number] = self._mend_in_place(number)
            else:
                self._copy(number)
        return mended

    def _needs_mending(self, number: int) -> bool:
        return number in self._moves or self._bundle.problem_of(number) is not None

    def _copy(self, number: int) -> None:
        with self._begun(number) as file:
            for stripe in self._description.stripes_of(number):
                self._write(file, number, stripe, self._mender.block(number, stripe))
            self._complete(file, number)
        self._made[number] = len(self._mender.wrong.get(number, ()))

    def _mend_in_place(self, number: int) -> int:
        place = self._place(number)
        stripes = self._description.stripes_of(number)
        wrong = [stripe for stripe in stripes if not self._mender.has(place, number, stripe)]
        size, wanted = self._mender.sizes_of(place, number)
        with writing_errors(place.path), open_volume(place.path) as file:
            for stripe in wrong:
                self._write(file, number, stripe, self._mender.block(number, stripe), place.offset)
            self._complete(file, number)
            if size > wanted:
                file.truncate(wanted)
                os.fsync(file.fileno())
        return len(wrong)

    def _place(self, number: int) -> Place:
        if number in self._moves:
            return Place(self._moves[number], self._base(number))
        own = self._mender.named(number)
        assert own is not None  # noqa: S101 - what has no file was made
        return own

    # --- names and sums

    def _settle(self, mended: Mapping[int, int]) -> Repaired:
        """List the sums of files, and give them their names; files that must make way are moved aside first."""
        files = {number: RepairedFile(self._place(number).path, "mended", count) for number, count in mended.items()}
        files |= {number: RepairedFile(self._final(number), "renamed", mended[number]) for number in self._moves}
        files |= {number: RepairedFile(self._final(number), "made", count) for number, count in self._made.items()}
        self._list_sums(files)
        listed = self._list_others() if self._in_place else ()
        for number, path in self._moves.items():
            with local_errors("renaming", path):
                path.replace(self._partial(number))
        aside = [self._named(number) for number in (*self._moves, *self._made)]
        if files:
            with local_errors("flushing", self._folder):
                fsync_folder(self._folder)
        return Repaired(tuple(files[number] for number in sorted(files)), tuple(path for path in aside if path), listed)

    def _list_sums(self, files: Mapping[int, RepairedFile]) -> None:
        """Write the lines of these files into `SHA256SUMS`, unless it has them: the files are as they were made."""
        sums = {}
        for number, file in files.items():
            if file.path.parent == self._folder:
                now = self._partial(number) if number in self._made else self._moves.get(number, file.path)
                sums[file.path.name] = _sum_of(now)
        if sums and not are_listed(self._folder, sums):
            write_sums(self._folder, sums)

    def _list_others(self) -> tuple[Path, ...]:
        """Write lines for files that are right and have none: `SHA256SUMS` was lost, or is damaged itself."""
        known = listed_sums(self._folder)
        places = ((number, self._mender.named(number)) for number in self._description.numbers)
        right = (place.path for number, place in places if place and place.path == self._final(number))
        lacking = tuple(path for path in right if path.name not in known)
        if lacking:
            write_sums(self._folder, {path.name: _sum_of(path) for path in lacking})
        return lacking

    def _named(self, number: int) -> Path | None:
        """Give the file of a volume its name; returns where the file is now that had the name."""
        final, aside = self._final(number), None
        own = self._mender.named(number)
        with local_errors("renaming", final):
            if self._in_place and own is not None and own.path.parent == self._folder and own.path.stat().st_size:
                aside = own.path.with_name(own.path.name + _ASIDE)
                own.path.replace(aside)
            elif final.is_dir():
                aside = final.with_name(final.name + _ASIDE)
                final.replace(aside)
            self._partial(number).replace(final)
        return aside


def _sum_of(path: Path) -> str:
    with local_errors("reading", path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
