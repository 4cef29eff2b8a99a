"""Reads tar headers strictly, from one header to the next: where the bytes of each member are.

The formats are those of POSIX.1-1988 (ustar), POSIX.1-2001 (pax) and GNU tar, for files and links.

Invariants, held by `read_headers`:
1. every member is whole within the file, in one piece;
2. the archive ends at its end mark or at the end of the file; a header that cannot be read is an error;
3. counts and lengths that the file states have limits.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from transload.errors import CorruptError, LimitExceeded
from transload.limits import ARCHIVE_HEADERS_BYTES, ARCHIVE_MEMBERS
from transload.values import evolve, frozen
from transload.wording import whole_number

NAME_LENGTH = 4096
_EXTENSION_BYTES = 1 << 20  # pax records and long names; honest ones have some hundred bytes

_DIGITS = 20
_BLOCK = tarfile.BLOCKSIZE
_FILES = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})
_EMPTY = frozenset(
    {tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE}
)
_PAX = frozenset({tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE})
_EXTENSIONS = _PAX | {tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
_OURS = ("path", "linkpath", "size")


@frozen(kw_only=True)
class Header:
    """One member: its name as written, the offset and number of its bytes, and the target if it is a link."""

    name: str
    offset: int
    size: int
    is_file: bool
    link: str = ""
    is_symlink: bool = False


@frozen
class _Extension:
    """Fields of a header from the blocks before it, for values that do not fit into the header itself."""

    path: str | None = None
    linkpath: str | None = None
    size: int | None = None


def read_headers(file: BinaryIO, length: int, where: str) -> Iterator[Header]:
    """Every member of a tar of `length` bytes, in order. Raises `CorruptError`, `LimitExceeded`, `OSError`."""
    offset, count, extended, extension = 0, 0, 0, _Extension()
    while offset < length:
        file.seek(offset)
        block = file.read(_BLOCK)
        if not any(block):
            return
        info = _parsed(block, offset, where)
        start = offset + _BLOCK
        size = 0 if info.type in _EMPTY else info.size if extension.size is None else extension.size
        name = extension.path or info.name
        _check(name, size, length - start, where)
        offset = start + -(-size // _BLOCK) * _BLOCK
        count += 1
        if count > ARCHIVE_MEMBERS:
            raise LimitExceeded(f"{where} has more than {ARCHIVE_MEMBERS} members", subject=where)
        if info.type in _EXTENSIONS:
            extended += size
            if extended > ARCHIVE_HEADERS_BYTES:
                raise LimitExceeded(f"{where} has more than {ARCHIVE_HEADERS_BYTES} bytes of headers", subject=where)
            extension = _extended(extension, info.type, _content(file, size, where), where)
            continue
        yield _header(info, name, extension, start, size, where)
        extension = _Extension()


def _parsed(block: bytes, offset: int, where: str) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        if offset == 0:
            raise CorruptError(f"{where} is not a tar archive: {error}", subject=where) from error
        raise CorruptError(
            f"{where} is damaged at byte {offset}: {error}", subject=where, hint="make or copy the archive again"
        ) from error


def _check(name: str, size: int, room: int, where: str) -> None:
    if len(name) > NAME_LENGTH:
        raise LimitExceeded(f"{where} has a member with a name of {len(name)} characters", subject=where)
    if size < 0:
        raise CorruptError(f"{where} has a member {name!r} with a negative size", subject=where)
    if size > room:
        raise CorruptError(
            f"{where} ends {size - room} bytes before the end of its member {name!r}",
            subject=where,
            hint="it was cut short: make or copy the archive again",
        )


def _header(info: tarfile.TarInfo, name: str, extension: _Extension, start: int, size: int, where: str) -> Header:
    if info.type == tarfile.GNUTYPE_SPARSE:
        raise _sparse(name, where)
    symlink = info.type == tarfile.SYMTYPE
    link = (extension.linkpath or info.linkname) if symlink or info.type == tarfile.LNKTYPE else ""
    return Header(name=name, offset=start, size=size, is_file=info.type in _FILES, link=link, is_symlink=symlink)


def _content(file: BinaryIO, size: int, where: str) -> bytes:
    if size > _EXTENSION_BYTES:
        raise LimitExceeded(f"{where} has {size} bytes of headers for a single member", subject=where)
    return file.read(size)


def _extended(before: _Extension, kind: bytes, raw: bytes, where: str) -> _Extension:
    if kind == tarfile.GNUTYPE_LONGNAME:
        return evolve(before, path=_text(raw.partition(b"\0")[0]))
    if kind == tarfile.GNUTYPE_LONGLINK:
        return evolve(before, linkpath=_text(raw.partition(b"\0")[0]))
    records = dict(_records(raw, where))
    if any(key.startswith("GNU.sparse.") for key in records):
        raise _sparse(before.path or "a member", where)
    if kind == tarfile.XGLTYPE:
        if records.keys() & set(_OURS):
            raise CorruptError(f"{where} has a pax header that gives one name or size to all members", subject=where)
        return before
    size = _number(records["size"], where) if "size" in records else before.size
    return _Extension(records.get("path", before.path), records.get("linkpath", before.linkpath), size)


def _records(raw: bytes, where: str) -> Iterator[tuple[str, str]]:
    """The records of a pax header: `length key=value` and a line feed; the length includes itself (POSIX, pax)."""
    raw, start = raw.rstrip(b"\0"), 0
    while start < len(raw):
        length = raw[start : start + _DIGITS].partition(b" ")[0]
        end = start + _number(length.decode("ascii", "replace"), where)
        key, equals, value = raw[start + len(length) + 1 : end - 1].partition(b"=")
        if not equals or end > len(raw) or raw[end - 1 : end] != b"\n":
            raise CorruptError(f"{where} has a pax header that is damaged", subject=where)
        yield _text(key), _text(value)
        start = end


def _number(text: str, where: str) -> int:
    number = whole_number(text)
    if number is None:
        raise CorruptError(f"{where} has a pax header with {text[:20]!r} for a number", subject=where)
    return number


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _sparse(name: str, where: str) -> CorruptError:
    return CorruptError(
        f"{where} has {name!r} as a sparse file, which transload cannot read",
        subject=where,
        hint="make the archive again without tar --sparse",
    )
