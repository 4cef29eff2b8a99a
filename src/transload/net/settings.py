"""Settings of the network: trust, proxies, limits. This module does not read the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transload.errors import UsageError
from transload.net.address import Origin, listed
from transload.net.proxies import Proxy
from transload.net.rates import NO_RATE_LIMITS, RateLimits
from transload.net.slots import RESERVED, for_bodies
from transload.values import Attribute, field, frozen
from transload.version import __version__

_BUFFER = 64 << 10
_SWIFT = 4 << 20  # bytes a second


def _check_proxies(_: object, __: Attribute[Mapping[str, str]], proxies: Mapping[str, str]) -> None:
    for kind, url in proxies.items():
        if url:
            Proxy.parse(url, f"the proxy for {kind}")


def _check_positive(_: object, attribute: Attribute[Any], value: float) -> None:
    if not value > 0:  # this form also refuses NaN
        raise UsageError(f"{attribute.name} must be above zero, not {value}")


@frozen(kw_only=True)
class NetSettings:
    """Trust, proxies and limits of all connections. Hosts are written `host` (any port) or `host:port`.

    `ca_files` are trusted besides the system's authorities. `certificate_folders` are the `certs.d` folders of docker
    and podman. `allow_realms` names token servers on other hosts that may get a registry's password. `proxies` has the
    keys `http`, `https` and `all`. `slots_per_host` limits the requests under way at one host, and the
    connections that are open; of more than 16, only half are for bodies. `attempts` is how often
    a small request is made at least, if the host works otherwise. `give_up_after_s` is how long a host may give no
    useful answer; a body that moves less than `min_rate` bytes a second, over a minute, is not useful. `limits` is how
    fast bodies may move.

    `client_certificate` and `client_key` are PEM files for servers that ask for one. Hosts in `allow_insecure_tls` are
    not verified, hosts in `allow_plain_http` are spoken to without TLS. `no_proxy` lists the hosts that are reached
    without a proxy, separated by commas. A connection gets `connect_timeout_s` to be made, and is given up when nothing
    moves for `stall_timeout_s`; all times are seconds. Raises `UsageError` for a number that is not positive or a proxy
    that is not a URL.
    """

    ca_files: tuple[Path, ...] = ()
    client_certificate: Path | None = None
    client_key: Path | None = None
    certificate_folders: tuple[Path, ...] = ()
    allow_insecure_tls: frozenset[str] = frozenset()
    allow_plain_http: frozenset[str] = frozenset()
    allow_realms: frozenset[str] = frozenset()
    proxies: Mapping[str, str] = field(factory=dict, validator=_check_proxies, hash=False, repr=False)
    no_proxy: str = ""
    connect_timeout_s: float = field(default=10, validator=_check_positive)
    stall_timeout_s: float = field(default=60, validator=_check_positive)
    give_up_after_s: float = field(default=120, validator=_check_positive)
    min_rate: float = field(default=1024, validator=_check_positive)
    slots_per_host: int = field(default=32, validator=_check_positive)
    limits: RateLimits = NO_RATE_LIMITS
    attempts: int = field(default=5, validator=_check_positive)
    user_agent: str = f"transload/{__version__}"

    @property
    def slots(self) -> int:
        """How many requests may be under way at one host: few at a low limit, so that each body keeps moving."""
        bodies = self.limits.bodies
        return self.slots_per_host if bodies is None else min(self.slots_per_host, bodies + RESERVED)

    @property
    def slots_for_bodies(self) -> int:
        """How many of these may be bodies in one direction."""
        return for_bodies(self.slots)

    @property
    def receive_buffer(self) -> int | None:
        """Bytes that the system may keep for a connection before we take them. None: as many as it likes.

        What lies there is no sign of life to the server. With a low limit, megabytes would lie there for minutes.
        """
        lowest = self.limits.lowest
        return None if lowest is None or lowest > _SWIFT else int(max(_BUFFER, lowest))

    def trusts_blindly(self, origin: Origin) -> bool:
        """Whether the user chose not to verify this host's certificate."""
        return listed(origin, self.allow_insecure_tls)

    def permits_plain(self, origin: Origin) -> bool:
        """Whether the user chose to speak to this host without TLS."""
        return listed(origin, self.allow_plain_http)
