"""Holds a registry's challenge and its tokens, one for all scopes that are known to be needed, as far as they fit.

No token is requested twice at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from transload.errors import AccessDenied, CredentialsRejected, ServerTrouble
from transload.login import Secret
from transload.net.http import Http
from transload.net.traffic import Asked
from transload.registry.auth import Applicant, Granted, basic, choose, obtain, rejected
from transload.registry.expecting import together
from transload.registry.headers import Challenge, challenges
from transload.registry.scope import Scope, covers, granted, granting, merged, parse_scopes
from transload.threads import AHEAD
from transload.values import Factory, evolve, field, frozen

Scopes = tuple[Scope, ...]
_SPARE = 0.25
"""A token is not used when less than this part of its life is left; half of it for a request that takes long."""
_SPARE_LONG = 0.5
_MISFITS = 2
"""After so many tokens for several repositories that were refused, each repository gets a token of its own."""
_MOST_SCOPES = 100
"""How many scopes a registry may demand besides ours, so that requests do not grow for ever."""


@frozen
class _Token:
    value: Secret
    scopes: Scopes
    begins_s: float
    lifetime_s: float
    ahead: bool = field(default=False, kw_only=True)
    """Whether it was asked for by a step that began before its plan was complete."""
    _granted: Mapping[tuple[str, str], frozenset[str]] = field(
        init=False, eq=False, repr=False, default=Factory(lambda self: granted(self.scopes), True)
    )

    def serves(self, wanted: Scopes, now_s: float, ahead: float) -> bool:
        return granting(self._granted, wanted) and now_s < self.begins_s + self.lifetime_s * (1 - ahead)


def _nothing() -> Mapping[str, Scopes]:
    """For callers that do not know what comes."""
    return {}


def _repository(wanted: Scopes) -> str:
    return next((scope.name for scope in wanted if scope.type == "repository"), "")


class Authorizer:
    """`Authorization` headers for one registry. Safe for threads.

    `expected` says what will be needed with this login, by repository: a token is asked for all of it that fits.
    """

    def __init__(
        self,
        http: Http,
        applicant: Applicant,
        asked: Asked | None = None,
        expected: Callable[[], Mapping[str, Scopes]] = _nothing,
    ) -> None:
        self._http = http
        self._applicant = applicant
        self._asked = asked
        self._lock = threading.Lock()
        self._flights: dict[Scopes, threading.Lock] = {}
        self._challenge: Challenge | None = None
        self._tokens: list[_Token] = []
        self._demanded: dict[Scopes, Scopes] = {}
        self._expected = expected
        self._alone: set[str] = set()
        self._refuses_several = False

    def header(self, scopes: Scopes, *, long: bool = False) -> str | None:
        """The header to send at once; None as long as the registry has sent no challenge.

        `long` asks for a token with much of its life left, for a request that takes long.
        """
        challenge = self._challenge
        if challenge is None or not (scopes or challenge.scheme == "basic"):
            return None
        return self._header(challenge, scopes, _SPARE_LONG if long else _SPARE)

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
            if sent and challenge.get("error") != "invalid_token":
                self._ask_alone(scopes, sent)
            if sent:
                self._tokens = [
                    token for token in self._tokens if token.begins_s > sent_s or not covers(token.scopes, scopes)
                ]
            demanded = parse_scopes(challenge.get("scope"))
            if demanded:
                known = merged((*self._demanded.get(scopes, ()), *demanded))
                self._demanded[scopes] = known[:_MOST_SCOPES]
        authorization = self._header(challenge, scopes, _SPARE)
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
        token = self._cached(wanted, ahead)
        if token is None:
            several = self._together(wanted)
            with self._lock:
                flight = self._flights.setdefault(several, threading.Lock())
            with flight:
                token = self._cached(wanted, ahead) or self._for_several(challenge, several, wanted)
        return f"Bearer {token.value.reveal()}"

    def tokens_to_come(self, needs: Iterable[Scopes]) -> int:
        """How many tokens will be requested for requests with these scopes, if none ends before.

        What a step has asked for that began before its plan still counts: those who count requests left it out.
        """
        if self._challenge is None or self._challenge.scheme == "basic" or self._registry_token():
            return 0
        now_s, count = self._http.clock.monotonic_s(), 0
        with self._lock:
            held = [token.scopes for token in self._tokens if token.serves((), now_s, _SPARE) and not token.ahead]
        for need in needs:
            wanted = merged(need)
            if not any(covers(scopes, wanted) for scopes in held):
                held.append(self._together(wanted))
                count += 1
        return count

    def _together(self, wanted: Scopes) -> Scopes:
        """The scopes to ask for when a token for `wanted` is needed."""
        if self._refuses_several or len(self._alone) >= _MISFITS or _repository(wanted) in self._alone:
            return wanted
        return together(self._expected(), wanted)

    def _for_several(self, challenge: Challenge, several: Scopes, wanted: Scopes) -> _Token:
        """A token for `several` scopes; for those that are `wanted` now, if the server gives none for so many."""
        if several == wanted:
            return self._ask(challenge, wanted)
        try:
            return self._ask(challenge, several)
        except CredentialsRejected:
            raise
        except (AccessDenied, ServerTrouble):
            self._refuses_several = True
            return self._ask(challenge, wanted)

    def _ask_alone(self, scopes: Scopes, sent: str) -> None:
        """From now on ask for these scopes alone, if the token that was `sent` was one for several repositories."""
        refused = next((token for token in self._tokens if f"Bearer {token.value.reveal()}" == sent), None)
        if refused is not None and not covers(scopes, refused.scopes):
            name = _repository(merged(scopes))
            self._alone.add(name)
            others = tuple(scope for scope in refused.scopes if scope.name != name)
            self._tokens = [evolve(token, scopes=others) if token is refused else token for token in self._tokens]

    def _cached(self, wanted: Scopes, ahead: float) -> _Token | None:
        now_s = self._http.clock.monotonic_s()
        with self._lock:
            fitting = [token for token in self._tokens if token.serves(wanted, now_s, ahead)]
        return max(fitting, key=lambda token: token.begins_s, default=None)

    def _ask(self, challenge: Challenge, wanted: Scopes) -> _Token:
        begins_s = self._http.clock.monotonic_s()
        given = self._converse(challenge, wanted)
        is_ahead = getattr(AHEAD, "now", False)
        token = _Token(given.token, wanted, begins_s, given.lifetime_s, ahead=is_ahead)
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
