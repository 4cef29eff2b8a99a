"""How a store is served: where, to whom, and whether it takes writes."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from transload.errors import UsageError
from transload.login import Secret


@frozen
class ServeSettings:
    """Where and how a store is served; read-only, on loopback, unless said otherwise.

    `port` 0 takes a free one. `allow_sparse` takes manifests of which parts are not there. `users` are names with their
    passwords; without users nobody has to say who they are.
    `tls_key` may be left out when the certificate's file (PEM) holds the key too. Uploads lie in `spool_folder`
    (the system's folder for temporary files when None) until their digest is proved. A client that moves nothing
    for `stall_timeout_s` is cut off; on closing, running requests get `shutdown_timeout_s` to end.
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
                raise UsageError(f"the password of {user!r} is empty", hint="choose one: anybody would guess that")

    @property
    def exposure(self) -> str | None:
        """What people should know before they start it: that others reach it, and what would keep them out."""
        lacking = [
            word for word, there in (("login", self.users), ("TLS", self.tls_certificate)) if not there
        ]  # in this order, since without the first nobody is kept out
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
    """Whether only this machine reaches what listens there; a name counts by all of its addresses."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:  # what is wrong with it, listening tells
        return True
    return all(ipaddress.ip_address(one.partition("%")[0]).is_loopback for one in found)
