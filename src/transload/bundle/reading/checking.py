"""Checks a whole bundle: looks at every volume, reads every member, and says which images are lost."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from transload.bundle.format.blueprint import ends, starts
from transload.bundle.format.entries import Stored, StoredBlob
from transload.bundle.format.ledger import Ledger
from transload.bundle.format.member import Opener, Read, prove
from transload.bundle.format.tarheader import END
from transload.bundle.format.volumes import Cut
from transload.bundle.reading.volumefiles import Volumes
from transload.errors import MemberDamaged, TransloadError, VolumeTruncated, as_result
from transload.oci import Digest, Name
from transload.values import frozen


@frozen
class CheckedPart:
    """The result for one volume or member. `error` None means that it is right.

    `size` is the number of bytes that were read; `images` are those that are not complete because of the error.
    `stretches` are the bytes of a volume that are wrong, each a begin and an end, if recovery volumes say so.
    `made_good` means that a volume is wrong, but no member that is in it.
    """

    subject: str
    size: int
    error: TransloadError | None = None
    images: tuple[Name, ...] = ()
    stretches: tuple[tuple[int, int], ...] = ()
    made_good: bool = False


def volumes_of(member: Stored, cut: Cut) -> tuple[int, ...]:
    """The numbers of the volumes that a member lies in."""
    return tuple(span.volume for span in cut.spans(starts(member), ends(member) - starts(member)))


def lacking(ledger: Ledger, volumes: Volumes) -> Iterator[CheckedPart]:
    """The volumes that are missing, too short, or another volume. No member is read."""
    return (part for part in _volume_parts(Losses(ledger, volumes.cut), volumes) if part.error is not None)


def check(ledger: Ledger, volumes: Volumes, opened: Opener, read: Read = lambda _length: None) -> Iterator[CheckedPart]:
    """Check first every volume, then every member in order; gives one `CheckedPart` for each when it is done.

    A member is not read if one of its volumes is missing or belongs elsewhere; the volume's error counts for it. A
    volume that is too short is read as far as it goes.
    """
    losses = Losses(ledger, volumes.cut)
    bad: set[int] = set()
    for volume, part in zip(volumes.cut.numbers, _volume_parts(losses, volumes), strict=True):
        if part.error is not None and not isinstance(part.error, VolumeTruncated):
            bad.add(volume)
        yield part
    for member in members_of(ledger):
        if not bad.intersection(volumes_of(member, volumes.cut)):
            error = _reach_problem(member, volumes) or member_problem(member, opened, read)
            yield CheckedPart(member.path, member.size, error, losses.with_member(member) if error else ())
    if not bad:
        yield CheckedPart("end of the stream", len(END), end_problem(ledger, opened))


def _volume_parts(losses: Losses, volumes: Volumes) -> Iterator[CheckedPart]:
    for volume in volumes.cut.numbers:
        error = _problem(volumes, volume)
        yield CheckedPart(volumes.file_name(volume), 0, error, losses.with_volume(volume) if error else ())


def members_of(ledger: Ledger) -> tuple[Stored, ...]:
    """All members behind the head, in the order of the stream."""
    return (*ledger.extras, *ledger.blobs)


class Losses:
    """Which images are lost with a volume or member. Remembers answers, since many volumes may hold one big blob."""

    def __init__(self, ledger: Ledger, cut: Cut) -> None:
        self._ledger = ledger
        self._cut = cut
        self._known: dict[tuple[Digest, ...], tuple[Name, ...]] = {}

    def with_volume(self, volume: int) -> tuple[Name, ...]:
        """The images that need content from a volume."""
        return self._images(tuple(self._in_volumes.get(volume, ())))

    def with_stretches(self, stretches: Iterable[tuple[int, int]]) -> tuple[Name, ...]:
        """The images that need content from these stretches of the stream, each a begin and an end."""
        blobs, lost = self._ledger.blobs, set()
        for begin, end in stretches:
            position = max(0, bisect_right(self._starts, begin) - 1)
            while position < len(blobs) and self._starts[position] < end:
                if ends(blobs[position]) > begin:
                    lost.add(position)
                position += 1
        return self._images(tuple(blobs[position].digest for position in sorted(lost)))

    def with_member(self, member: Stored) -> tuple[Name, ...]:
        """The images that need a member."""
        return self._images((member.digest,) if isinstance(member, StoredBlob) else ())

    @cached_property
    def _starts(self) -> Sequence[int]:
        return [starts(blob) for blob in self._ledger.blobs]

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


def _reach_problem(member: Stored, volumes: Volumes) -> TransloadError | None:
    """The error of a volume that ends before the member does."""
    try:
        for span in volumes.cut.spans(starts(member), ends(member) - starts(member)):
            volumes.check_size(span.volume, span.offset + span.length)
    except TransloadError as error:
        return as_result(error)
    return None


def member_problem(member: Stored, opened: Opener, read: Read) -> TransloadError | None:
    """What is wrong with a member, by reading it."""
    try:
        prove(member, opened, read)
    except TransloadError as error:
        return as_result(error)
    return None


def end_problem(ledger: Ledger, opened: Opener) -> TransloadError | None:
    """What is wrong with the end of the stream."""
    with opened(ledger.size - len(END)) as reader:
        try:
            if reader.read(len(END)) == END:
                return None
        except TransloadError as error:
            return as_result(error)
    return MemberDamaged("the end of the bundle is damaged or missing")
