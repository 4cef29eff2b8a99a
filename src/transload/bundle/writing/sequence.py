"""The bytes of a bundle's stream, one after the other, from any offset on: for media that are written one by one.

Nothing is kept beside the volume that is written. A blob is hashed while it passes, also across volumes, and checked at
its end. Where the stream is taken up inside a blob, its beginning is read from the source once more, to be hashed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

from transload.bundle.format.blueprint import Blueprint, ends, starts
from transload.bundle.format.entries import Stored, StoredBlob, StoredExtra
from transload.bundle.format.stream import joined
from transload.bundle.format.tarheader import END, header, padding
from transload.errors import SizeMismatch
from transload.oci import Verifier
from transload.ports import Chunk
from transload.wording import number_of

OpenBlob = Callable[[StoredBlob, int, int], AbstractContextManager[Iterator[Chunk]]]
"""Gives the bytes of a blob from an offset on, so many of them."""

Passed = Callable[[Stored, int], None]
"""Gets a member and how many of its bytes have passed."""


class Sequence:
    """The stream of `blueprint`. `open_blob` reads blobs at their sources; manifests and extra files are at hand."""

    def __init__(self, blueprint: Blueprint, open_blob: OpenBlob, passed: Passed) -> None:
        self._blueprint = blueprint
        self._members = blueprint.members
        self._ends = [ends(member) for member in self._members]
        self._open_blob = open_blob
        self._passed = passed
        self._extras = {extra.name: extra for extra in blueprint.contents.extras}
        self._verifier: Verifier | None = None

    def between(self, begin: int, end: int) -> Iterator[Chunk]:
        """The bytes from `begin` to `end`. Raises `DigestMismatch` at the end of a blob that is not what it should be.

        Also what reading the sources raises, and `LocalError` for extra files.
        """
        for offset, length, content in self._pieces(begin, end):
            first, last = max(begin, offset), min(end, offset + length)
            if first < last:
                yield from content(first - offset, last - offset)

    def _pieces(self, begin: int, end: int) -> Iterator[tuple[int, int, Callable[[int, int], Iterable[Chunk]]]]:
        """The pieces from `begin` to `end`: where each begins, its length, and a function for a part of it."""
        yield 0, self._blueprint.head_bytes, self._head
        for member in self._members[bisect_right(self._ends, begin) :]:
            if starts(member) >= end:
                break
            before, after = header(member.path, member.size), bytes(padding(member.size))
            yield starts(member), len(before), _part_of(before)
            yield member.offset, member.size, self._content_of(member)
            yield ends(member) - len(after), len(after), _part_of(after)
        yield self._blueprint.end, len(END), _part_of(END)

    def _head(self, begin: int, end: int) -> Iterator[Chunk]:
        offset = 0
        for chunk in joined(self._blueprint.head_pieces()):
            yield chunk[max(0, begin - offset) : max(0, end - offset)]
            offset += len(chunk)

    def _content_of(self, member: Stored) -> Callable[[int, int], Iterable[Chunk]]:
        return lambda begin, end: self._content(member, begin, end)

    def _content(self, member: Stored, begin: int, end: int) -> Iterator[Chunk]:
        manifest = self._blueprint.contents.manifest_of.get(member.digest)
        if manifest is not None and isinstance(member, StoredBlob):
            yield manifest.raw[begin:end]
            return
        verifier = self._verifier
        if verifier is None or verifier.digest != member.digest or verifier.seen != begin:
            verifier = self._verifier = Verifier(member.digest, member.size)
            for chunk in self._read(member, 0, begin):
                verifier.update(chunk)
        self._passed(member, begin)
        for chunk in self._read(member, begin, end - begin):
            verifier.update(chunk)
            yield chunk
            self._passed(member, verifier.seen)
        if verifier.seen != end:
            raise SizeMismatch(f"{member.path} is shorter than {number_of(member.size, 'byte')}", subject=member.digest)
        if end == member.size:
            verifier.check()

    def _read(self, member: Stored, offset: int, length: int) -> Iterator[Chunk]:
        if length == 0:
            return
        if isinstance(member, StoredExtra):
            yield from self._extras[member.name].chunks(offset, length)
            return
        with self._open_blob(member, offset, length) as chunks:
            yield from chunks


def _part_of(content: bytes) -> Callable[[int, int], Iterable[Chunk]]:
    return lambda begin, end: (content[begin:end],)
