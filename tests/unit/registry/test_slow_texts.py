"""What is read of a registry's answer costs time in proportion to its length, however it is made up."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from email.message import Message

import pytest

from transload.errors import LimitExceeded, TransloadError
from transload.limits import HEADER_LENGTH
from transload.net.address import Url, joined, redacted, session_url
from transload.net.backoff import retry_after_s
from transload.net.messages import Reply
from transload.net.proxies import Proxy
from transload.oci import Descriptor, Digest, Name, Platform, Reference
from transload.oci.reference import check_registry, check_repository, check_tag
from transload.registry.headers import challenges, next_link, parse_content_range, unsatisfied_total, upload_offset
from transload.registry.scope import merged, parse_scopes
from transload.registry.translate import complaints, problem
from transload.report.texts import harmless, one_line, with_short_digests

BASE = "http://registry.example/v2/"
LONG = 64 << 10

PIECES = (
    *("a", "1", " ", "\t", ",", ";", "=", '"', "\\", "<", ">", "/", ":", "@", "-", "_", ".", "%", "#", "?", "[", "&"),
    *("a ", " ,", '="', 'a="', '\\"', 'a="\\"', "<>;", "<>; a=", "; a=  ", "; ;", "<a", "<title>", "<title"),
    *("<a>;rel=next,", "a.", "a-", "a__", "a/", "://", "http://", "a@", "sha256:", "sha256:0", "a:b:c "),
    *("repository:a:pull ", "0-", "bytes ", "-a", '<x>; rel="', "v1.", "é", "\x1b[", "x://a@b ", '{"errors":[', "{},"),
)
TEXTS = tuple(
    front + (piece * (LONG // len(piece))) + end
    for piece in PIECES
    for front, end in (("", ""), ('Bearer realm="', ""), ('<x>; rel="', '"'), ("http://", "@"), ("sha256:", "!"))
)


def reply(text: str, **headers: str) -> Reply:
    told = Message()
    for name, value in headers.items():
        told[name.replace("_", "-")] = value
    return Reply(400, dict(told.items()), text.encode()[:LONG], BASE)


READERS: dict[str, Callable[[str], object]] = {
    "challenges": lambda text: challenges(text[:HEADER_LENGTH]),
    "next link": lambda text: next_link(text[:HEADER_LENGTH]),
    "scopes": lambda text: merged(parse_scopes(text[:HEADER_LENGTH])),
    "an error body": lambda text: complaints(reply(text)),
    "an error": lambda text: problem(reply(text, Content_Type="text/html"), "asking", "manifest"),
    "a URL": Url.parse,
    "a location": lambda text: joined(BASE, text),
    "an upload": lambda text: session_url(BASE, text),
    "a redacted URL": redacted,
    "a retry": lambda text: retry_after_s({"Retry-After": text, "Date": text}, 0),
    "a range": lambda text: (parse_content_range(text), unsatisfied_total(text), upload_offset(text)),
    "a digest": Digest,
    "a reference": Reference.parse,
    "a name": Name.parse,
    "a repository": check_repository,
    "a registry": check_registry,
    "a tag": check_tag,
    "a platform": Platform.parse,
    "a descriptor": lambda text: Descriptor.from_json({"mediaType": text, "digest": text, "size": 1}, "x"),
    "a proxy": Proxy.parse,
    "what is shown": lambda text: (harmless(text), one_line(text), with_short_digests(text)),
}


@pytest.fixture
def _uncollected() -> Iterator[None]:
    """No collection of the rubbish of thousands of tests before: it takes this thread a second."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_uncollected")
@pytest.mark.parametrize("reader", READERS)
def test_no_text_is_slow_to_read(reader: str) -> None:
    slowest, longest = 0.0, 0
    for text in TEXTS:
        began_s = time.thread_time()  # of this thread's own work, so that a busy machine does not count
        try:
            READERS[reader](text)
        except TransloadError as error:
            longest = max(longest, len(str(error)))
        slowest = max(slowest, time.thread_time() - began_s)
    assert slowest < 1
    assert longest < 4000


def test_headers_beyond_reason_are_refused_unread() -> None:
    with pytest.raises(LimitExceeded, match="WWW-Authenticate"):
        challenges("Basic " + "," * HEADER_LENGTH)
    with pytest.raises(LimitExceeded, match="Link"):
        next_link('<a>; rel="next"' + "," * HEADER_LENGTH)
    assert len(complaints(reply('{"errors":[' + '{"code":"A"},' * 300 + "{}]}"))) == 8


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<a>; rel="next"', "a"),
        ("<a>;rel=next", "a"),
        ('<a>; title="x, y; rel=next"; rel=last, <b> ; REL = "prev Next"', "b"),
        ("<a>; rel=nextish, <b>; rel=next; x", "b"),
        ("<a; rel=next, <b>;rel=next", "b"),
        ("a; rel=next", None),
        ('<a>; x="unclosed; rel=next', None),
        ("", None),
    ],
)
def test_links(header: str, target: str | None) -> None:
    assert next_link(header) == target
