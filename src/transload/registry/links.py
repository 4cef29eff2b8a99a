"""Lists that come in pages: the `Link` header (RFC 8288) and how far it is followed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sized

from transload.errors import LimitExceeded, ProtocolTrouble
from transload.limits import HEADER_LENGTH, LIST_IDLE_PAGES, LIST_LINK_LENGTH, LIST_PAGES
from transload.net.address import Origin, session_url
from transload.net.messages import Reply

# Every repetition keeps what it took (the +s), so that a header made to hurt is read once, and not for every letter.
_VALUE = r"\s*+=\s*+(?:\"([^\"]*+)\"|([^\s;,\"]*+))"
_PARAMETER = re.compile(rf"\s*+;\s*+([^\s=;,\"]++)(?:{_VALUE})?+")
_LINK = re.compile(rf"<([^<>]*+)>((?:\s*+;\s*+[^\s=;,\"]++(?:{_VALUE})?+)*+)")


def next_link(header: str | None) -> str | None:
    """The target of the first link with `rel="next"`, as written; None if there is none. Raises `LimitExceeded`."""
    if header is None:
        return None
    if len(header) > HEADER_LENGTH:  # read in part, it might say that a list ends which goes on
        raise LimitExceeded(f"a Link of {len(header)} characters is over the limit of {HEADER_LENGTH}")
    for link in _LINK.finditer(header):
        told = (word for name, *value in _PARAMETER.findall(link[2]) if name.lower() == "rel" for word in value)
        if any("next" in words.lower().split() for words in told):
            return str(link[1])
    return None


def next_url(reply: Reply) -> str | None:
    """Where the next page is. Raises `ProtocolTrouble` for a page on another host."""
    target = next_link(reply.headers.get("Link"))
    if target is None:
        return None
    url = session_url(reply.url, target)  # the same port trap as that of uploads
    if Origin.of(url) != reply.origin:
        raise ProtocolTrouble(f"{reply.origin.netloc} continues a list on another host, {Origin.of(url).netloc}")
    return url


def pages(first: str, fetch: Callable[[str], Reply], known: Sized) -> Iterator[Reply]:
    """Every page from `first` on. A short page is not the end, only a missing link is.

    `known` is what the caller has taken from the pages so far. Raises `ProtocolTrouble` for links in a circle,
    `LimitExceeded` after `LIST_PAGES` pages, or after `LIST_IDLE_PAGES` in a row from which nothing was taken.
    """
    url: str | None = first
    seen: set[str] = set()
    idle = 0
    while url is not None:
        if len(url) > LIST_LINK_LENGTH:
            raise ProtocolTrouble(f"{Origin.of(first).netloc} continues a list at an address of {len(url)} characters")
        if url in seen:
            raise ProtocolTrouble(f"{Origin.of(url).netloc} answers with a list that goes round in a circle")
        if len(seen) >= LIST_PAGES:
            raise LimitExceeded(f"{Origin.of(url).netloc} answers with a list of more than {LIST_PAGES} pages")
        seen.add(url)
        reply, before = fetch(url), len(known)
        yield reply
        idle = idle + 1 if len(known) == before else 0
        if idle >= LIST_IDLE_PAGES:
            raise LimitExceeded(f"{Origin.of(url).netloc} answers with a list whose last {idle} pages said nothing new")
        url = next_url(reply)
