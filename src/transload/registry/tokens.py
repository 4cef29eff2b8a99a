"""Holds a registry's challenge and its tokens, one per set of scopes. No token is requested twice at a time."""

from __future__ import annotations

import threading

from attrs import evolve

from transload.errors import AccessDenied
from transload.login import Secret
from transload.net.http import Http
from transload.net.traffic import Asked
from transload.registry.auth import Applicant, Granted, basic, choose, obtain, rejected
from transload.registry.headers import Challenge, challenges
from transload.registry.scope import Scope, covers, merged, parse_scopes
from transload.values import frozen

Scopes = tuple[Scope, ...]
_AHEAD = 0.25
"""A token is not used when less than this part of its life is left; half of it for a request that takes long."""
_AHEAD_LONG = 0.5
_MOST_SCOPES = 100
"""How many scopes a registry may demand besides ours, so that requests do not grow for ever."""


@frozen
class _Token:
    value: Secret
    scopes: Scopes
    begins_s: float
    lifetime_s: float

    def serves(self, wanted: Scopes, now_s: float, ahead: float) -> bool:
        return covers(self.scopes, wanted) and now_s < self.begins_s + self.lifetime_s * (1 - ahead)


class Authorizer:
    """`Authorization` headers for one registry. Safe for threads."""

    def __init__(self, http: Http, applicant: Applicant, asked: Asked | None = None) -> None:
        self._http = http
        self._applicant = applicant
        self._asked = asked
        self._lock = threading.Lock()
        self._flights: dict[Scopes, threading.Lock] = {}
        self._challenge: Challenge | None = None
        self._tokens: list[_Token] = []
        self._demanded: dict[Scopes, Scopes] = {}

    def header(self, scopes: Scopes, *, long: bool = False) -> str | None:
        """The header to send at once; None as long as the registry has sent no challenge.

        `long` asks for a token with much of its life left, for a request that takes long.
        """
        challenge = self._challenge
        if challenge is None or not (scopes or challenge.scheme == "basic"):
            return None
        return self._header(challenge, scopes, _AHEAD_LONG if long else _AHEAD)

    def answer(self, header: str, scopes: Scopes, sent: str | None, sent_s: float) -> str:
        """The header to send after a 401 with this `WWW-Authenticate`, if `sent` was refused at `sent_s`.

        Older tokens that cover the scopes are dropped too: a server whose clock or key has changed accepts none of
        them.

        Raises `CredentialsRejected`, `AccessDenied`, and what `obtain` raises.
        """
        challenge = choose(challenges(header), self._applicant)
        if sent and (sent == self._registry_token() or (challenge.scheme == "basic" and sent.startswith("Basic "))):
            raise rejected(self._applicant)
        with self._lock:
            self._challenge = challenge
            if sent:
                self._tokens = [
                    token for token in self._tokens if token.begins_s > sent_s or not covers(token.scopes, scopes)
                ]
            demanded = parse_scopes(challenge.get("scope"))
            if demanded:
                known = merged((*self._demanded.get(scopes, ()), *demanded))
                self._demanded[scopes] = known[:_MOST_SCOPES]
        authorization = self._header(challenge, scopes, _AHEAD)
        if authorization is None:
            raise AccessDenied(f"{self._applicant.registry.netloc} refuses access")
        return authorization

    def forget(self, sent: str | None) -> None:
        """Drop a token that the registry no longer accepts."""
        with self._lock:
            self._tokens = [token for token in self._tokens if f"Bearer {token.value.reveal()}" != sent]

    def _registry_token(self) -> str | None:
        """The login's own registry token, which is sent as it is."""
        login = self._applicant.login
        return f"Bearer {login.registry_token.reveal()}" if login and login.registry_token else None

    def _header(self, challenge: Challenge, scopes: Scopes, ahead: float) -> str | None:
        if authorization := self._registry_token():
            return authorization
        if challenge.scheme == "basic":
            return basic(self._applicant.login) if self._applicant.login else None
        with self._lock:
            wanted = merged((*scopes, *self._demanded.get(scopes, ())))
            flight = self._flights.setdefault(wanted, threading.Lock())
        with flight:
            token = self._cached(wanted, ahead) or self._ask(challenge, wanted)
        return f"Bearer {token.value.reveal()}"

    def _cached(self, wanted: Scopes, ahead: float) -> _Token | None:
        now_s = self._http.clock.monotonic_s()
        with self._lock:
            fitting = [token for token in self._tokens if token.serves(wanted, now_s, ahead)]
        return max(fitting, key=lambda token: token.begins_s, default=None)

    def _ask(self, challenge: Challenge, wanted: Scopes) -> _Token:
        begins_s = self._http.clock.monotonic_s()
        granted = self._converse(challenge, wanted)
        token = _Token(granted.token, wanted, begins_s, granted.lifetime_s)
        with self._lock:
            alive = [known for known in self._tokens if known.serves((), begins_s, 0)]
            self._tokens = [*alive, token]
        return token

    def _converse(self, challenge: Challenge, wanted: Scopes) -> Granted:
        conversation = obtain(challenge, wanted, self._applicant)
        request = next(conversation)
        while True:
            reply = self._http.ask(evolve(request, asked=self._asked))
            try:
                request = conversation.send(reply)
            except StopIteration as end:
                granted: Granted = end.value
                return granted
