"""What a browser asks for: whether it wants a page at all, and which one. Pure.

Nothing below `/v2/` is a page, and no client of a registry asks for HTML, so the two never meet.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal
from urllib.parse import quote

from transload.errors import ManifestUnknown, RepositoryUnknown, TransloadError
from transload.oci import Name
from transload.oci.reference import check_repository, named_registry
from transload.values import frozen

Kind = Literal["repositories", "repository", "image", "document"]

_REPOSITORY, _IMAGE, _DOCUMENT = "/repository/", "/image/", "/document/"
_HTML = ("text/html", "application/xhtml+xml")
_RANGES = 50  # of an Accept header that are read; browsers send ten


@frozen
class Page:
    """One page, and the repository or image that it is about."""

    kind: Kind
    name: Name | None = None


def wants_html(accepts: Iterable[str]) -> bool:
    """Whether the values of Accept name HTML, and do not like JSON better (RFC 9110, 12.5.1). `*/*` names nothing.

    >>> wants_html(["text/html,application/xml;q=0.9,*/*;q=0.8"]), wants_html(["*/*"])
    (True, False)
    >>> wants_html(["application/json, text/html;q=0.5"])
    False
    """
    qualities = {"html": 0.0, "json": 0.0}
    for text in ",".join(accepts).split(",", _RANGES)[:_RANGES]:
        kind, *parameters = (part.strip().lower() for part in text.split(";"))
        word = "html" if kind in _HTML else "json" if kind.endswith(("/json", "+json")) else None
        if word:
            qualities[word] = max(qualities[word], _quality(parameters))
    return qualities["html"] > 0 and qualities["html"] >= qualities["json"]


def _quality(parameters: list[str]) -> float:
    stated = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    try:
        return min(1.0, max(0.0, float(stated)))
    except ValueError:
        return 0.0


def is_from_elsewhere(origin: str | None, host: str | None) -> bool:
    """Whether a page of another site sent a request: browsers state its origin, clients of registries state none.

    >>> is_from_elsewhere("http://r.example:5000", "r.example:5000"), is_from_elsewhere(None, "r.example")
    (False, False)
    >>> is_from_elsewhere("https://evil.example", "r.example"), is_from_elsewhere("null", "r.example")
    (True, True)
    """
    return origin is not None and origin.rpartition("://")[2].lower() != (host or "").lower()


def is_page_path(path: str) -> bool:
    """Whether a path is outside of the distribution API."""
    return path != "/v2" and not path.startswith("/v2/")


def page_at(path: str) -> Page:
    """The page at a decoded path. Raises `NotFound` with what to say about a path that cannot be one.

    >>> page_at("/image/team/app:1.0").name
    Name(repository='team/app', tag='1.0', digest=None)
    """
    if path == "/":
        return Page("repositories")
    try:
        if path.startswith(_REPOSITORY):
            return Page("repository", Name(check_repository(path.removeprefix(_REPOSITORY))))
        for beginning, kind in ((_IMAGE, "image"), (_DOCUMENT, "document")):
            if path.startswith(beginning):
                name = Name.parse(path.removeprefix(beginning))
                if name.repository and (name.tag or name.digest):
                    return Page("image" if kind == "image" else "document", name)
                raise ManifestUnknown("the address names no image: it ends in a tag or a digest")
    except ManifestUnknown:
        raise
    except TransloadError as error:
        raise ManifestUnknown("the address names nothing that a registry can have") from error
    raise RepositoryUnknown("there is no page at this address")


def address_of(kind: Kind, name: Name) -> str:
    """The path of a page.

    >>> address_of("repository", Name("team/app")), address_of("image", Name("team/app", "1.0"))
    ('/repository/team/app', '/image/team/app:1.0')
    """
    return f"/{kind}/{quote(str(name), safe='/:@')}"


def image_address(text: str) -> str | None:
    """The page of the image whose reference a reader wrote or pasted; None for what names none.

    >>> image_address("registry.local:5000/team/app:1.0"), image_address("team/app"), image_address("a b:1")
    ('/image/team/app:1.0', None, None)
    """
    try:
        name = Name.parse(named_registry(text)[1])
    except TransloadError:
        return None
    return address_of("image", name) if name.repository and (name.tag or name.digest) else None


def repository_address(text: str) -> str | None:
    """The page of the repository that a reader wrote; None if no repository can have this name."""
    try:
        return address_of("repository", Name(check_repository(text)))
    except TransloadError:
        return None
