"""Credentials for one registry. A secret has a type of its own, which always prints as a mask."""

from __future__ import annotations

from transload.values import field, frozen

MASK = "••••"


class Secret:
    """Holds a password or token; only `reveal` gives it away, so that a log line or traceback never does."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the wire."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__


def _secret(value: Secret | str) -> Secret:
    if not isinstance(value, (Secret, str)):
        raise TypeError(f"a secret must be Secret or str, not {type(value).__name__}")
    return value if isinstance(value, Secret) else Secret(value)


def _nothing() -> Secret:
    return Secret("")


@frozen
class Login:
    """User name and password, or a token in their place.

    An identity token is an OAuth2 refresh token, as ACR's login leaves it. A registry token is sent to the registry as
    it is (docker's `registrytoken`). A text that is given for one of them becomes a `Secret`.
    """

    username: str = ""
    password: Secret = field(factory=_nothing, converter=_secret)
    identity_token: Secret = field(factory=_nothing, converter=_secret)
    registry_token: Secret = field(factory=_nothing, converter=_secret, repr=False)
