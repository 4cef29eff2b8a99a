"""Values of DER (ITU-T X.690), one inside the other, for the little of time stamps that the libraries do not give."""

from __future__ import annotations

from collections.abc import Iterator

SEQUENCE, SET, OCTET_STRING, CONTEXT_0 = 0x30, 0x31, 0x04, 0xA0


def only(content: bytes, tag: int) -> bytes:
    """What the only value in `content` holds, which has this tag. Raises `ValueError`."""
    ((found, inner, _),) = parts(content, 1)
    if found != tag:
        raise ValueError("it is not a time stamp token")
    return inner


def parts(content: bytes, count: int) -> list[tuple[int, bytes, bytes]]:
    """All values in `content`, so many of them. Raises `ValueError`."""
    found = list(values(content))
    if len(found) != count:
        raise ValueError("it is not a time stamp token")
    return found


def values(content: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Tag, content and whole encoding of each value. Raises `ValueError`."""
    begin = 0
    while begin < len(content):
        tag, start = content[begin], begin + 2
        length = content[begin + 1] if start <= len(content) else 0x80
        if length > 0x80:
            start += length - 0x80
            length = int.from_bytes(content[begin + 2 : start], "big")
        elif length == 0x80:
            raise ValueError("a value of it has no length")
        end = start + length
        if end > len(content):
            raise ValueError("it is cut off")
        yield tag, content[start:end], content[begin:end]
        begin = end


def tagged(tag: int, content: bytes) -> bytes:
    """A value with this tag."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content
