"""Holds what was learnt about getting in: the challenge, tokens per set of scopes, each asked for once at a time."""

from __future__ import annotations

import threading

from attrs import frozen

from transload.errors import AccessDenied
from transload.login import Secret
from transload.net.http import Http
from transload.registry.auth import Applicant, Granted, basic, choose, obtain, rejected
from transload.registry.headers import Challenge, challenges
from transload.registry.scope import Scope, covers, merged, parse_scopes

Scopes = tuple[Scope, ...]
_AHEAD = 0.25
"""A token counts as used up when this part of its life is left; half of it for something that takes long."""
_AHEAD_LONG = 0.5
_MOST_SCOPES = 100
"""Of what a registry wants besides, so that one which always wants more does not make requests grow for ever."""


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

    def __init__(self, http: Http, applicant: Applicant) -> None:
        self._http = http
        self._applicant = applicant
        self._lock = threading.Lock()
        self._flights: dict[Scopes, threading.Lock] = {}
        self._challenge: Challenge | None = None
        self._tokens: list[_Token] = []
        self._demanded: dict[Scopes, Scopes] = {}

    def header(self, scopes: Scopes, *, long: bool = False) -> str | None:
        """What to send unasked; None as long as the registry never challenged anybody.

        `long` asks for a token with much of its life left, for a request that takes long.
        """
        challenge = self._challenge
        if challenge is None or not (scopes or challenge.scheme == "basic"):
            return None
        return self._header(challenge, scopes, _AHEAD_LONG if long else _AHEAD)

    def answer(self, header: str, scopes: Scopes, sent: str | None, sent_s: float) -> str:
        """What to send after a 401 with this `WWW-Authenticate`, when `sent` was not enough at `sent_s`.

        A server whose clock or key has changed takes none of the tokens of before: one that would do by its scopes is
        not tried in the place of the one that was refused.

        Raises `CredentialsRejected`, `AccessDenied`, and what asking for a token raises.
        """
        challenge = choose(challenges(header), self._applicant)
        if sent and (sent == self._given_token() or (challenge.scheme == "basic" and sent.startswith("Basic "))):
            raise rejected(self._applicant)
        with self._lock:
            self._challenge = challenge
            if sent:
                self._tokens = [one for one in self._tokens if one.begins_s > sent_s or not covers(one.scopes, scopes)]
            demanded = parse_scopes(challenge.get("scope"))
            if demanded:
                known = merged((*self._demanded.get(scopes, ()), *demanded))
                self._demanded[scopes] = known[:_MOST_SCOPES]
        found = self._header(challenge, scopes, _AHEAD)
        if found is None:
            raise AccessDenied(f"{self._applicant.registry.netloc} refuses access")
        return found

    def forget(self, sent: str | None) -> None:
        """A token that was sent is not accepted any more."""
        with self._lock:
            self._tokens = [token for token in self._tokens if f"Bearer {token.value.reveal()}" != sent]

    def _given_token(self) -> str | None:
        """A token that was left with the login, to be sent as it is."""
        login = self._applicant.login
        return f"Bearer {login.registry_token.reveal()}" if login and login.registry_token else None

    def _header(self, challenge: Challenge, scopes: Scopes, ahead: float) -> str | None:
        if given := self._given_token():
            return given
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
            alive = [kept for kept in self._tokens if kept.serves((), begins_s, 0)]
            self._tokens = [*alive, token]
        return token

    def _converse(self, challenge: Challenge, wanted: Scopes) -> Granted:
        conversation = obtain(challenge, wanted, self._applicant)
        request = next(conversation)
        while True:
            reply = self._http.ask(request)
            try:
                request = conversation.send(reply)
            except StopIteration as end:
                granted: Granted = end.value
                return granted
