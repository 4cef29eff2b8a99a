"""Checks a whole bundle: looks at every volume, reads every member, and says which images are lost."""

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
    """The result for one volume or member. `error` None means that it is right.

    `size` is the number of bytes that were read; `images` are those that are not complete because of the error.
    """

    subject: str
    size: int
    error: TransloadError | None = None
    images: tuple[Name, ...] = ()


def volumes_of(member: Stored, cut: Cut) -> tuple[int, ...]:
    """The numbers of the volumes that a member lies in."""
    return tuple(span.volume for span in cut.spans(starts(member), ends(member) - starts(member)))


def check(ledger: Ledger, volumes: Volumes, read: Read = lambda _length: None) -> Iterator[CheckedPart]:
    """Check first every volume, then every member in order; gives one `CheckedPart` for each when it is done.

    A member is not read if one of its volumes is missing or belongs elsewhere; the volume's error counts for it. A
    volume that is too short is read as far as it goes.
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
    """Which images are lost with a volume or member. Remembers answers, since many volumes may hold one big blob."""

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
        """The blobs in each volume, whole or in part."""
        digests: dict[int, list[Digest]] = {}
        for blob in self._ledger.blobs:
            for volume in volumes_of(blob, self._cut):
                digests.setdefault(volume, []).append(blob.digest)
        return digests

    def _images(self, lost: tuple[Digest, ...]) -> tuple[Name, ...]:
        if lost not in self._known:
            positions = sorted({position for digest in lost for position in self._ledger.needed_by[digest]})
            self._known[lost] = tuple(self._ledger.images[position].image.name for position in positions)
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
