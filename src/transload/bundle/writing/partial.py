"""The files of a bundle that is being made: volumes called `.partial` until they are complete, and their disk space."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path

from transload.bundle.format.blueprint import Blueprint, ends, starts
from transload.bundle.format.edition import time_in, time_text
from transload.bundle.format.entries import Stored
from transload.bundle.format.stream import PathOf, StreamReader, joined, open_volume, writing_errors
from transload.bundle.format.volumes import JOURNAL, PARTIAL, RECORD, Cut, finished_name, split_file_name
from transload.bundle.writing.journal import PackJournal, time_begun
from transload.bundle.writing.sums import write_sums
from transload.errors import BundleExists, Busy, DiskFull, DocumentInvalid, LocalError, LocksMissing, VolumeMissing
from transload.files import Folder, check_file_size, free_bytes, fsync_folder, is_plain_name, local_errors
from transload.locks import claimed
from transload.wording import in_words

_LARGE_FILE = (4 << 30) - 1  # what FAT32 takes
_CUT = "cut it with --volume-size fat32, or format the medium with exFAT"


class Unfinished:
    """The unfinished volumes beside `path`, and the journal of the bundle with this blueprint.

    Raises `Busy` if another process is making the bundle, `BundleExists` if a finished one has its name, or the
    unfinished one has other contents.
    """

    def __init__(self, path: Path, blueprint: Blueprint) -> None:
        self.folder = path.parent
        self.cut: Cut = blueprint.cut
        self._name = path.name
        with local_errors("creating", self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        if not _journal(path).exists():
            _check_free(path, self.cut)
        self._known = check_file_size(self.folder, self.cut.size_of(1), str(self.final(1)), _CUT)
        self.progress = _opened(_journal(path), blueprint)
        if self.progress.whole:
            try:
                self._check_complete()
            except BaseException:
                self.progress.close()
                raise

    def _check_complete(self) -> None:
        """Check that nobody has moved volumes that were complete but had no line in `SHA256SUMS` yet."""
        for volume in self.cut.numbers:
            if self._sizes.get(volume) != self.cut.size_of(volume):
                raise VolumeMissing(
                    f"{self.final(volume)} was complete and is not there any more, before its sum was listed",
                    subject=str(self.final(volume)),
                    hint=f"put it back, or delete {_journal(self.folder / self._name)} to pack everything again",
                )

    def final(self, volume: int) -> Path:
        """The path of a volume when the bundle is finished."""
        return self.folder / self.cut.file_name(self._name, volume)

    def path(self, volume: int) -> Path:
        """The path of a volume now. After a crash during the renaming, only some have their final names."""
        final = self.final(volume)
        partial = final.with_name(final.name + PARTIAL)
        return final if self.progress.whole and not partial.exists() else partial

    def reach(self, member: Stored) -> bool:
        """Whether the volumes still reach to the end of a member that was written: somebody may have deleted one."""
        spans = self.cut.spans(starts(member), ends(member) - starts(member))
        return all(self._sizes.get(span.volume, 0) >= span.offset + span.length for span in spans)

    @cached_property
    def _sizes(self) -> Mapping[int, int]:
        """The sizes of the volumes as an earlier run left them."""
        sizes = {}
        for volume in self.cut.numbers:
            with local_errors("looking at", self.path(volume)), contextlib.suppress(FileNotFoundError):
                sizes[volume] = self.path(volume).stat().st_size
        return sizes

    def create(self) -> None:
        """Make empty volumes where there are none. Raises `LocalError` if the file system refuses their size."""
        fresh = not self.progress.known
        largest = self.cut.size_of(1)
        for volume in self.cut.numbers:
            path = self.path(volume)
            with writing_errors(path), Folder(path.parent).open(path.name, "a+") as file:
                if fresh and volume == 1 and largest > _LARGE_FILE and not self._known:
                    file.truncate(largest)  # a file system without such files refuses now, and not hours later
                if fresh or file.tell() > self.cut.size_of(volume):  # left by another bundle
                    file.truncate(0)

    def free_bytes(self) -> int:
        """Free bytes on the disk."""
        return free_bytes(self.folder)

    def allocated_bytes(self) -> int:
        """The bytes on the disk that the volumes occupy already, if the system says."""
        total = 0
        for volume in self.cut.numbers:
            with contextlib.suppress(FileNotFoundError):
                total += getattr(self.path(volume).stat(), "st_blocks", 0) * 512
        return total

    def check_space(self, needed: int) -> None:
        """Raises `DiskFull` if there is less room than `needed`."""
        free = self.free_bytes()
        if free < needed:
            raise DiskFull(
                f"the bundle needs {in_words(needed)} more ({needed} bytes), "
                f"{self.folder} has {in_words(free)} free ({free} bytes)",
                subject=str(self.folder),
                hint=f"make room for {in_words(needed - free)}, or choose another disk, and run the same command again",
            )

    @contextlib.contextmanager
    def telling_numbers(self, missing: Callable[[], int]) -> Iterator[None]:
        """If the disk gets full in the block, the error has the numbers; `missing` gives the bytes still to write."""
        try:
            yield
        except DiskFull as error:
            raise DiskFull(
                f"no space left in {self.folder}: {in_words(missing())} of {in_words(self.cut.size)} are still to be "
                f"written, {in_words(self.free_bytes())} are free",
                subject=str(self.folder),
                hint="make room and run the same command again, it goes on where this one stopped",
            ) from error

    def sync(self) -> None:
        """Flush the volumes, and note the blobs that were done before."""
        count = self.progress.count  # blobs that are noted later may not be flushed
        for volume in self.cut.numbers:
            path = self.path(volume)
            with writing_errors(path), open_volume(path) as file:
                os.fsync(file.fileno())
        self.progress.note_synced(count)

    def publish(self, sums: Mapping[int, str]) -> tuple[Path, ...]:
        """Give complete, flushed volumes their names and list their sums; returns all files."""
        paths = [self.final(volume) for volume in self.cut.numbers]
        for volume, path in zip(self.cut.numbers, paths, strict=True):
            with local_errors("renaming", path):
                self.path(volume).replace(path)
        listed = write_sums(self.folder, {self.final(volume).name: sums[volume] for volume in self.cut.numbers})
        with local_errors("flushing", self.folder):
            fsync_folder(self.folder)
        _delete_record(self.folder / self._name)
        self.progress.delete()
        return (*paths, listed)


def is_begun(path: Path) -> bool:
    """Whether a bundle of this name is there, finished or not, whatever is in it."""
    taken = (_journal(path), path.with_name(f"{path.name}.tar"))
    return any(map(Path.exists, taken)) or any(
        file.name.endswith(".tar") and split_file_name(file.name)[0] == path.name for file in path.parent.iterdir()
    )


def is_finished(path: Path, blueprint: Blueprint) -> bool:
    """Whether the finished bundle at `path` has this ledger and signature, and volumes of the right sizes.

    Its blobs are not read: `BundleStore.check` does that.
    """
    cut = blueprint.cut
    if not has_volumes(path, cut):
        return False
    return has_head(blueprint, lambda volume: _finished(path, cut, volume))


def has_head(blueprint: Blueprint, path_of: PathOf) -> bool:
    """Whether these volumes begin as the bundle does."""
    with StreamReader(blueprint.cut, path_of, 0) as reader:
        return all(reader.read(len(chunk)) == chunk for chunk in joined(blueprint.head_pieces()))


def has_volumes(path: Path, cut: Cut) -> bool:
    """Whether a finished bundle is at `path` that is cut like this, whatever is in it.

    The journal is deleted last: while it is there, an earlier run was ended before it had given all files their names
    and listed their sums.
    """
    if _journal(path).exists():
        return False
    files = {volume: _finished(path, cut, volume) for volume in cut.numbers}
    with local_errors("reading", path.parent):
        return all(file.is_file() and file.stat().st_size == cut.size_of(volume) for volume, file in files.items())


def _finished(path: Path, cut: Cut, volume: int) -> Path:
    return path.with_name(cut.file_name(path.name, volume))


def discard(path: Path) -> None:
    """Delete the files of an unfinished bundle. Raises `Busy` if another process is making it."""
    journal = _journal(path)
    if not journal.exists():
        return
    with (
        contextlib.suppress(LocksMissing),
        claimed(Folder(journal.parent), journal.name),
        local_errors("deleting", path),
    ):
        for file in path.parent.iterdir():
            name = finished_name(file.name)
            if name is not None and split_file_name(name)[0] == path.name:
                file.unlink()
        _delete_record(path)


def _delete_record(path: Path) -> None:
    """Delete the transfer record that was kept for the run that goes on: the bundle has it."""
    record = path.with_name(f"{path.name}{RECORD}")
    with local_errors("deleting", record):
        record.unlink(missing_ok=True)


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}{JOURNAL}")


def begun(path: Path) -> datetime | None:
    """When the unfinished bundle at `path` was packed first; None if there is none, or it does not say."""
    with contextlib.suppress(DocumentInvalid):
        text = time_begun(_journal(path))
        return time_in(text) if text else None
    return None


def _opened(journal: Path, blueprint: Blueprint) -> PackJournal:
    edition = blueprint.ledger.edition
    try:
        return PackJournal(journal, blueprint.digest, time_text(edition.packed) if edition else None)
    except LocalError as error:
        name = journal.name.removesuffix(JOURNAL)
        if isinstance(error, Busy) or is_plain_name(name):
            raise
        raise LocalError(
            f"the file system of {journal.parent} does not take the name {name}",
            subject=str(journal),
            hint='write a name without \\ : * ? " < > | in it, and without a dot or a blank at its end',
        ) from error


def _check_free(path: Path, cut: Cut) -> None:
    """Raises `BundleExists` if the name is taken, also by volumes of another size: they would be mixed up.

    Some file systems do not tell capitals from small letters.
    """
    taken = (path.with_name(f"{path.name}.tar"), path.with_name(cut.file_name(path.name, 1)))
    for file in (*filter(Path.exists, taken), *sorted(path.parent.iterdir())):
        if file in taken or (file.name.endswith(".tar") and split_file_name(file.name)[0] == path.name):
            raise BundleExists(
                f"{file} exists already", subject=str(file), hint="delete it, or give the new bundle another name"
            )
