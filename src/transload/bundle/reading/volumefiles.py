"""The volumes of a bundle, also on disks that come later; checks which volume a file is.

A volume is a piece of a plain tar stream and has no name inside. It is recognised by the header of the first member
that begins in it, whose digest and offset the ledger states. A volume in the middle of one huge blob has no header;
then only the blob's digest can show that it is right.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from transload.bundle.format.blueprint import starts
from transload.bundle.format.entries import Stored
from transload.bundle.format.ledger import Ledger
from transload.bundle.format.tarheader import header
from transload.bundle.format.volumes import (
    Cut,
)
from transload.bundle.reading.locating import Located
from transload.errors import (
    TransloadError,
    VolumeForeign,
    VolumeMissing,
    VolumeSwapped,
    VolumeTruncated,
)
from transload.files import local_errors, open_file
from transload.values import frozen
from transload.wording import number_of

_DAMAGED_BYTES = 24
_GUESSES = 50_000  # how often a wrong file is compared with another volume, for all files together
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
