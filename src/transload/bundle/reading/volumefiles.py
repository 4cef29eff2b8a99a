"""Finding the volumes of a bundle: in several folders, on disks that come later, and whether they are what they say.

A volume is a cut of a plain tar stream and carries no name of its own. What tells it is the header of the first member
that begins in it: its digest and its place are known from the ledger. A volume in the middle of one huge blob has no
header; then only the blob's digest tells.
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
from transload.bundle.format.tarheader import header
from transload.bundle.format.volumes import Cut, before_copying, file_name, is_volume_name, spellings, split_file_name
from transload.errors import (
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

_DAMAGED_BYTES = 24
_GUESSES = 50_000  # at which volume a wrong file may be, all files together
_TRIED = 16  # headers to look at before a volume is called foreign rather than damaged


@frozen
class WantedVolume:
    """A volume that is needed and not there, or not as it should be: `problem` says which."""

    number: int
    count: int
    file_name: str
    size: int
    problem: TransloadError


Ask = Callable[[WantedVolume], Path | None]
"""Where a wanted volume is: its file, or a folder that it is in; None to do without it. One thread asks at a time."""


class Located:
    """Where the user says that a bundle is: a name and folders to look in."""

    def __init__(self, paths: Sequence[Path]) -> None:
        if not paths:
            raise UsageError("no bundle was named")
        first = paths[0]
        with local_errors("looking for", first):
            if first.is_dir():
                self.folders, (self.name, number) = [first], (_only_bundle_in(first), None)
            else:
                self.folders, (self.name, number) = [first.parent], _split(first.name)
                if number not in (None, 1) and _begins_a_stream(first):  # a whole one whose name ends in digits
                    self.name, number = first.name[: -len(".tar")], None
            self.folders += [path if path.is_dir() else path.parent for path in paths[1:]]
        self.label = str(self.folders[0] / self.name)
        # Beside volumes may lie their concatenation; what was named decides, else the whole is simpler.
        self.whole = None if number is not None else self._whole_stream(first)

    def _whole_stream(self, named: Path) -> Path | None:
        if is_volume_name(named.name) and named.is_file():
            return named
        return self._in_folders([file_name(self.name, None)])

    def find(self, volume: int) -> Path | None:
        """The file of a volume, None if there is none."""
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

    def hint_for(self, names: Iterable[str]) -> str:
        """What to do about a missing volume, which may be called any of these."""
        wanted = {spelt for name in names for spelt in spellings(name)}
        for folder in filter(Path.is_dir, self.folders):
            for path in folder.iterdir():
                plain = before_copying(path.name)
                if plain != path.name and plain in wanted:
                    return f"{path} seems to be it under another name: rename it to {plain}"
        return "put it beside the others; push, verify, list, extract and serve also take --volumes DIR"

    def first(self) -> Path:
        """The file that the stream begins in. Raises `LocalError`, or `VolumeMissing` if there are only later ones."""
        found = self.find(1)
        if found is not None:
            return found
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
        raise LocalError(
            f"there is no bundle {self.label}", subject=self.label, hint="check the path, or mount the medium"
        )


def _split(text: str) -> tuple[str, int | None]:
    """See `split_file_name`; of a volume that was renamed, what it was called before."""
    plain = split_file_name(before_copying(text))
    return split_file_name(text) if plain[1] is None else plain


def _begins_a_stream(path: Path) -> bool:
    try:
        return read_file(path, len(MARKER)) == MARKER.encode()
    except FileNotFoundError:
        return False


def _only_bundle_in(folder: Path) -> str:
    split = [_split(path.name) for path in folder.iterdir() if is_volume_name(path.name)]
    begun = sorted({name for name, number in split if number in (1, None)})
    found = begun or sorted({name for name, _ in split})  # the first volume may lie elsewhere, or lack
    if len(found) != 1:
        what = f"several bundles: {', '.join(found[:5])}" if found else "no bundle"
        raise (UsageError if found else NotFound)(
            f"{folder} holds {what}", subject=str(folder), hint=f"write {folder / 'NAME'}" if found else None
        )
    return found[0]


class Volumes:
    """The volumes that `ledger` tells of, each looked at once when it is first needed."""

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
        """Whether what is missing may still come."""
        return self._ask is not None

    def file_name(self, volume: int) -> str:
        """What a volume's file is called."""
        return self.cut.file_name(self._located.name, volume)

    def path(self, volume: int) -> Path:
        """The file of a volume. Raises `VolumeMissing`, `VolumeForeign`, `VolumeSwapped`.

        One that is too short is given nevertheless, since what is in it can be read; see `check_size`.
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
        given = self._located.find(volume)
        while True:
            try:
                return self._checked(given, volume)
            except (VolumeMissing, VolumeForeign, VolumeSwapped) as error:
                answer = self._ask(self._wanted(volume, error)) if self._ask else None
                if answer is None:
                    self._refused[volume] = error
                    raise
            if answer.is_dir():
                self._located.folders.insert(0, answer)
                given = self._located.find(volume)
            else:
                given = answer

    def _wanted(self, volume: int, problem: TransloadError) -> WantedVolume:
        return WantedVolume(volume, self.cut.count, self.file_name(volume), self.cut.size_of(volume), problem)

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
            stands = [_stands(file, *each) for each in headers if each[0] + len(each[1]) <= size]
            other = None if all(stands[:1]) else self._told_by(file, volume)
        if other is not None:
            raise VolumeSwapped(
                f"{path} holds volume {other}, not volume {volume}",
                subject=name,
                hint=f"rename it to {self.file_name(other)}",
            )
        if size > self.cut.size_of(volume) or (stands and not any(stands)):
            raise VolumeForeign(
                f"{path} does not belong to this bundle, or is damaged from the start",
                subject=name,
                hint=f"look for the right {name}",
            )
        return path

    def _told_by(self, file: BinaryIO, claimed: int) -> int | None:
        """Which other volume has its first header where one stands in this file."""
        for volume in self.cut.numbers:
            self._guesses -= 1
            if self._guesses < 0:  # thousands of wrong files: what each of them is matters little
                return None
            if volume != claimed and any(_stands(file, *each) for each in self._headers.in_volume(self.cut, volume, 1)):
                return volume
        return None

    def check_size(self, volume: int, end: int | None = None) -> None:
        """Raises `VolumeTruncated` if the file is shorter than `end`, by default than the whole volume."""
        path, wanted = self.path(volume), self.cut.size_of(volume)
        with local_errors("reading", path):
            size = path.stat().st_size
        if size < (wanted if end is None else end):
            raise VolumeTruncated(
                f"{path} has {size} bytes, volume {volume} has {wanted}",
                subject=self.file_name(volume),
                hint="copy it again from where it was made",
            )


def _stands(file: BinaryIO, place: int, wanted: bytes) -> bool:
    """Whether a header stands there, a few bytes of it damaged perhaps: another one differs in most of its digest."""
    file.seek(place)
    found = file.read(len(wanted))
    differing = sum(one != other for one, other in zip(found, wanted, strict=False))
    return len(found) == len(wanted) and differing <= _DAMAGED_BYTES


class _Headers:
    """Where which header stands."""

    def __init__(self, ledger: Ledger) -> None:
        members: tuple[Stored, ...] = (*ledger.extras, *ledger.blobs)
        self._members = sorted(members, key=starts)
        self._starts = [starts(member) for member in self._members]

    def in_volume(self, cut: Cut, volume: int, most: int) -> Iterator[tuple[int, bytes]]:
        """The first headers that lie wholly in a volume: where in its file, and their bytes."""
        begin = cut.start_of(volume)
        end = begin + cut.size_of(volume)
        place = bisect_left(self._starts, begin)
        for member, start in zip(self._members[place : place + most], self._starts[place : place + most], strict=True):
            content = header(member.path, member.size)
            if start + len(content) > end:
                return
            yield start - begin, content
