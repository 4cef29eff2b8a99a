"""Who may use the server: basic authentication (RFC 7617), compared in constant time."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import secrets
from base64 import b64decode
from collections.abc import Mapping

from transload.login import Secret

CHALLENGE = 'Basic realm="transload", charset="UTF-8"'


class BasicAuth:
    """Admits everyone if there are no users. It keeps keyed hashes, not the passwords."""

    def __init__(self, users: Mapping[str, str | Secret]) -> None:
        self._key = secrets.token_bytes(32)
        self._known = [self._fingerprint(f"{user}:{_reveal(secret)}".encode()) for user, secret in users.items()]

    def admits(self, authorization: str | None) -> bool:
        """Whether the value of an Authorization header names a user with their password."""
        if not self._known:
            return True
        scheme, _, encoded = (authorization or "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            presented = self._fingerprint(b64decode(encoded.strip(), validate=True))
        except (binascii.Error, ValueError):
            return False
        matches = [
            hmac.compare_digest(presented, known) for known in self._known
        ]  # compare with all users: constant time
        return True in matches

    def user_of(self, authorization: str | None) -> str | None:
        """The name in a header that was admitted; None if no login is needed, since then a name says nothing."""
        if not self._known or not authorization:
            return None
        return b64decode(authorization.partition(" ")[2].strip()).partition(b":")[0].decode("utf-8", "replace")

    def _fingerprint(self, credentials: bytes) -> bytes:
        return hmac.digest(self._key, credentials, hashlib.sha256)


def _reveal(secret: str | Secret) -> str:
    return secret if isinstance(secret, str) else secret.reveal()
