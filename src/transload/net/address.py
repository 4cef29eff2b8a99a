"""URLs as values: origins, loopback, the redactor, and where a Location leads. No input or output."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from attrs import frozen

from transload.errors import InsecureRefused, ProtocolTrouble

DEFAULT_PORTS = {"http": 80, "https": 443}
# Query values that are needed to understand a problem; every other one may be a signature.
_HARMLESS = {"n", "last", "mount", "from", "digest", "scope", "service", "account", "artifactType"}


@frozen
class Origin:
    """Scheme, host and port: what decides whether two URLs belong to the same server."""

    scheme: str
    host: str
    port: int

    @classmethod
    @lru_cache(maxsize=1024)  # each request asks several times
    def of(cls, url: str) -> Origin:
        """The origin of an absolute http or https URL. Raises `ProtocolTrouble`."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ProtocolTrouble(f"{redacted(url)!r} is not a URL: {error}") from error
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise ProtocolTrouble(f"{redacted(url)!r} is not an http or https URL")
        return cls(parts.scheme, parts.hostname.lower(), port or DEFAULT_PORTS[parts.scheme])

    @property
    def netloc(self) -> str:
        """`host:port`, the port left out where it is the scheme's own, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether packets to this host never leave the machine."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


def is_loopback(host: str) -> bool:
    """`localhost`, 127.0.0.0/8 or ::1; names are not resolved, since what they resolve to can be anybody's wish."""
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
    """`url` fit for logs and messages: no user information, no query values but harmless ones, at most 300 characters.

    Signed storage URLs carry their signature in the query, upload URLs their state.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(unreadable URL)"
    netloc = parts.netloc.rpartition("@")[2]
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = "&".join(f"{quote(key)}={quote(value, '/:') if key in _HARMLESS else '…'}" for key, value in pairs)
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))[:300]


def with_query(url: str, **pairs: str) -> str:
    """`url` with `key=value` appended, whatever query it has already: that one is the server's and kept to the byte."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(pairs, safe=':/')}"


def without_query(url: str, key: str) -> str:
    """`url` without this query parameter."""
    parts = urlsplit(url)
    kept = "&".join(pair for pair in parts.query.split("&") if pair and pair.partition("=")[0] != key)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, kept, ""))


def redirect_target(url: str, location: str) -> str:
    """Where an answer's `Location` leads from `url`. Raises `InsecureRefused` for a downgrade to plain HTTP."""
    target = joined(url, location)
    if Origin.of(url).scheme == "https" and Origin.of(target).scheme == "http":
        raise InsecureRefused(
            f"{Origin.of(url)} redirects to plain HTTP at {Origin.of(target)}",
            hint="the server must redirect to https; a downgrade is never followed",
        )
    return target


def session_url(url: str, location: str) -> str:
    """Where an upload goes on, from the `Location` of an answer to `url`: relative, absolute, with a critical query.

    Registries behind a proxy leave the port or the `s` of https out of their own address (oras-go's port trap), so an
    address of the same host that lacks either stands for the origin that was asked.
    """
    target = joined(url, location)
    asked, parts = Origin.of(url), urlsplit(target)
    same_host = (parts.hostname or "").lower() == asked.host
    if same_host and (parts.port is None or parts.scheme != asked.scheme == "https"):
        return urlunsplit((asked.scheme, asked.netloc, parts.path, parts.query, ""))
    return redirect_target(url, target)


def joined(url: str, location: str) -> str:
    """An absolute URL from a reference found in an answer to `url`. Raises `ProtocolTrouble`."""
    try:
        target = urljoin(url, location.strip())
    except ValueError as error:
        raise ProtocolTrouble(f"{redacted(url)} points to something that is not a URL: {error}") from error
    Origin.of(target)
    return target
