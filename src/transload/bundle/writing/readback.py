"""Compares what the medium gives back of a bundle with what was written, and says which pieces are wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from transload.bundle.format.blueprint import Blueprint, ends, starts
from transload.bundle.format.entries import Stored
from transload.bundle.format.member import Read, is_whole
from transload.bundle.format.stream import PathOf
from transload.bundle.format.volumes import Cut
from transload.bundle.writing.sums import listed_sums
from transload.errors import MediumDamaged
from transload.files.readback import ReadBack
from transload.values import frozen


@frozen
class Spoilt:
    """A piece of a volume that does not read back as it was written; `member` None if it is not known which piece."""

    path: Path
    begin: int
    end: int
    member: Stored | None = None


def spoilt_pieces(
    members: Sequence[Stored], cut: Cut, path_of: PathOf, sums: Mapping[int, str], back: ReadBack, read: Read
) -> tuple[Spoilt, ...]:
    """Read all volumes from the medium, flushed before; `sums` are the SHA-256 of what was written.

    A volume that differs, or whose sum is not known, is read once more, to find out which members are wrong.
    """
    spoilt: list[Spoilt] = []
    for volume in cut.numbers:
        hasher = hashlib.sha256(usedforsecurity=False)
        for chunk in back.chunks(path_of(volume)):
            hasher.update(chunk)
            read(len(chunk))
        if hasher.hexdigest() != sums.get(volume):
            wrong = list(_located(members, cut, path_of, volume, back))
            if not wrong and volume in sums:
                wrong = [Spoilt(path_of(volume), 0, cut.size_of(volume))]
            spoilt += wrong
    return tuple(spoilt)


def _located(members: Sequence[Stored], cut: Cut, path_of: PathOf, volume: int, back: ReadBack) -> Iterator[Spoilt]:
    for number in cut.numbers:
        back.drop(path_of(number))
    for member in members:
        spans = [span for span in cut.spans(starts(member), ends(member) - starts(member)) if span.volume == volume]
        if spans and not is_whole(member, cut, path_of):
            yield Spoilt(path_of(volume), spans[0].offset, spans[0].offset + spans[0].length, member)


_AGAIN = "the medium or its reader fails: use another one; the same command writes only these pieces again"
_FINISHED = "the medium or its reader fails: use another one, or delete the bundle there and pack it again"


def check_finished(path: Path, blueprint: Blueprint, back: ReadBack, read: Read) -> None:
    """Read the finished bundle at `path` from its medium. Raises `MediumDamaged`."""
    cut = blueprint.cut
    files = {volume: path.with_name(cut.file_name(path.name, volume)) for volume in cut.numbers}
    listed = listed_sums(path.parent)
    sums = {volume: listed[file.name] for volume, file in files.items() if file.name in listed}
    spoilt = spoilt_pieces(blueprint.members, cut, files.__getitem__, sums, back, read)
    if spoilt:
        raise error_about(spoilt, _FINISHED)


def check_listed(files: Iterable[Path], back: ReadBack, read: Read) -> None:
    """Read whole files from the medium, whose sums `SHA256SUMS` lists. Raises `MediumDamaged`."""
    for file in files:
        hasher = hashlib.sha256(usedforsecurity=False)
        for chunk in back.chunks(file):
            hasher.update(chunk)
            read(len(chunk))
        if hasher.hexdigest() != listed_sums(file.parent).get(file.name):
            raise error_about((Spoilt(file, 0, file.stat().st_size),), _FINISHED)


def error_about(spoilt: Sequence[Spoilt], hint: str = _AGAIN) -> MediumDamaged:
    """The error for pieces that are wrong on the medium."""
    first = spoilt[0]
    what = f" ({first.member.path})" if first.member else ""
    more = f", and {len(spoilt) - 1} more" if len(spoilt) > 1 else ""
    return MediumDamaged(
        f"{first.path} does not read back as it was written: bytes {first.begin:,} to {first.end:,}{what}{more}",
        subject=str(first.path),
        hint=hint,
    )
