"""How hosts are reached: what a user gives, together with what the environment says."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from transload.errors import UsageError
from transload.net.rates import NO_RATE_LIMITS, RateLimits
from transload.values import Attribute, field, frozen

if TYPE_CHECKING:
    from transload.app.settings import Environment
    from transload.net.settings import NetSettings


def _hosts(values: str | Iterable[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)


def _files(values: str | Path | Iterable[str | Path]) -> tuple[Path, ...]:
    return (Path(values),) if isinstance(values, (str, Path)) else tuple(map(Path, values))


def _limits(value: RateLimits | str | float | Iterable[str]) -> RateLimits:
    return RateLimits.of(value)


def _check_count(_: object, attribute: Attribute[int], count: object) -> None:
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"{attribute.name} must be int, not {type(count).__name__}")
    if count < 1:
        raise UsageError(f"{attribute.name} must be at least 1, not {count}")


@frozen(kw_only=True)
class Network:
    """The settings of connections that a user gives; the environment adds proxies.

    `ca_files` (PEM) are trusted besides the system's authorities. `client_certificate` and `client_key` (PEM) are shown
    to servers that ask for one. Hosts in `insecure_tls` are not verified, hosts in `plain_http` are spoken to without
    TLS; both are written `host` or `host:port`. `realms` names token servers on other hosts that may get a registry's
    password. A request that moves nothing for `stall_timeout_s` seconds is given up and repeated; a host that gives no
    useful answer for `give_up_after_s` seconds is not asked again. A body that moves less than `min_rate` bytes a
    second counts as no useful answer. A field for several texts or paths also accepts a single one.

    `limit_rate` is how fast bodies may move at most, in each direction: bytes a second, or texts such as `20MB/s`,
    `source=20MB/s`, `target=500KiB/s`. One host gets at most `max_connections` at a time. Raises `UsageError`.
    """

    ca_files: tuple[Path, ...] = field(default=(), converter=_files)
    client_certificate: Path | None = None
    client_key: Path | None = None
    insecure_tls: tuple[str, ...] = field(default=(), converter=_hosts)
    plain_http: tuple[str, ...] = field(default=(), converter=_hosts)
    realms: tuple[str, ...] = field(default=(), converter=_hosts)
    stall_timeout_s: float = 60
    give_up_after_s: float = 120
    min_rate: float = 1024
    limit_rate: RateLimits = field(default=NO_RATE_LIMITS, converter=_limits)
    max_connections: int = field(default=32, validator=_check_count)

    def settings(self, environment: Environment) -> NetSettings:
        """These settings with those of the environment. Raises `UsageError` that names the variable of a bad proxy."""
        from transload.net.proxies import Proxy
        from transload.net.settings import NetSettings

        for kind, variable in environment.proxy_variables.items():
            Proxy.parse(environment.proxies[kind], variable)
        return NetSettings(
            ca_files=self.ca_files,
            client_certificate=self.client_certificate,
            client_key=self.client_key,
            allow_insecure_tls=frozenset(self.insecure_tls),
            allow_plain_http=frozenset(self.plain_http),
            allow_realms=frozenset(self.realms),
            certificate_folders=environment.certificate_folders,
            proxies=environment.proxies,
            no_proxy=environment.no_proxy,
            stall_timeout_s=self.stall_timeout_s,
            give_up_after_s=self.give_up_after_s,
            min_rate=self.min_rate,
            limits=self.limit_rate,
            slots_per_host=self.max_connections,
        )
