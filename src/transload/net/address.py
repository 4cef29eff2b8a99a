"""URLs as values: the one parser, origins, loopback, the redactor, and where a Location leads. No input or output.

`Url.parse` reads every URL that comes from outside, and we connect to exactly what it read. Two parsers that disagree
over one backslash can send a password to the wrong host.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import parse_qsl, quote, urlencode, urljoin

from transload.errors import InsecureRefused, ProtocolTrouble
from transload.expressions import late
from transload.values import frozen

DEFAULT_PORTS = {"http": 80, "https": 443}
_URL_LENGTH = 16 << 10
# Characters that no URL may hold (RFC 3986). Parsers drop them, replace them, or disagree on what they mean.
_ODD = late(r"[^!-~]|\\")
_URL = late(
    r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?(/[^?#]*)?(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE
)
_USER_INFO = late(r"(?<=://)[^/?#@]*@")
# Query values that help to understand a problem. Any other value may be a signature, so it is hidden.
_HARMLESS = {"n", "last", "mount", "from", "digest", "scope", "service", "account", "artifactType"}


@frozen
class Origin:
    """Scheme, host and port: what decides whether two URLs belong to the same server."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """The origin of an absolute http or https URL. Raises `ProtocolTrouble`."""
        return Url.parse(url).origin

    @property
    def netloc(self) -> str:
        """`host:port`, without the scheme's default port; an IPv6 address is in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether packets to this host never leave the machine."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


@frozen
class Url:
    """The parts of an absolute http or https URL. `path` begins with a slash; the fragment is dropped.

    `names_port`: whether the text named the port.
    """

    origin: Origin
    names_port: bool
    path: str
    query: str | None

    @classmethod
    @lru_cache(maxsize=1024)  # each request calls this several times
    def parse(cls, text: str) -> Url:
        """Read a URL strictly by RFC 3986. Raises `ProtocolTrouble`.

        User information is refused: a server may not choose our credentials. So are backslashes, blanks, control
        characters and letters beyond ASCII: browsers, libraries and proxies disagree on what those mean.
        """
        _check_letters(text)
        form = _URL.fullmatch(text)
        if form is None:
            raise ProtocolTrouble(f"{redacted(text)!r} is not an http or https URL")
        scheme, host = form[1].lower(), form[2].strip("[]").lower()
        port = int(form[3]) if form[3] else DEFAULT_PORTS[scheme]
        if not 0 < port < 1 << 16 or (":" in host and not _is_address(host)):
            raise ProtocolTrouble(f"{redacted(text)!r} has no valid host and port")
        return cls(Origin(scheme, host, port), form[3] is not None, form[4] or "/", form[5])

    @property
    def target(self) -> str:
        """Path and query, as the first line of a request has them."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    def __str__(self) -> str:
        return f"{self.origin}{self.target}"


def _check_letters(text: str, whose: str = "") -> None:
    if len(text) > _URL_LENGTH:
        raise ProtocolTrouble(f"{whose}a URL of {len(text)} characters is over the limit of {_URL_LENGTH}")
    odd = _ODD.search(text)
    if odd:
        raise ProtocolTrouble(f"{whose}a URL that holds {odd[0]!a} is not followed")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)  # each request calls this several times
def is_loopback(host: str) -> bool:
    """`localhost`, 127.0.0.0/8 or ::1. Other names are not resolved: whoever runs their DNS decides the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def listed(origin: Origin, hosts: Collection[str]) -> bool:
    """Whether `hosts` names this one, as `host` or as `host:port`."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    names = {host, origin.host, f"{host}:{origin.port}"}
    return any(entry.lower() in names for entry in hosts)


def redacted(url: str) -> str:
    """`url` made safe for logs and messages: no user information, harmless query values only, at most 300 characters.

    The query of a signed storage URL holds its signature; the query of an upload URL holds its state.
    """
    bare = _USER_INFO.sub("", url[:_URL_LENGTH], count=1)
    form = _URL.fullmatch(bare)
    if form is None or _ODD.search(bare):
        # we cannot know where user information ends, and invisible characters must not be printed
        return "(unreadable URL)" if "@" in bare or _ODD.search(bare) else bare.partition("?")[0][:300]
    pairs = parse_qsl(form[5] or "", keep_blank_values=True)
    query = "&".join(f"{quote(key)}={quote(value, '/:') if key in _HARMLESS else '…'}" for key, value in pairs)
    port = f":{form[3]}" if form[3] else ""
    return f"{form[1]}://{form[2]}{port}{form[4] or ''}{'?' if query else ''}{query}"[:300]


def with_query(url: str, **pairs: str) -> str:
    """`url` with `key=value` appended. Its own query comes from the server and is kept byte for byte."""
    query = Url.parse(url).query
    return f"{url}{'?' if query is None else '&' if query else ''}{urlencode(pairs, safe=':/')}"


def without_query(url: str, key: str) -> str:
    """`url` without this query parameter."""
    parts = Url.parse(url)
    query = "&".join(pair for pair in (parts.query or "").split("&") if pair and pair.partition("=")[0] != key)
    return str(Url(parts.origin, parts.names_port, parts.path, query or None))


def redirect_target(url: str, location: str) -> str:
    """The URL that the `Location` of an answer to `url` means. Raises `InsecureRefused` if it leaves https for http."""
    return _as_secure(Origin.of(url), Url.parse(_absolute(url, location)))


def _as_secure(asked: Origin, target: Url) -> str:
    if asked.scheme == "https" and target.origin.scheme == "http":
        raise InsecureRefused(
            f"{asked} redirects to plain HTTP at {target.origin}",
            hint="the server must redirect to https; a downgrade is never followed",
        )
    return str(target)


def session_url(url: str, location: str) -> str:
    """The URL where an upload continues: the `Location` of an answer to `url`, relative or absolute, query included.

    Some registries behind a proxy leave the port or the `s` of https out of their own address (oras-go's port trap). So
    an address of the same host that lacks either means the origin that was asked.
    """
    asked, target = Origin.of(url), Url.parse(_absolute(url, location))
    trapped = not target.names_port or target.origin.scheme != asked.scheme == "https"
    if target.origin.host == asked.host and trapped:
        return str(Url(asked, True, target.path, target.query))
    return _as_secure(asked, target)


def joined(url: str, location: str) -> str:
    """An absolute URL from a reference found in an answer to `url`. Raises `ProtocolTrouble`."""
    return str(Url.parse(_absolute(url, location)))


def _absolute(url: str, location: str) -> str:
    reference = location.strip(" \t")
    _check_letters(
        reference, f"{Origin.of(url).netloc} sends us to another address: "
    )  # before urljoin, which drops what it does not like
    try:
        return urljoin(url, reference)
    except ValueError as error:
        raise ProtocolTrouble(f"{redacted(url)} points to something that is not a URL: {error}") from error
