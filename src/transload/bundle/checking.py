"""Checking a whole bundle: every volume looked at, every member read and proved, what is lost told by image."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from transload.bundle.format import ends, starts
from transload.bundle.ledger import Ledger, Stored, StoredBlob
from transload.bundle.locating import Volumes
from transload.bundle.proof import Read, prove
from transload.bundle.stream import StreamReader
from transload.bundle.tarheader import END
from transload.bundle.volumes import Cut
from transload.errors import MemberDamaged, TransloadError, VolumeTruncated
from transload.oci import Name


@frozen
class Checked:
    """Something that was looked at: the file of a volume, or a member. `error` None means that it is right.

    `size` is what was read for it, in bytes; `images` are those that cannot be had whole because of the error.
    """

    subject: str
    size: int
    error: TransloadError | None = None
    images: tuple[Name, ...] = ()


def volumes_of(member: Stored, cut: Cut) -> tuple[int, ...]:
    """The numbers of the volumes that a member lies in."""
    return tuple(span.volume for span in cut.spans(starts(member), ends(member) - starts(member)))


def check(ledger: Ledger, volumes: Volumes, read: Read = lambda _length: None) -> Iterator[Checked]:
    """First every volume, then every member in order; one `Checked` for each as it is done.

    A member is not read if one of its volumes is missing or another one's; the volume's error stands for it. Of a
    volume that is too short, what is there is read.
    """
    members: tuple[Stored, ...] = (*ledger.extras, *ledger.blobs)
    bad: set[int] = set()
    for volume in volumes.cut.numbers:
        error = _problem(volumes, volume)
        if error is not None and not isinstance(error, VolumeTruncated):
            bad.add(volume)
        images = _images(ledger, [each for each in members if error and volume in volumes_of(each, volumes.cut)])
        yield Checked(volumes.file_name(volume), 0, error, images)
    for member in members:
        if not bad.intersection(volumes_of(member, volumes.cut)):
            error = _member_problem(member, volumes, read)
            yield Checked(member.path, member.size, error, _images(ledger, [member] if error else []))
    if not bad:
        error = _end_problem(ledger, volumes)
        yield Checked("end of the stream", len(END), error)


def _images(ledger: Ledger, members: list[Stored]) -> tuple[Name, ...]:
    lost = {name for each in members if isinstance(each, StoredBlob) for name in ledger.needed_by[each.digest]}
    return tuple(name for name in ledger.by_name if name in lost)


def _problem(volumes: Volumes, volume: int) -> TransloadError | None:
    try:
        volumes.check_size(volume)
    except TransloadError as error:
        return error
    return None


def _member_problem(member: Stored, volumes: Volumes, read: Read) -> TransloadError | None:
    try:
        for span in volumes.cut.spans(starts(member), ends(member) - starts(member)):
            volumes.check_size(span.volume, span.offset + span.length)
        prove(member, volumes.cut, volumes.path, read)
    except TransloadError as error:
        return error
    return None


def _end_problem(ledger: Ledger, volumes: Volumes) -> TransloadError | None:
    with StreamReader(volumes.cut, volumes.path, ledger.size - len(END)) as reader:
        try:
            if reader.read(len(END)) == END:
                return None
        except TransloadError as error:
            return error
    return MemberDamaged("the end of the bundle is damaged or missing")
