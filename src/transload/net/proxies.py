"""Which proxy a request goes through: the rules of the usual variables, without reading them. No input or output."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from transload.net.address import Origin
from transload.sizes import whole_number


def proxy_for(origin: Origin, proxies: Mapping[str, str], no_proxy: str) -> str | None:
    """The proxy's URL, or None to go straight. Loopback is always reached straight, as curl's and Go's users expect."""
    if origin.is_loopback or bypasses(origin, no_proxy):
        return None
    return proxies.get(origin.scheme) or proxies.get("all") or None


def bypasses(origin: Origin, no_proxy: str) -> bool:
    """Whether `no_proxy` excepts this host.

    Entries are separated by commas or blanks: `*`, a host (also everything below it, with or without a leading dot),
    an address, a network in CIDR form, each with an optional `:port`.
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
