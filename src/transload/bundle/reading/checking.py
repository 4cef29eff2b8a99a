"""Checking a whole bundle: every volume looked at, every member read and proved, what is lost told by image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from attrs import frozen

from transload.bundle.format.blueprint import ends, starts
from transload.bundle.format.ledger import Ledger, Stored, StoredBlob
from transload.bundle.format.member import Read, prove
from transload.bundle.format.stream import StreamReader
from transload.bundle.format.tarheader import END
from transload.bundle.format.volumes import Cut
from transload.bundle.reading.volumefiles import Volumes
from transload.errors import MemberDamaged, TransloadError, VolumeTruncated, as_result
from transload.oci import Digest, Name


@frozen
class CheckedPart:
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


def check(ledger: Ledger, volumes: Volumes, read: Read = lambda _length: None) -> Iterator[CheckedPart]:
    """First every volume, then every member in order; one `CheckedPart` for each as it is done.

    A member is not read if one of its volumes is missing or another one's; the volume's error stands for it. Of a
    volume that is too short, what is there is read.
    """
    members: tuple[Stored, ...] = (*ledger.extras, *ledger.blobs)
    losses = _Losses(ledger, volumes.cut)
    bad: set[int] = set()
    for volume in volumes.cut.numbers:
        error = _problem(volumes, volume)
        if error is not None and not isinstance(error, VolumeTruncated):
            bad.add(volume)
        yield CheckedPart(volumes.file_name(volume), 0, error, losses.with_volume(volume) if error else ())
    for member in members:
        if not bad.intersection(volumes_of(member, volumes.cut)):
            error = _member_problem(member, volumes, read)
            yield CheckedPart(member.path, member.size, error, losses.with_member(member) if error else ())
    if not bad:
        error = _end_problem(ledger, volumes)
        yield CheckedPart("end of the stream", len(END), error)


class _Losses:
    """Which images are lost with what. Each answer is found once: many volumes may hold parts of the same blob only."""

    def __init__(self, ledger: Ledger, cut: Cut) -> None:
        self._ledger = ledger
        self._cut = cut
        self._known: dict[tuple[Digest, ...], tuple[Name, ...]] = {}

    def with_volume(self, volume: int) -> tuple[Name, ...]:
        return self._images(tuple(self._in_volumes.get(volume, ())))

    def with_member(self, member: Stored) -> tuple[Name, ...]:
        return self._images((member.digest,) if isinstance(member, StoredBlob) else ())

    @cached_property
    def _in_volumes(self) -> Mapping[int, list[Digest]]:
        """What lies in each volume, in whole or in part."""
        found: dict[int, list[Digest]] = {}
        for blob in self._ledger.blobs:
            for volume in volumes_of(blob, self._cut):
                found.setdefault(volume, []).append(blob.digest)
        return found

    def _images(self, lost: tuple[Digest, ...]) -> tuple[Name, ...]:
        if lost not in self._known:
            places = sorted({place for digest in lost for place in self._ledger.needed_by[digest]})
            self._known[lost] = tuple(self._ledger.images[place].image.name for place in places)
        return self._known[lost]


def _problem(volumes: Volumes, volume: int) -> TransloadError | None:
    try:
        volumes.check_size(volume)
    except TransloadError as error:
        return as_result(error)
    return None


def _member_problem(member: Stored, volumes: Volumes, read: Read) -> TransloadError | None:
    try:
        for span in volumes.cut.spans(starts(member), ends(member) - starts(member)):
            volumes.check_size(span.volume, span.offset + span.length)
        prove(member, volumes.cut, volumes.path, read)
    except TransloadError as error:
        return as_result(error)
    return None


def _end_problem(ledger: Ledger, volumes: Volumes) -> TransloadError | None:
    with StreamReader(volumes.cut, volumes.path, ledger.size - len(END)) as reader:
        try:
            if reader.read(len(END)) == END:
                return None
        except TransloadError as error:
            return as_result(error)
    return MemberDamaged("the end of the bundle is damaged or missing")
