"""The rules of authentication as a generator: it yields requests, is sent replies, and returns a token.

Invariants:
1. a password is sent only to the registry's own host, a host of its parent domain, or one that the user allowed;
2. an answer that came over https never causes a password to be sent over http;
3. nothing here does input or output, or looks at a clock.

Rules: distribution, docs/spec/auth/token.md and oauth.md, and how registries apply them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Generator, Sequence
from urllib.parse import urlencode, urlsplit, urlunsplit

from transload.errors import (
    AccessDenied,
    CredentialsRejected,
    InsecureRefused,
    LimitExceeded,
    LoginMissing,
    ProtocolTrouble,
    ServerTrouble,
    TooManyRequests,
    TransloadError,
)
from transload.limits import SMALL_JSON_VALUES, TOKEN_BYTES
from transload.login import Login, Secret
from transload.net.address import Origin, is_loopback, joined, listed
from transload.net.messages import HttpRequest, Reply
from transload.registry.headers import Challenge
from transload.registry.scope import Scope
from transload.strictjson import NotJson, read_json
from transload.values import field, frozen
from transload.wording import whole_number

CLIENT_ID = "transload"
_SHORTEST_S = 60.0
_LONGEST_S = 24 * 3600.0
# Second levels that do not belong to one owner: co.uk, com.au, ac.jp.
_SHARED_LEVELS = {"ac", "co", "com", "edu", "gov", "gob", "ne", "net", "or", "org"}
# Three names of one host. Other loopback addresses (127.0.0.2) may be other hosts: containers, forwarded ports.
_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


@frozen
class Granted:
    """A token and its lifetime in seconds."""

    token: Secret
    lifetime_s: float


@frozen
class Applicant:
    """Who asks for tokens: at which registry, with which credentials, and which other realms may get them."""

    registry: Origin
    login: Login | None = field(default=None, repr=False)
    allow_realms: frozenset[str] = frozenset()
    trouble: TransloadError | None = field(default=None, eq=False)
    """Why a login that may exist could not be read."""

    @property
    def has_credentials(self) -> bool:
        """Whether there is a user name or an identity token."""
        return self.login is not None and bool(self.login.identity_token or self.login.username)

    def missing(self) -> TransloadError:
        """The error when a registry asks for a login and none is known."""
        return self.trouble or LoginMissing(
            f"{self.registry.netloc} asks for user name and password, and none are known for it",
            subject=self.registry.netloc,
            hint=f"log in with docker login {self.registry.netloc}, or name the user and give a password",
        )


def basic(login: Login) -> str:
    """The Basic form of `Authorization`; an identity token is sent as the password.

    Bytes that are not UTF-8 are sent unchanged (RFC 7617 leaves the encoding to both sides).
    """
    username = login.username or "<token>"
    password = login.password.reveal() or login.identity_token.reveal()
    return "Basic " + base64.b64encode(f"{username}:{password}".encode("utf-8", "surrogateescape")).decode("ascii")


def choose(offered: Sequence[Challenge], applicant: Applicant) -> Challenge:
    """The challenge to answer: Bearer before Basic. Raises `LoginMissing`, or `AccessDenied` if none fits."""
    for scheme in ("bearer", "basic"):
        for challenge in offered:
            if challenge.scheme != scheme or (scheme == "bearer" and not challenge.get("realm")):
                continue
            if scheme == "basic" and not applicant.has_credentials:
                raise applicant.missing()
            return challenge
    names = ", ".join(challenge.scheme for challenge in offered) or "none"
    raise AccessDenied(
        f"{applicant.registry.netloc} offers no way to log in that transload knows (offered: {names})",
        subject=applicant.registry.netloc,
    )


def may_get_password(realm: Origin, registry: Origin, allowed: Collection[str]) -> bool:
    """Whether a token realm may see the password for `registry` (invariants 1 and 2)."""
    if realm.scheme == "http" and registry.scheme == "https":
        return False
    if listed(realm, allowed) or realm.host == registry.host:
        return True
    if {realm.host, registry.host} <= _THIS_MACHINE:
        return True
    if realm.scheme == "http":
        return False
    parent = _parent_domain(registry.host)
    return bool(parent) and (realm.host == parent or realm.host.endswith(f".{parent}"))


def _parent_domain(host: str) -> str:
    """`docker.io` of `registry-1.docker.io`; empty for addresses, and if the parent is shared (`co.uk`)."""
    labels = host.split(".")[1:]
    if ":" in host or is_loopback(host) or len(labels) < 2 or whole_number(labels[-1]) is not None:
        return ""
    if len(labels) == 2 and len(labels[1]) == 2 and labels[0] in _SHARED_LEVELS:
        return ""
    return ".".join(labels)


def obtain(
    challenge: Challenge, scopes: Sequence[Scope], applicant: Applicant
) -> Generator[HttpRequest, Reply, Granted]:
    """Ask the challenge's realm for a token for `scopes`.

    Raises `CredentialsRejected`, `AccessDenied`, `InsecureRefused`, `ProtocolTrouble`, `ServerTrouble`.
    """
    realm = joined(str(applicant.registry), challenge.get("realm"))
    login = applicant.login if applicant.has_credentials else None
    if login:
        _check_realm(Origin.of(realm), applicant)
    if login and login.identity_token:
        reply = yield _post(realm, challenge, scopes, applicant, login)
        if reply.status not in {404, 405}:  # a server without OAuth2 knows the older GET
            return _read(reply, applicant)
    reply = yield _get(realm, challenge, scopes, applicant, login)
    return _read(reply, applicant)


def _check_realm(realm: Origin, applicant: Applicant) -> None:
    if may_get_password(realm, applicant.registry, applicant.allow_realms):
        return
    if realm.scheme == "http" and applicant.registry.scheme == "https":
        raise InsecureRefused(
            f"{applicant.registry.netloc} wants the password sent to {realm} without TLS", subject=realm.netloc
        )
    raise InsecureRefused(
        f"{applicant.registry.netloc} wants the password sent to another host, {realm.netloc}",
        subject=realm.netloc,
        hint=f"if that host belongs to the registry, allow it with --allow-realm {realm.netloc}",
    )


def _get(
    realm: str, challenge: Challenge, scopes: Sequence[Scope], applicant: Applicant, login: Login | None
) -> HttpRequest:
    parts = urlsplit(realm)
    pairs = [("service", challenge.get("service"))] if challenge.get("service") else []
    pairs += [("scope", str(scope)) for scope in scopes] + [("client_id", CLIENT_ID)]
    query = "&".join(filter(None, (parts.query, urlencode(pairs, safe=":/,"))))
    return HttpRequest(
        "GET",
        urlunsplit((parts.scheme, parts.netloc, parts.path or "/", query, "")),
        f"asking for a token for {applicant.registry.netloc}",
        "token",
        headers={"Authorization": basic(login)} if login else {},
        limit=TOKEN_BYTES,
        registry=applicant.registry,
    )


def _post(realm: str, challenge: Challenge, scopes: Sequence[Scope], applicant: Applicant, login: Login) -> HttpRequest:
    form = {
        "grant_type": "refresh_token",
        "service": challenge.get("service"),
        "client_id": CLIENT_ID,
        "scope": " ".join(map(str, scopes)),
        "refresh_token": login.identity_token.reveal(),
    }
    return HttpRequest(
        "POST",
        realm,
        f"asking for a token for {applicant.registry.netloc}",
        "token",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=urlencode(form, errors="surrogateescape").encode("ascii"),
        limit=TOKEN_BYTES,
        registry=applicant.registry,
    )


def _read(reply: Reply, applicant: Applicant) -> Granted:
    if reply.status != 200:
        raise _refusal(reply, applicant)
    try:
        document = read_json(reply.body, limit=TOKEN_BYTES, values=SMALL_JSON_VALUES)
        token = document.get("token") or document.get("access_token")
    except (NotJson, AttributeError):
        token = None
    if not isinstance(token, str) or not token:
        raise ProtocolTrouble(
            f"{reply.origin.netloc} answers with something that is not a token", subject=reply.origin.netloc
        )
    if not token.isprintable() or not token.isascii():
        raise LimitExceeded(f"{reply.origin.netloc} gives a token that does not fit in a header")
    return Granted(Secret(token), _lifetime_s(document.get("expires_in")))


def _lifetime_s(stated: object) -> float:
    """The lifetime that a server states, within limits. A wrong number only costs another request."""
    if isinstance(stated, str) and re.fullmatch("[0-9]{1,9}", stated):  # as some servers write it
        stated = int(stated)
    if isinstance(stated, bool) or not isinstance(stated, (int, float)):
        return _SHORTEST_S
    return float(min(max(stated, _SHORTEST_S), _LONGEST_S))


def _refusal(reply: Reply, applicant: Applicant) -> TransloadError:
    registry, realm = applicant.registry.netloc, reply.origin.netloc
    identity = applicant.login is not None and bool(applicant.login.identity_token)
    if applicant.has_credentials and (reply.status == 401 or (reply.status == 400 and identity)):
        return rejected(applicant)  # 400 is OAuth2's answer to a refresh token that is no longer valid
    if applicant.trouble is not None and not applicant.has_credentials and reply.status in {401, 403}:
        return applicant.trouble
    if reply.status in {400, 401, 403, 404}:
        return AccessDenied(
            f"{realm} gives no token for {registry} ({reply.status})",
            subject=registry,
            hint="the login may lack the right, or there is no such repository or project yet"
            if applicant.has_credentials
            else f"log in, for example with docker login {registry}",
        )
    if reply.status == 429:
        return TooManyRequests(f"{realm} asks to slow down (429)", subject=realm)
    return ServerTrouble(f"{realm} cannot give a token now ({reply.status})", subject=realm)


def rejected(applicant: Applicant) -> CredentialsRejected:
    """The error for credentials that a server does not accept."""
    registry = applicant.registry.netloc
    user = applicant.login.username if applicant.login and applicant.login.username else "an identity token"
    return CredentialsRejected(
        f"{registry} does not accept the credentials of {user}",
        subject=registry,
        hint=f"check the user name and the password for {registry}; they may have expired",
    )
