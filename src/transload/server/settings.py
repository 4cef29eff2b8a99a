"""How a store is served: where, to whom, and whether clients may write."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from pathlib import Path

from transload.errors import UsageError
from transload.login import Secret
from transload.values import field, frozen


@frozen(kw_only=True)
class ServeSettings:
    """Where and how a store is served. By default it is read-only and on loopback.

    `port` 0 means a free port. `allow_sparse` accepts manifests whose parts are missing. `users` are names with their
    passwords; without users no login is needed. `tls_key` may be left out if the certificate's file (PEM) holds the key
    too. Uploads are kept in `spool_folder` (None: the system's folder for temporary files) until their digest is
    checked; a layout keeps them in a folder of its own, so that they are written once. A client that moves nothing for
    `stall_timeout_s` seconds is disconnected. On closing, running requests have `shutdown_timeout_s` seconds to end.
    With `page`, browsers get pages of what is served, outside of `/v2/`.
    Raises `UsageError` for settings that contradict each other.
    """

    host: str = "127.0.0.1"
    port: int = 0
    writable: bool = False
    allow_sparse: bool = False
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    users: Mapping[str, str | Secret] = field(factory=dict, repr=False)
    spool_folder: Path | None = None
    stall_timeout_s: float = 120.0
    shutdown_timeout_s: float = 5.0
    page: bool = True

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"{self.port} is not a port", hint="ports go from 0 (any free one) to 65535")
        if self.tls_key and not self.tls_certificate:
            raise UsageError("a TLS key was given without a certificate")
        for user, secret in self.users.items():
            if not user:
                raise UsageError("a user without a name was given", hint="name one, or leave the user out")
            if ":" in user:
                raise UsageError(f"{user!r} cannot be a user name", hint="basic authentication ends names at a colon")
            if not (secret if isinstance(secret, str) else secret.reveal()):
                raise UsageError(f"the password of {user!r} is empty", hint="choose a password")

    @property
    def exposure(self) -> str | None:
        """A warning for people: other machines can reach the server, and a login or TLS is missing; None if not."""
        lacking = [
            word for word, setting in (("login", self.users), ("TLS", self.tls_certificate)) if not setting
        ]  # the login first: without it the server is open to all
        if not lacking or _is_loopback(self.host):
            return None
        if self.users:
            return f"{self.host} can be reached by other machines, and passwords go there unencrypted: there is no TLS"
        may = "read and change" if self.writable else "read"
        return (
            f"{self.host} is reached by other machines, and there is no {' and no '.join(lacking)}: "
            f"everybody who reaches it may {may} what is served"
        )


def _is_loopback(host: str) -> bool:
    """Whether only this machine can reach this host. All addresses of a name must be loopback."""
    try:
        addresses = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:  # listening will report what is wrong
        return True
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in addresses)
