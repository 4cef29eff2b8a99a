"""Checks a member of a bundle byte by byte: header, content and padding."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from transload.bundle.format.blueprint import starts
from transload.bundle.format.entries import Stored
from transload.bundle.format.stream import PathOf, StreamReader
from transload.bundle.format.tarheader import header, padding, why_not
from transload.bundle.format.volumes import Cut
from transload.errors import CorruptError, MemberDamaged, Refused, Truncated
from transload.oci import Verifier
from transload.wording import number_of

Read = Callable[[int], object]
"""Gets the number of bytes that were read since the last call."""


Opener = Callable[[int], StreamReader]
"""Opens the stream at an offset."""


def prove(member: Stored, opened: Opener, read: Read = lambda _length: None) -> None:
    """Read and check a whole member. Raises `MemberUnsafe`, `MemberDamaged`, `Truncated` and what reading raises."""
    with opened(starts(member)) as reader:
        check_header(reader, member)
        verifier = Verifier(member.digest, member.size)
        for chunk in reader.chunks(member.size):
            verifier.update(chunk)
            read(len(chunk))
        if verifier.seen < member.size:
            raise Truncated(
                f"{member.path} ends {number_of(member.size - verifier.seen, 'byte')} too early", subject=member.path
            )
        try:
            verifier.check()
        except CorruptError as error:
            raise MemberDamaged(
                f"{member.path} is damaged: {error}",
                subject=member.path,
                hint="copy the volume again from where it was made",
            ) from error
        after = padding(member.size)
        if reader.read(after) != bytes(after):
            raise MemberDamaged(
                f"{member.path} is followed by bytes that are not part of the bundle", subject=member.path
            )


def check_header(reader: StreamReader, member: Stored) -> None:
    """Raises `MemberUnsafe` or `MemberDamaged` if the header before the content is not the one that we write."""
    expected = header(member.path, member.size)
    content = reader.read(len(expected))
    if content != expected:
        raise why_not(content, member.path)


def is_whole(member: Stored, cut: Cut, path_of: PathOf, read: Read = lambda _length: None) -> bool:
    """Whether `prove` finds nothing wrong."""
    try:
        prove(member, partial(StreamReader, cut, path_of), read)
    except (CorruptError, Refused):
        return False
    return True
