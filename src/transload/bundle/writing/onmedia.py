"""Writes a bundle to several media that are mounted at the same place, one after the other.

A volume is written from its beginning to its end, flushed, listed in the medium's own `SHA256SUMS`, and named; then it
is noted in a file of this machine that it is done. Invariants, at whatever moment the process ends:
1. a file with a volume's final name is complete and flushed, and its sum was noted before it was named;
2. a volume that is noted as done is not written again.
A volume that was not finished is written again from its beginning.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path

from transload.bundle.format.blueprint import Blueprint, ends, starts
from transload.bundle.format.entries import Stored
from transload.bundle.format.member import Read
from transload.bundle.format.stream import writing_errors
from transload.bundle.format.volumes import PARTIAL, split_file_name
from transload.bundle.writing.sequence import Sequence
from transload.bundle.writing.sums import write_sums
from transload.bundle.writing.written import WrittenVolumes
from transload.errors import CorruptError, LocksMissing, MediumDamaged, MediumWanted
from transload.files import (
    Folder,
    check_file_size,
    chunks_of,
    free_bytes,
    fsync_folder,
    local_errors,
    mount_point,
    open_file,
    write_all,
)
from transload.files.readback import ReadBack
from transload.values import frozen
from transload.wording import in_words

_SMALLER = "choose smaller volumes: --volume-size fat32"
_BESIDE_BYTES = 1 << 20  # for SHA256SUMS, and what the file system needs for itself


@frozen(kw_only=True)
class WantedMedium:
    """A medium with room for the next volume is needed at `folder`; `problem` says what is the matter there now."""

    folder: Path
    number: int
    count: int
    file_name: str
    size: int
    problem: str


Ask = Callable[[WantedMedium], bool]
"""Asks for a medium. True when another one may be in place, False to leave the rest for another run."""


class MediaWriter:
    """Writes the volumes of `blueprint` called `path`; `written` remembers which are done."""

    def __init__(self, path: Path, blueprint: Blueprint, written: WrittenVolumes) -> None:
        self._path = path
        self._folder = path.absolute().parent
        self._cut = blueprint.cut
        self._blueprint = blueprint
        self._written = written

    def is_done(self, member: Stored) -> bool:
        """Whether a member lies on media that are written already."""
        spans = self._cut.spans(starts(member), ends(member) - starts(member))
        return all(span.volume in self._written.done for span in spans)

    @property
    def left(self) -> tuple[int, ...]:
        """The numbers of the volumes that are still to be written."""
        return tuple(volume for volume in self._cut.numbers if volume not in self._written.done)

    def write(
        self, sequence: Sequence, ask: Ask | None, tell: Callable[[str], None], back: ReadBack | None, read: Read
    ) -> None:
        """Write all volumes that are left, from `sequence`. `tell` gets a sentence for each that is done.

        With `back`, each volume is read from the medium and compared, `read` counts the bytes. Raises `MediumWanted`
        if there is nobody to ask, `MediumDamaged`, `DigestMismatch`.
        """
        for volume in self.left:
            self._await_room(volume, ask)
            final = self._final(volume)
            if place := mount_point(self._folder):
                self._written.note_mount(place)
            if not final.exists():
                self._write(sequence, volume, final, back, read)
            self._written.note_done(volume)
            size, count = in_words(self._cut.size_of(volume)), self._cut.count
            tell(f"volume {volume} of {count} is written: {final} ({size})")

    def _final(self, volume: int) -> Path:
        return self._folder / self._cut.file_name(self._path.name, volume)

    def _await_room(self, volume: int, ask: Ask | None) -> None:
        while (problem := self._problem(volume)) is not None:
            final = self._final(volume)
            wanted = WantedMedium(
                folder=self._folder,
                number=volume,
                count=self._cut.count,
                file_name=final.name,
                size=self._cut.size_of(volume),
                problem=problem,
            )
            if ask is None or not ask(wanted):
                raise MediumWanted(
                    f"the next medium is needed for {final.name}, volume {volume} of {self._cut.count} "
                    f"({in_words(wanted.size)}): {problem}",
                    subject=str(final),
                    hint="put another one in at the same place and run the same command again: it goes on there",
                )

    def _problem(self, volume: int) -> str | None:
        """Why the volume cannot be written to what is mounted now; None if it can.

        Raises `LocalError` if that takes no files of this size, however much room another one like it has.
        """
        final = self._final(volume)
        if not self._folder.is_dir():
            return f"there is no folder {self._folder}"
        if place := self._without_medium():
            return f"nothing is mounted at {place}"
        check_file_size(self._folder, self._cut.size_of(volume), str(final), _SMALLER)
        if final.exists():
            return None if self._is_ours(volume, final) else f"{final} is there already, and no run has noted it"
        if other := self._of_another_cut():
            return f"{other} is there already, and belongs to another bundle of this name"
        partial = final.with_name(final.name + PARTIAL)
        there = partial.stat().st_size if partial.is_file() else 0
        free, needed = free_bytes(self._folder) + there, self._cut.size_of(volume) + _BESIDE_BYTES
        if free < needed:
            return f"{self._folder} has {in_words(free)} free, and {in_words(needed)} are needed"
        return None

    def _without_medium(self) -> Path | None:
        """Where a medium was mounted before, and none is now, so that the folder is on the computer's own disk."""
        folder = self._folder.resolve()
        return next((place for place in self._written.mounts if self._is_bare(place, folder)), None)

    @staticmethod
    def _is_bare(place: Path, folder: Path) -> bool:
        return folder.is_relative_to(place) and not os.path.ismount(place)

    def _of_another_cut(self) -> Path | None:
        """A file that would be read as a part of this bundle, and is none, such as NAME.tar beside volumes."""
        ours = {self._final(volume).name for volume in self._cut.numbers}
        names = sorted(entry.name for entry in self._folder.iterdir() if entry.name.lower().endswith(".tar"))
        others = (name for name in names if split_file_name(name)[0] == self._path.name and name not in ours)
        return next((self._folder / name for name in others), None)

    def _is_ours(self, volume: int, final: Path) -> bool:
        """Whether a run that was killed has finished the volume, but not noted it."""
        if final.stat().st_size != self._cut.size_of(volume) or volume not in self._written.sums:
            return False
        hasher = hashlib.sha256(usedforsecurity=False)
        with local_errors("reading", final), open_file(final) as file:
            for chunk in chunks_of(file, final):
                hasher.update(chunk)
        return hasher.hexdigest() == self._written.sums[volume]

    def _write(self, sequence: Sequence, volume: int, final: Path, back: ReadBack | None, read: Read) -> None:
        folder, partial = Folder(self._folder), final.with_name(final.name + PARTIAL)
        with _held(folder, partial.name) as file:
            try:
                value = self._filled(sequence, file, volume, partial)
            except CorruptError:
                self._written.forget(self._volumes_before(volume))
                raise
        if back is not None:
            _check(partial, value, back, read)
        self._written.note_sum(volume, value)
        write_sums(self._folder, {final.name: value})
        with local_errors("renaming", final):
            folder.move(partial.name, folder, final.name)
            fsync_folder(self._folder)

    def _filled(self, sequence: Sequence, file: FileIO, volume: int, path: Path) -> str:
        """Write a volume and flush it; its SHA-256."""
        hasher = hashlib.sha256(usedforsecurity=False)
        begin = self._cut.start_of(volume)
        with writing_errors(path):
            file.truncate(0)
        for chunk in sequence.between(begin, begin + self._cut.size_of(volume)):
            with writing_errors(path):
                write_all(file, chunk)
            hasher.update(chunk)
        with writing_errors(path):
            os.fsync(file.fileno())
        return hasher.hexdigest()

    def _volumes_before(self, volume: int) -> tuple[int, ...]:
        """The volumes that hold the beginning of a blob which reaches into this one."""
        begin = self._cut.start_of(volume)
        reaching = [member for member in self._blueprint.members if starts(member) < begin < ends(member)]
        spans = (self._cut.spans(starts(member), begin - starts(member)) for member in reaching)
        return tuple(span.volume for found in spans for span in found)


@contextmanager
def _held(folder: Folder, name: str) -> Iterator[FileIO]:
    """The open file of a volume, locked where the file system has locks. Raises `Busy`, `LocalError`."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(folder.locked(name))
        except LocksMissing:
            with local_errors("opening", folder.path / name):
                file = stack.enter_context(folder.open(name, "a+"))
        yield file


def _check(path: Path, sum_: str, back: ReadBack, read: Read) -> None:
    hasher = hashlib.sha256(usedforsecurity=False)
    for chunk in back.chunks(path):
        hasher.update(chunk)
        read(len(chunk))
    if hasher.hexdigest() != sum_:
        raise MediumDamaged(
            f"{path} does not read back as it was written",
            subject=str(path),
            hint="the medium or its reader fails: put in another one and run the same command again",
        )
