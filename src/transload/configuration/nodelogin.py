"""The registry's login in the words of engines: a header's value, or fields."""

from __future__ import annotations

from base64 import b64encode

from transload.errors import UsageError
from transload.login import Login


def basic(login: Login) -> str:
    """User name and password as RFC 7617 encodes them. Raises `UsageError` for a login without them."""
    if not login.username or login.identity_token or login.registry_token:
        raise UsageError(
            "the login for the registry is a token, and the file needs a user name and a password",
            hint="leave --with-login out and use an imagePullSecret, or give --target-username",
        )
    return b64encode(f"{login.username}:{login.password.reveal()}".encode()).decode()


def login_fields(login: Login, identity_token: str = "") -> dict[str, str]:
    """User name and password, or an identity token in the field of this name, if there is one.

    Raises `UsageError` for other tokens.
    """
    if login.identity_token and identity_token:
        return {identity_token: login.identity_token.reveal()}
    basic(login)
    return {"username": login.username, "password": login.password.reveal()}
