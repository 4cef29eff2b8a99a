"""Checks a bundle that has recovery volumes: everything is read and proved, what is wrong made good meanwhile.

So whether the bundle can be repaired is not estimated but shown: every member was proved with the blocks that were made
again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from transload.bundle.format.blueprint import starts
from transload.bundle.format.ledger import Ledger
from transload.bundle.format.member import Opener, Read
from transload.bundle.format.tarheader import END
from transload.bundle.reading.checking import CheckedPart, Losses, end_problem, member_problem, members_of
from transload.bundle.reading.mending import Mender, Place, Unmendable
from transload.bundle.reading.volumefiles import Volumes
from transload.errors import LocalError, TransloadError, VolumeDamaged, VolumeForeign, VolumeMissing, VolumeSwapped
from transload.files import open_file, read_up_to
from transload.wording import in_words, number_of

_SHOWN = 3  # stretches that a message names
_BEYOND = (
    "more is lost than the recovery volumes can replace; another copy of any volume helps, under any name, also with "
    "--volumes DIR"
)


def check_mended(
    ledger: Ledger, volumes: Volumes, opened: Opener, mender: Mender, read: Read = lambda _length: None
) -> Iterator[CheckedPart]:
    """Check every member, then every volume and recovery volume; gives one `CheckedPart` for each.

    A member is wrong if it cannot be made good; a volume, whether it can or not.
    """
    losses, whole = Losses(ledger, volumes.cut), True
    _read_head(ledger, opened)
    for member in members_of(ledger):
        error = member_problem(member, opened, read)
        whole = whole and error is None
        yield CheckedPart(member.path, member.size, error, losses.with_member(member) if error else ())
    end_error = end_problem(ledger, opened)
    whole = whole and end_error is None and _is_mendable(mender)
    yield CheckedPart("end of the stream", len(END), end_error)
    hint = volumes.repair_hint if whole else _BEYOND
    for number in mender.description.numbers:
        if number > mender.description.volumes:
            read_all(mender, number)
        error = problem_of(mender, number, hint)
        images = losses.with_stretches(_in_stream(mender, number))
        runs = tuple(_runs(mender, number))
        yield CheckedPart(
            mender.file_name(number), 0, error, images, stretches=runs, made_good=whole and error is not None
        )


def _read_head(ledger: Ledger, opened: Opener) -> None:
    """Read what is before the first member, which was read only as far as it means something."""
    with contextlib.suppress(TransloadError), opened(0) as reader:
        for _ in reader.chunks(min(map(starts, members_of(ledger)), default=ledger.size)):
            pass


def _is_mendable(mender: Mender) -> bool:
    try:
        mender.check_mendable()
    except Unmendable:
        return False
    return True


def read_all(mender: Mender, number: int) -> None:
    """Read every block of a volume, so that the mender knows which are wrong."""
    for stripe in mender.description.stripes_of(number):
        mender.is_right(number, stripe)


def problem_of(mender: Mender, number: int, hint: str | None = None) -> TransloadError | None:
    """What is wrong with the file of a volume, after all of it was read."""
    name, own = mender.file_name(number), mender.named(number)
    if own is None:
        kind = "volume" if number <= mender.description.volumes else "recovery volume"
        return VolumeMissing(f"{kind} {name} is missing", subject=name, hint=hint)
    wrong = sorted(mender.wrong.get(number, ()))
    if len(wrong) == len(mender.description.stripes_of(number)):
        others = [other for other in mender.held_by(own.path) if other != number]
        if others:
            right = mender.file_name(others[0])
            return VolumeSwapped(f"{own.path} holds what belongs into {right}", subject=name, hint=hint)
        what = f"{own.path} does not belong to this bundle, or all of it is damaged"
        return VolumeForeign(what, subject=name, hint=hint)
    found = [*_wrong_in_words(mender, number, wrong), *_around(mender, own, number)]
    return VolumeDamaged(f"{own.path} is damaged: {'; '.join(found)}", subject=name, hint=hint) if found else None


def _wrong_in_words(mender: Mender, number: int, wrong: Sequence[int]) -> Iterator[str]:
    if not wrong:
        return
    runs = list(_runs(mender, number))
    shown = ", ".join(f"{begin} to {end - 1}" for begin, end in runs[:_SHOWN])
    more = f" and {len(runs) - _SHOWN} more stretches" if len(runs) > _SHOWN else ""
    own = mender.named(number)
    where = "of its parity, " if own is not None and own.offset and number > mender.description.volumes else ""
    yield f"{number_of(len(wrong), 'block')} of {in_words(mender.description.block_bytes)}, {where}bytes {shown}{more}"


def _runs(mender: Mender, number: int) -> Iterator[tuple[int, int]]:
    """Stretches of a volume whose blocks are wrong: begin and end, in bytes."""
    block_bytes, begin, last = mender.description.block_bytes, -1, -2
    for stripe in sorted(mender.wrong.get(number, ())):
        if stripe != last + 1:
            if begin >= 0:
                yield begin * block_bytes, (last + 1) * block_bytes
            begin = stripe
        last = stripe
    if begin >= 0:
        yield begin * block_bytes, min((last + 1) * block_bytes, mender.description.content_bytes(number))


def _in_stream(mender: Mender, number: int) -> Iterator[tuple[int, int]]:
    if number <= mender.description.volumes:
        start = mender.description.cut.start_of(number)
        yield from ((start + begin, start + end) for begin, end in _runs(mender, number))


def _around(mender: Mender, own: Place, number: int) -> Iterator[str]:
    """What is wrong besides blocks: the size of the file, and what stands around the parity of a recovery volume."""
    size, wanted = mender.sizes_of(own, number)
    if size > wanted:
        yield f"it has {number_of(size - wanted, 'byte')} too many"
    elif size < wanted:
        yield f"it ends {number_of(wanted - size, 'byte')} too early"
    elif number > mender.description.volumes and not is_right_around(mender, own, number):
        yield "its description or its sums"


def is_right_around(mender: Mender, own: Place, number: int) -> bool:
    """Whether everything in the file of a recovery volume but its parity is right."""
    try:
        with open_file(own.path) as file:
            for offset, piece in mender.protection.stretches(number):
                file.seek(offset)
                if read_up_to(file, len(piece)) != piece:
                    return False
    except (OSError, LocalError):
        return False
    return True
