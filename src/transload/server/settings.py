"""How a store is served: where, to whom, and whether it takes writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from attrs import field, frozen

from transload.errors import UsageError


class Hidden(Protocol):
    """A secret that gives itself away only on request."""

    def reveal(self) -> str:
        """The secret itself."""
        ...


@frozen
class ServeSettings:
    """Where and how a store is served; read-only, on loopback, unless said otherwise.

    `port` 0 takes a free one. `users` are names with their passwords; without users nobody is asked who he is.
    `tls_key` may be left out when the certificate's file (PEM) holds the key too. Uploads lie in `spool_folder`
    (the system's folder for temporary files when None) until their digest is proved. A client that moves nothing
    for `stall_timeout_s` is cut off; on closing, running requests get `shutdown_timeout_s` to end.
    Raises `UsageError` for settings that contradict each other.
    """

    host: str = "127.0.0.1"
    port: int = 0
    writable: bool = False
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    users: Mapping[str, str | Hidden] = field(factory=dict, repr=False)
    spool_folder: Path | None = None
    stall_timeout_s: float = 120.0
    shutdown_timeout_s: float = 5.0

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"{self.port} is not a port", hint="ports go from 0 (any free one) to 65535")
        if self.tls_key and not self.tls_certificate:
            raise UsageError("a TLS key was given without a certificate")
        for user in self.users:
            if not user or ":" in user:
                raise UsageError(f"{user!r} cannot be a user name", hint="basic authentication ends names at a colon")
