"""Headers of registries: links to the next page (RFC 8288), ranges (RFC 9110, and of uploads), challenges. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sized

from transload.errors import LimitExceeded, ProtocolTrouble
from transload.expressions import late
from transload.limits import HEADER_LENGTH, LIST_IDLE_PAGES, LIST_LINK_LENGTH, LIST_PAGES
from transload.net.address import Origin, session_url
from transload.net.messages import Reply
from transload.values import field, frozen
from transload.wording import whole_number

# Every repetition is possessive (the extra +): it never backtracks, so a hostile header takes linear time.
_VALUE = r"\s*+=\s*+(?:\"([^\"]*+)\"|([^\s;,\"]*+))"
_PARAMETER = late(rf"\s*+;\s*+([^\s=;,\"]++)(?:{_VALUE})?+")
_LINK = late(rf"<([^<>]*+)>((?:\s*+;\s*+[^\s=;,\"]++(?:{_VALUE})?+)*+)")
_CONTENT_RANGE = late(r"bytes\s+([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)")
_UNSATISFIED = late(r"bytes\s+\*/([0-9]{1,19})")
_UPLOAD_RANGE = late(r"(?:bytes[= ])?([0-9]{1,19})-([0-9]{1,19})(?:/.*)?")
_BETWEEN = late(r"[\s,]*+")
_PIECE = late(
    r"""([!#$%&'*+.^_`|~0-9A-Za-z-]++)(?:\s*+=\s*+(?:"((?:[^"\\]++|\\.)*+)(?:"|\\?$)|([^\s,"=]++)))?""", re.DOTALL
)
_ESCAPED = late(r"\\(.)", re.DOTALL)


def next_link(header: str | None) -> str | None:
    """The target of the first link with `rel="next"`, as written; None if there is none. Raises `LimitExceeded`."""
    if header is None:
        return None
    if len(header) > HEADER_LENGTH:  # if cut, it could hide the link to the next page
        raise LimitExceeded(f"a Link of {len(header)} characters is over the limit of {HEADER_LENGTH}")
    for link in _LINK.finditer(header):
        values = (value for name, *forms in _PARAMETER.findall(link[2]) if name.lower() == "rel" for value in forms)
        if any("next" in value.lower().split() for value in values):
            return str(link[1])
    return None


def next_url(reply: Reply) -> str | None:
    """The URL of the next page; None on the last. Raises `ProtocolTrouble` for a page on another host."""
    target = next_link(reply.headers.get("Link"))
    if target is None:
        return None
    url = session_url(reply.url, target)  # the same port trap as in uploads
    if Origin.of(url) != reply.origin:
        raise ProtocolTrouble(f"{reply.origin.netloc} continues a list on another host, {Origin.of(url).netloc}")
    return url


def pages(first: str, fetch: Callable[[str], Reply], known: Sized, most: int | None = None) -> Iterator[Reply]:
    """Every page from `first` on. The list ends where the link is missing, not at a short page.

    `known` holds what the caller has taken from the pages so far. Raises `ProtocolTrouble` for links in a circle,
    `LimitExceeded` after `most` pages (None: `LIST_PAGES`), or after `LIST_IDLE_PAGES` in a row with nothing new.
    """
    url: str | None = first
    most = most or LIST_PAGES
    seen: set[str] = set()
    idle = 0
    while url is not None:
        if len(url) > LIST_LINK_LENGTH:
            raise ProtocolTrouble(f"{Origin.of(first).netloc} continues a list at an address of {len(url)} characters")
        if url in seen:
            raise ProtocolTrouble(f"{Origin.of(url).netloc} answers with a list that goes round in a circle")
        if len(seen) >= most:
            raise LimitExceeded(f"{Origin.of(url).netloc} answers with a list of more than {most} pages")
        seen.add(url)
        reply, before = fetch(url), len(known)
        yield reply
        idle = idle + 1 if len(known) == before else 0
        if idle >= LIST_IDLE_PAGES:
            raise LimitExceeded(f"{Origin.of(url).netloc} answers with a list whose last {idle} pages had nothing new")
        url = next_url(reply)


@frozen
class ContentRange:
    """Which bytes a 206 carries: from `start` to before `end`, of `total` (None if not stated)."""

    start: int
    end: int
    total: int | None


def parse_content_range(header: str | None) -> ContentRange | None:
    """Read `bytes 0-99/200`; None for anything else."""
    form = _CONTENT_RANGE.fullmatch((header or "").strip())
    if not form or int(form[1]) > int(form[2]):
        return None
    return ContentRange(int(form[1]), int(form[2]) + 1, None if form[3] == "*" else int(form[3]))


def given_part(headers: Mapping[str, str]) -> ContentRange | None:
    """The part that a 206 carries; None if its headers contradict one another, or its bytes are coded."""
    part = parse_content_range(headers.get("Content-Range"))
    length = headers.get("Content-Length")
    if part is None or (length is not None and whole_number(length) != part.end - part.start):
        return None
    return part if headers.get("Content-Encoding", "identity").strip().lower() in {"", "identity"} else None


def unsatisfied_total(header: str | None) -> int | None:
    """The size that a 416 states, as in `bytes */200`."""
    form = _UNSATISFIED.fullmatch((header or "").strip())
    return int(form[1]) if form else None


def closed_range(start: int, end: int) -> str:
    """The `Range` header for bytes from `start` to before `end`. It names both, since some refuse an open range."""
    return f"bytes={start}-{end - 1}"


def upload_offset(header: str | None) -> int | None:
    """How many bytes an upload has by its `Range: 0-<last>`; None if that cannot be read.

    `0-0` means no bytes or one byte (distribution writes it for both), so it counts as none.
    """
    form = _UPLOAD_RANGE.fullmatch((header or "").strip())
    if not form or int(form[1]) != 0:
        return None
    last = int(form[2])
    return last + 1 if last else 0


def upload_range(start: int, size: int) -> str:
    """The `Content-Range` of a piece of an upload: no unit and no total (ACR refuses the form of RFC 9110)."""
    return f"{start}-{start + size - 1}"


@frozen
class Challenge:
    """One way to log in that a server offers: `bearer` or `basic`, and its parameters, with names in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(factory=dict)

    def get(self, name: str) -> str:
        """A parameter, or an empty text."""
        return self.parameters.get(name, "")


def challenges(header: str) -> tuple[Challenge, ...]:
    """Every challenge of a header, or of several headers joined by commas. Text that cannot be read is skipped.

    Raises `LimitExceeded` for a header longer than `HEADER_LENGTH`.

    >>> [c.scheme for c in challenges('Bearer realm="https://a/t",scope="repository:x:pull,push", Basic realm="r"')]
    ['bearer', 'basic']
    """
    if len(header) > HEADER_LENGTH:
        raise LimitExceeded(f"a WWW-Authenticate of {len(header)} characters is over the limit of {HEADER_LENGTH}")
    offered: list[tuple[str, dict[str, str]]] = []
    position = 0
    while (position := _end_of_blanks(header, position)) < len(header):
        piece = _PIECE.match(header, position)
        if piece is None:
            position += 1
            continue
        position = piece.end()
        word, quoted, plain = piece.groups()
        if quoted is None and plain is None:
            offered.append((word.lower(), {}))
        elif offered:
            offered[-1][1].setdefault(word.lower(), plain if quoted is None else _ESCAPED.sub(r"\1", quoted))
    return tuple(Challenge(scheme, parameters) for scheme, parameters in offered)


def _end_of_blanks(header: str, position: int) -> int:
    blanks = _BETWEEN.match(header, position)
    return blanks.end() if blanks else position
