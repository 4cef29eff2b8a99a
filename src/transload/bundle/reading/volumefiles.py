"""Finds the volumes of a bundle, in several folders and on disks that come later, and checks which volume a file is.

A volume is a piece of a plain tar stream and has no name inside. It is recognised by the header of the first member
that begins in it, whose digest and offset the ledger states. A volume in the middle of one huge blob has no header;
then only the blob's digest can show that it is right.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from transload.bundle.format.blueprint import starts
from transload.bundle.format.ledger import Ledger, Stored
from transload.bundle.format.recovery import recovery_name, split_recovery_name
from transload.bundle.format.tarheader import header
from transload.bundle.format.volumes import (
    Cut,
    before_copying,
    file_name,
    finished_name,
    is_volume_name,
    spellings,
    split_file_name,
)
from transload.errors import (
    BundleUnfinished,
    LocalError,
    NotFound,
    TransloadError,
    UsageError,
    VolumeForeign,
    VolumeMissing,
    VolumeSwapped,
    VolumeTruncated,
)
from transload.files import local_errors, open_file, read_file
from transload.oci.imagelayout import MARKER
from transload.wording import number_of

_DAMAGED_BYTES = 24
_GUESSES = 50_000  # how often a wrong file is compared with another volume, for all files together
_FINISH = "run the pack command that began it once more, where it was begun: it goes on there, and finishes the bundle"
_TRIED = 16  # headers to look at before a volume is called foreign rather than damaged


@frozen(kw_only=True)
class WantedVolume:
    """A volume that is needed, but missing or wrong; `problem` says what is the matter."""

    number: int
    count: int
    file_name: str
    size: int
    problem: TransloadError


Ask = Callable[[WantedVolume], Path | None]
"""Gives the file of a wanted volume, or a folder with it; None to go on without it. One thread asks at a time."""


class Located:
    """Where a bundle is, as the user says: a name, and folders to look in."""

    def __init__(self, paths: Sequence[Path]) -> None:
        if not paths:
            raise UsageError("no bundle was named")
        first = paths[0]
        with local_errors("looking for", first):
            if first.is_dir():
                self.folders, (self.name, number) = [first], (_only_bundle_in(first), None)
            else:
                named = finished_name(first.name) or first.name
                self.folders, (self.name, number) = [first.parent], _split(named)
                if number not in (None, 1) and _begins_a_stream(first):  # not cut: its name only ends in digits
                    self.name, number = first.name[: -len(".tar")], None
            self.folders += [path if path.is_dir() else path.parent for path in paths[1:]]
        self.label = str(self.folders[0] / self.name)
        # The joined file may be beside the volumes. The file that was named counts, else the joined one is simpler.
        self.whole = None if number is not None else self._whole_stream(first)

    def _whole_stream(self, named: Path) -> Path | None:
        if is_volume_name(named.name) and named.is_file() and split_recovery_name(named.name) is None:
            return named
        return self._in_folders([file_name(self.name, None)])

    def find(self, volume: int) -> Path | None:
        """The file of a volume; None if there is none."""
        if self.whole is not None:
            return self.whole if volume == 1 else None
        return self._in_folders([file_name(self.name, volume), file_name(self.name, volume, 1000)])

    def _in_folders(self, candidates: list[str]) -> Path | None:
        for folder in self.folders:
            for path in (folder / spelt for candidate in candidates for spelt in spellings(candidate)):
                with local_errors("looking for", path):
                    if path.is_file():
                        return path
        return None

    def find_recovery(self, row: int) -> Path | None:
        """The file of a recovery volume; None if there is none."""
        return self._in_folders([recovery_name(self.name, row)])

    def recovery_files(self) -> list[Path]:
        """All files that are recovery volumes by their names, also those that were not yet given their final names."""
        return [path for path in self.tar_files() if split_recovery_name(_plain(path))]

    def own_recovery_files(self) -> list[Path]:
        """Those that have the name of this bundle."""
        return [path for path in self.recovery_files() if _split(_plain(path))[0] in {self.name, self.name.upper()}]

    def tar_files(self) -> list[Path]:
        """All files that may be volumes, whatever their names, also unfinished ones."""
        with local_errors("looking into", self.folders[0]):
            return sorted(
                path
                for folder in dict.fromkeys(self.folders)
                if folder.is_dir()
                for path in folder.iterdir()
                if is_volume_name(finished_name(path.name) or path.name) and path.is_file()
            )

    def hint_for(self, names: Iterable[str]) -> str:
        """A hint about a missing volume, which may have any of these names."""
        wanted = {spelt for name in names for spelt in spellings(name)}
        for folder in filter(Path.is_dir, self.folders):
            for path in folder.iterdir():
                plain = before_copying(path.name)
                if finished_name(path.name) in wanted:
                    return f"{path} is there: the bundle was not finished; {_FINISH}"
                if plain != path.name and plain in wanted:
                    return f"{path} seems to be it under another name: rename it to {plain}"
        return "put it beside the others; push, verify, repair, list, extract and serve also take --volumes DIR"

    def first(self) -> Path:
        """The file with the beginning of the stream. Raises `LocalError`, or `VolumeMissing` if only others exist."""
        path = self.find(1)
        if path is not None:
            return path
        with local_errors("looking for", self.folders[0]):
            later = [
                path.name
                for folder in self.folders
                if folder.is_dir()
                for path in folder.iterdir()
                if _split(path.name)[0] in {self.name, self.name.upper()} and _split(path.name)[1]
            ]
        if later:
            raise VolumeMissing(
                f"{file_name(self.name, 1)} is missing, and it says what is in the other volumes",
                subject=file_name(self.name, 1),
                hint=self.hint_for([file_name(self.name, 1), file_name(self.name, 1, 1000)]),
            )
        unfinished = [path for folder in self.folders for path in _unfinished(folder) if _is_of(path, self.name)]
        if unfinished:
            only = f"there is only {unfinished[0]}"
            raise BundleUnfinished(f"the bundle is not finished: {only}", subject=self.label, hint=_FINISH)
        raise LocalError(
            f"there is no bundle {self.label}", subject=self.label, hint="check the path, or mount the medium"
        )


def _plain(path: Path) -> str:
    """The name of a file as it was meant."""
    return before_copying(finished_name(path.name) or path.name)


def _split(text: str) -> tuple[str, int | None]:
    """As `split_file_name`; for a copy that got another name, the parts of its old name. A recovery volume has none."""
    recovery = split_recovery_name(before_copying(text))
    if recovery is not None:
        return recovery[0], None
    plain = split_file_name(before_copying(text))
    return split_file_name(text) if plain[1] is None else plain


def _unfinished(folder: Path) -> list[Path]:
    """The unfinished volumes in a folder, sorted."""
    with local_errors("looking into", folder):
        return sorted(path for path in folder.iterdir() if finished_name(path.name)) if folder.is_dir() else []


def _is_of(path: Path, name: str) -> bool:
    """Whether an unfinished volume belongs to the bundle called `name`."""
    return split_file_name(finished_name(path.name) or "")[0] in {name, name.upper()}


def _begins_a_stream(path: Path) -> bool:
    try:
        return read_file(path, len(MARKER)) == MARKER.encode()
    except FileNotFoundError:
        return False


def _only_bundle_in(folder: Path) -> str:
    split = [_split(path.name) for path in folder.iterdir() if is_volume_name(path.name)]
    with_first_volume = sorted({name for name, number in split if number in (1, None)})
    bundles = with_first_volume or sorted({name for name, _ in split})  # the first volume may be elsewhere, or missing
    if not bundles:
        bundles = sorted({split_file_name(finished_name(path.name) or "")[0] for path in _unfinished(folder)})
    if len(bundles) != 1:
        what = f"several bundles: {', '.join(bundles[:5])}" if bundles else "no bundle"
        raise (UsageError if bundles else NotFound)(
            f"{folder} holds {what}", subject=str(folder), hint=f"write {folder / 'NAME'}" if bundles else None
        )
    return bundles[0]


class Volumes:
    """The volumes of `ledger`. Each file is checked once, when it is first needed."""

    def __init__(self, located: Located, ledger: Ledger, ask: Ask | None) -> None:
        self.cut = Cut(ledger.size, None) if located.whole else ledger.cut
        self._located = located
        self._ask = ask
        self._headers = _Headers(ledger)
        self._good: dict[int, Path] = {}
        self._refused: dict[int, TransloadError] = {}
        self._guesses = _GUESSES
        self._lock = threading.Lock()

    @property
    def asks(self) -> bool:
        """Whether a missing volume may still come."""
        return self._ask is not None

    @property
    def name(self) -> str:
        """The name of the bundle."""
        return self._located.name

    @property
    def folder(self) -> Path:
        """The folder in which the bundle was named."""
        return self._located.folders[0]

    @property
    def whole(self) -> Path | None:
        """The file of the whole stream, if there is one."""
        return self._located.whole

    @property
    def repair_hint(self) -> str:
        """What to do about damage that can be made good."""
        return f"it can be repaired: transload repair {self._located.label}"

    def file_name(self, volume: int) -> str:
        """The name of a volume's file."""
        return self.cut.file_name(self._located.name, volume)

    def path(self, volume: int) -> Path:
        """The file of a volume. Raises `VolumeMissing`, `VolumeForeign`, `VolumeSwapped`.

        A volume that is too short is returned too, since its content can be read; see `check_size`.
        """
        known = self._good.get(volume)
        if known is not None and known.is_file():  # a disk may have been taken out
            return known
        with self._lock:
            if volume in self._refused:
                raise self._refused[volume]
            path = self._look(volume)
            self._good[volume] = path
            return path

    def _look(self, volume: int) -> Path:
        path = self._located.find(volume)
        while True:
            try:
                return self._checked(path, volume)
            except (VolumeMissing, VolumeForeign, VolumeSwapped) as error:
                answer = self._ask(self._wanted(volume, error)) if self._ask else None
                if answer is None:
                    self._refused[volume] = error
                    raise
            if answer.is_dir():
                self._located.folders.insert(0, answer)
                path = self._located.find(volume)
            else:
                path = answer

    def _wanted(self, volume: int, problem: TransloadError) -> WantedVolume:
        return WantedVolume(
            number=volume,
            count=self.cut.count,
            file_name=self.file_name(volume),
            size=self.cut.size_of(volume),
            problem=problem,
        )

    def _checked(self, path: Path | None, volume: int) -> Path:
        name = self.file_name(volume)
        if path is None or not path.is_file():
            raise VolumeMissing(
                f"volume {volume} of {self.cut.count}, {name}, is missing",
                subject=name,
                hint=self._located.hint_for([name]),
            )
        with local_errors("reading", path), open_file(path) as file:
            size = path.stat().st_size
            headers = self._headers.in_volume(self.cut, volume, _TRIED)
            matches = [_stands(file, *expected) for expected in headers if expected[0] + len(expected[1]) <= size]
            other = None if all(matches[:1]) else self._told_by(file, volume)
        if other is not None:
            raise VolumeSwapped(
                f"{path} holds volume {other}, not volume {volume}",
                subject=name,
                hint=f"rename it to {self.file_name(other)}",
            )
        if size > self.cut.size_of(volume) or (matches and not any(matches)):
            raise VolumeForeign(
                f"{path} does not belong to this bundle, or is damaged from the start",
                subject=name,
                hint=f"look for the right {name}",
            )
        return path

    def _told_by(self, file: BinaryIO, claimed: int) -> int | None:
        """The other volume that this file is, by its first header; None if it is none."""
        for volume in self.cut.numbers:
            self._guesses -= 1
            if self._guesses < 0:  # with thousands of wrong files, it matters little what each of them is
                return None
            if volume != claimed and any(
                _stands(file, *expected) for expected in self._headers.in_volume(self.cut, volume, 1)
            ):
                return volume
        return None

    def check_size(self, volume: int, end: int | None = None) -> None:
        """Raises `VolumeTruncated` if the file is shorter than `end`; by default, than the whole volume."""
        path, wanted = self.path(volume), self.cut.size_of(volume)
        with local_errors("reading", path):
            size = path.stat().st_size
        if size < (wanted if end is None else end):
            raise VolumeTruncated(
                f"{path} has {number_of(size, 'byte')}, volume {volume} has {wanted}",
                subject=self.file_name(volume),
                hint="copy it again from where it was made",
            )


def _stands(file: BinaryIO, offset: int, expected: bytes) -> bool:
    """Whether this header is at `offset`. A few bytes may be damaged: other headers differ in most of the digest."""
    file.seek(offset)
    content = file.read(len(expected))
    differing = sum(byte != other for byte, other in zip(content, expected, strict=False))
    return len(content) == len(expected) and differing <= _DAMAGED_BYTES


class _Headers:
    """The headers of all members, and their offsets."""

    def __init__(self, ledger: Ledger) -> None:
        members: tuple[Stored, ...] = (*ledger.extras, *ledger.blobs)
        self._members = sorted(members, key=starts)
        self._starts = [starts(member) for member in self._members]

    def in_volume(self, cut: Cut, volume: int, most: int) -> Iterator[tuple[int, bytes]]:
        """The first headers that are complete in a volume: the offset in its file, and their bytes."""
        begin = cut.start_of(volume)
        end = begin + cut.size_of(volume)
        position = bisect_left(self._starts, begin)
        for member, start in zip(
            self._members[position : position + most], self._starts[position : position + most], strict=True
        ):
            content = header(member.path, member.size)
            if start + len(content) > end:
                return
            yield start - begin, content
