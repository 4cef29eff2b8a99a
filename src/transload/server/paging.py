"""Lists in pages: `n`, `last` and the Link to the next page (distribution specification, "Listing Tags"). Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from attrs import frozen

from transload.wording import whole_number


class PageInvalid(ValueError):
    """`n` is not a number of entries."""


@frozen
class Page:
    """The entries of one page, and the Link header's value if there are more."""

    entries: Sequence[str]
    link: str | None = None


def page(entries: Sequence[str], query: Mapping[str, str], path: str) -> Page:
    """Cut the page that `query` asks for out of `entries`, which are in order. Raises `PageInvalid`.

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
    found = entries[start : start + n]
    if not found or start + n >= len(entries):
        return Page(found)
    return Page(found, f'<{path}?{urlencode({"n": n, "last": found[-1]})}>; rel="next"')
