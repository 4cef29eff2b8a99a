"""Which proxy a request uses, by the rules of the usual variables, which are passed in. No input or output."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from transload.errors import UsageError
from transload.expressions import late
from transload.net.address import Origin
from transload.values import field, frozen
from transload.wording import whole_number

# A password may hold an @, since the last one counts. It may not hold what ends a host or belongs to one.
_PROXY = late(
    r"(?:(https?)://)?(?:([^/?#\\\[\]\s]*)@)?([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?(?:/[^@]*)?", re.IGNORECASE
)


@frozen
class Proxy:
    """A proxy: its URL without user information, and the `Proxy-Authorization` that it gets."""

    url: str
    authorization: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str, whose: str = "the proxy") -> Proxy:
        """Read `[http[s]://][user:password@]host[:port]`; without a scheme it is `http`. `whose` begins the error.

        Raises `UsageError`, which does not repeat the text: it may hold a password.
        """
        form = _PROXY.fullmatch(text.strip())
        if form is None or not 0 < int(form[4] or 1) < 1 << 16:
            raise UsageError(
                f"{whose} is not an http or https URL",
                hint="write http://proxy.example:3128, or http://user:password@proxy.example:3128 with special letters"
                " of user and password in percent form: %23 for #, %2F for /, %3F for ?, %5B for [, %5C for \\",
            )
        scheme, user, host, port = form.groups()
        url = f"{(scheme or 'http').lower()}://{host}" + (f":{port}" if port else "")
        return cls(url, None if user is None else _basic(user))


def _basic(user: str) -> str:
    credentials = unquote_to_bytes(user.encode("utf-8", "surrogateescape"))
    return "Basic " + base64.b64encode(credentials if b":" in credentials else credentials + b":").decode("ascii")


def proxy_for(origin: Origin, proxies: Mapping[str, str], no_proxy: str) -> str | None:
    """The proxy's URL, or None for a direct connection. Loopback is always direct, as in curl and Go."""
    if origin.is_loopback or bypasses(origin, no_proxy):
        return None
    return proxies.get(origin.scheme) or proxies.get("all") or None


def bypasses(origin: Origin, no_proxy: str) -> bool:
    """Whether `no_proxy` names this host.

    Entries are separated by commas or blanks: `*`, a host (this includes all names below it, with or without a leading
    dot), an address, a network in CIDR form; each with an optional `:port`.
    """
    return any(_matches(origin, entry.lower()) for entry in no_proxy.replace(",", " ").split())


def _matches(origin: Origin, entry: str) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return _in_network(origin.host, entry)
    host, port = _split_port(entry)
    if port is not None and port != origin.port:
        return False
    host = host.removeprefix("*").removeprefix(".")
    return bool(host) and (origin.host == host or origin.host.endswith(f".{host}"))


def _split_port(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, whole_number(rest[1:])
    host, colon, port = entry.rpartition(":")
    if colon and whole_number(port) is not None and ":" not in host:
        return host, whole_number(port)
    return entry, None


def _in_network(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
