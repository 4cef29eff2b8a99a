"""Tar headers of a bundle's members: always the same bytes for the same name and size; readers accept no others.

Headers are ustar (POSIX.1-1988). A pax header comes before them only if ustar has no room: a size from 8 GiB on, a path
that is too long (blobs by sha512) or not ASCII. GNU tar, Python and Go (skopeo, podman) read both. Headers contain no
time, no user and no group.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from transload.errors import MemberDamaged, MemberUnsafe

BLOCK = 512
END = bytes(2 * BLOCK)
_USTAR_SIZE = 8 << 30
_USTAR_NAME = 100
_REGULAR = b"0"
_SIZE = slice(124, 136)
_TYPE = slice(156, 157)
_PREFIX = slice(345, 500)


def padding(size: int) -> int:
    """The number of zero bytes after `size` bytes of content."""
    return -size % BLOCK


def header(name: str, size: int) -> bytes:
    """The header of a regular file, one or more blocks."""
    content = _extended(name, size)
    short = name.encode("ascii", "replace")[:_USTAR_NAME].replace(b"?", b"_")
    plain = _ustar(short, size if size < _USTAR_SIZE else 0, _REGULAR)
    if not content:
        return plain
    pax = _ustar(b"pax/" + short[: _USTAR_NAME - 4], len(content), b"x")
    return pax + content + bytes(padding(len(content))) + plain


def header_size(name: str, size: int) -> int:
    """The length of the header in bytes, without making it: there are many members."""
    extended = len(_extended(name, size))
    return 2 * BLOCK + extended + padding(extended) if extended else BLOCK


def size_in(block: bytes, name: str) -> int:
    """The size that a header of a small member called `name` states.

    Raises `MemberUnsafe` or `MemberDamaged` if it is not exactly the header that we write for this name and size.
    """
    try:
        size = int(block[_SIZE].rstrip(b"\0 "), 8)
    except ValueError:
        size = -1
    if not 0 <= size < _USTAR_SIZE or header(name, size) != block:
        raise why_not(block, name)
    return size


def names(block: bytes, name: str) -> bool:
    """Whether a block is a header with this name, whatever else it contains."""
    return block[:_USTAR_NAME].rstrip(b"\0") == name.encode()


def why_not(content: bytes, name: str) -> MemberUnsafe | MemberDamaged:
    """The error for the `content` where the header of `name` should be."""
    last = content[-BLOCK:]
    stated = (last[_PREFIX].rstrip(b"\0") + b"/" if last[_PREFIX].strip(b"\0") else b"") + last[:100].rstrip(b"\0")
    path = PurePosixPath(stated.decode("utf-8", "replace"))
    shown = str(path)[:80]
    if last[257:262] == b"ustar":
        if last[_TYPE] in (b"1", b"2", b"3", b"4", b"5", b"6", b"7"):
            return MemberUnsafe(f"where {name} should be is {shown!r}, which is not a regular file", subject=name)
        if path.is_absolute() or ".." in path.parts:
            return MemberUnsafe(f"where {name} should be is {shown!r}, a path that leads out", subject=name)
    return MemberDamaged(
        f"the header of {name} is damaged",
        subject=name,
        hint="copy the volume again from where it was made",
    )


def _extended(name: str, size: int) -> bytes:
    """The pax records for fields that ustar has no room for; mostly none."""
    path = b"" if name.isascii() and len(name) <= _USTAR_NAME else _record("path", name)
    return path + (_record("size", str(size)) if size >= _USTAR_SIZE else b"")


def _record(key: str, value: str) -> bytes:
    """A pax record. It begins with its own length, which includes the digits of that length (POSIX.1-2001, pax)."""
    rest = f" {key}={value}\n".encode()
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def _ustar(name: bytes, size: int, kind: bytes) -> bytes:
    fields = (
        name.ljust(100, b"\0"),
        b"0000644\0",
        b"0000000\0",
        b"0000000\0",
        b"%011o\0" % size,
        b"%011o\0" % 0,
        b" " * 8,  # the checksum is computed with blanks in its field
        kind,
        bytes(100),
        b"ustar\x0000",
        bytes(32),
        bytes(32),
        b"0000000\0",
        b"0000000\0",
        bytes(167),
    )
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
