"""Headers as values: ranges that clients ask for or state (RFC 9110, 14), and pages of lists. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from transload.values import frozen
from transload.wording import whole_number

_SINGLE = re.compile(r"bytes\s*+=\s*+(\d{0,99})\s*+-\s*+(\d{0,99})", re.ASCII | re.IGNORECASE)
_CHUNK = re.compile(r"(\d{1,19})-(\d{1,19})", re.ASCII)


@frozen
class ByteRange:
    """`length` bytes from `offset` on."""

    offset: int
    length: int

    def content_range(self, size: int) -> str:
        """The value of Content-Range for this part of `size` bytes."""
        return f"bytes {self.offset}-{self.offset + self.length - 1}/{size}"


class Unsatisfiable(ValueError):
    """A range with none of the existing bytes, or one that ends before it begins."""


def requested(header: str | None, size: int) -> ByteRange | None:
    """The part of `size` bytes that a Range header asks for; None for all of it. Raises `Unsatisfiable`.

    A malformed header, or one with several ranges, is ignored, as RFC 9110 permits.

    >>> requested("bytes=2-", 10), requested("bytes=-3", 10)
    (ByteRange(offset=2, length=8), ByteRange(offset=7, length=3))
    """
    form = _SINGLE.fullmatch((header or "").strip())
    if not form or form.groups() == ("", ""):
        return None
    first, last = form.groups()
    if not first:
        length = min(int(last), size)
        if not length:
            raise Unsatisfiable
        return ByteRange(size - length, length)
    start, end = int(first), int(last) if last else size - 1
    if end < start or start >= size:  # RFC 9110, 14.2 lets a server refuse a reversed range; Go's does
        raise Unsatisfiable
    return ByteRange(start, min(end, size - 1) - start + 1)


def stated(header: str) -> ByteRange | None:
    """The range in an upload chunk's Content-Range: `<start>-<end>`, both inclusive; None if it is malformed.

    The distribution specification has no unit and no total here, unlike RFC 9110.
    """
    form = _CHUNK.fullmatch(header.strip())
    if not form:
        return None
    start, end = int(form[1]), int(form[2])
    return ByteRange(start, end - start + 1) if end >= start else None


class PageInvalid(ValueError):
    """`n` is not a number of entries."""


@frozen
class Page:
    """The entries of one page, and the Link header's value if there are more."""

    entries: Sequence[str]
    link: str | None = None


def page(entries: Sequence[str], query: Mapping[str, str], path: str) -> Page:
    """The page of the sorted `entries` that `query` asks for. Raises `PageInvalid`.

    >>> page(["a", "b", "c"], {"n": "1", "last": "a"}, "/v2/x/tags/list")
    Page(entries=['b'], link='</v2/x/tags/list?n=1&last=b>; rel="next"')
    """
    start = bisect_right(entries, query["last"]) if "last" in query else 0
    if "n" not in query:
        return Page(entries[start:])
    text = query["n"]
    n = whole_number(text)
    if n is None or n >= 10**9:
        raise PageInvalid(f"{text[:20]!r} is not a number of entries")
    shown = entries[start : start + n]
    if not shown or start + n >= len(entries):
        return Page(shown)
    return Page(shown, f'<{path}?{urlencode({"n": n, "last": shown[-1]})}>; rel="next"')
