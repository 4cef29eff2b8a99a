"""One registry's API: addresses, and requests with the right `Authorization` on them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from transload.errors import CorruptError, CredentialsUnavailable, ProtocolTrouble, Side
from transload.limits import LIST_PAGE_BYTES, LIST_PAGE_VALUES
from transload.login import Login
from transload.net.address import Origin
from transload.net.http import Http
from transload.net.messages import Answer, HttpRequest, Reply
from transload.net.slots import RESERVED
from transload.net.traffic import Asked
from transload.oci import Digest
from transload.oci.reference import check_registry, check_repository
from transload.registry.auth import Applicant
from transload.registry.capabilities import Capabilities
from transload.registry.expecting import Scopes
from transload.registry.level import Level
from transload.registry.scope import Scope
from transload.registry.tokens import Authorizer
from transload.registry.translate import looks_like_html, not_a_registry
from transload.strictjson import NotJson, read_json
from transload.values import evolve

Result = TypeVar("Result")
Logins = Callable[[str], Login | None]
"""Gives the login for a repository; podman keeps several for one registry. Raises `CredentialsUnavailable`."""
_API_HOSTS = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}


class Api:
    """Asks one registry. `host` is as people write it; Docker Hub's API is at another host than its name says.

    `has_login` says that a login was given for it, so that it probably asks for one.
    """

    def __init__(
        self,
        host: str,
        http: Http,
        logins: Logins,
        capabilities: Capabilities,
        *,
        side: Side | None = None,
        has_login: bool = False,
    ) -> None:
        self.host = check_registry(host)
        self.http = http
        self.capabilities = capabilities
        self.asked = Asked()
        self._side = side
        self._logins = logins
        self._lock = threading.Lock()
        self._authorizers: dict[Login | None, Authorizer] = {}
        self._by_repository: dict[str, Authorizer] = {}
        self._origin: Origin | None = None
        self._hasty = threading.local()
        self._opening = threading.Lock()
        self._is_answered = False
        self._has_login = has_login
        self._expected: dict[str, Scopes] = {}
        most, before = http.settings.slots_for_bodies, capabilities.at_a_time
        self.reading = Level(
            http.clock, most, before("reads"), capabilities.reads_well, beyond=min(RESERVED, http.settings.slots - most)
        )
        self.writing = Level(http.clock, most, before("writes"), capabilities.writes_well)

    @property
    def origin(self) -> Origin:
        """Scheme, host and port of the API. Raises `Unreachable` for a loopback port where nothing listens."""
        if self._origin is None:
            self._origin = self.http.origin(_API_HOSTS.get(self.host, self.host))
        return self._origin

    # --- addresses

    def url(self, path: str) -> str:
        """An absolute URL below `/v2/`."""
        return f"{self.origin}/v2/{path}"

    def manifest_url(self, repository: str, reference: str) -> str:
        """The URL of a manifest, by tag or digest."""
        return self.url(f"{check_repository(repository)}/manifests/{reference}")

    def blob_url(self, repository: str, digest: Digest) -> str:
        """The URL of a blob."""
        return self.url(f"{check_repository(repository)}/blobs/{digest}")

    def uploads_url(self, repository: str) -> str:
        """The URL where uploads begin."""
        return self.url(f"{check_repository(repository)}/blobs/uploads/")

    # --- requests

    def ask(self, request: HttpRequest, *scopes: Scope, long: bool = False) -> Reply:
        """The whole answer. After a 401 from the registry it asks once more with a login, if the body can be resent."""
        if request.lane != "write":
            return self._asked(request, scopes, long)
        self.writing.enter()
        try:
            return self._asked(evolve(request, gauge=self.writing), scopes, long)
        finally:
            self.writing.leave()

    def _asked(self, request: HttpRequest, scopes: tuple[Scope, ...], long: bool) -> Reply:
        if getattr(self._hasty, "now", False):
            request = evolve(request, retried=False)
        if not self._owns(request):
            return self.http.ask(evolve(request, registry=self.origin, side=self._side, asked=self.asked))
        if self._is_answered or not (self._has_login or self.capabilities.asks_login):
            return self._with_login(request, scopes, long)
        with self._opening:  # one learns what login is wanted; all others would only be refused
            if not self._is_answered:
                try:
                    return self._with_login(request, scopes, long)
                finally:
                    self._is_answered = True
        return self._with_login(request, scopes, long)

    def _with_login(self, request: HttpRequest, scopes: tuple[Scope, ...], long: bool) -> Reply:
        sent, sent_s = self._header(scopes, long), self.http.clock.monotonic_s()
        reply = self.http.ask(self._with(request, sent))
        if request.lane == "small":
            took_s = self.http.clock.monotonic_s() - sent_s
            self.reading.heard(took_s)
            self.writing.heard(took_s)
        if self.capabilities.single_post is None and reply.headers.get("Server") == "transload":
            self.capabilities.learn("single_post", True)  # few others take it, and they do not say so
        if reply.status == 401 and reply.origin == self.origin:
            if not self.capabilities.asks_login:
                self.capabilities.learn("asks_login", True)
            if not isinstance(request.body, (bytes, type(None))):
                self._authorizer(scopes).forget(sent)
                return reply
            wanted = reply.headers.get("WWW-Authenticate", "")
            sent = self._authorizer(scopes).answer(wanted, scopes, sent, sent_s)
            reply = self.http.ask(self._with(request, sent))
            if reply.status == 401 and reply.origin == self.origin and sent.startswith("Basic "):
                self._authorizer(scopes).answer("Basic", scopes, sent, sent_s)  # raises CredentialsRejected
        return reply

    @contextmanager
    def hasty(self) -> Iterator[None]:
        """What this thread asks in the block is asked once: nothing depends on it, and waiting uses up the patience."""
        self._hasty.now = True
        try:
            yield
        finally:
            self._hasty.now = False

    def once_more(self, ask: Callable[[], Result]) -> Result:
        """What `ask` gives. If the answer was damaged on the way, it is asked again, once.

        That is one with a wrong digest or length, a web page in place of content, JSON that cannot be read.
        """
        try:
            return ask()
        except (CorruptError, ProtocolTrouble):
            self.http.traffic.retried(self.origin.netloc)
            return ask()

    @contextmanager
    def stream(self, request: HttpRequest, *scopes: Scope) -> Iterator[Answer]:
        """Like `ask`, but the answer's body is still to be read. Only for requests without a body."""
        owned = self._owns(request)
        sent, sent_s = self._header(scopes, False) if owned else None, self.http.clock.monotonic_s()
        with self.http.stream(self._with(request, sent)) as answer:
            if answer.status != 401 or not owned or Origin.of(answer.url) != self.origin:
                yield answer
                return
            refusal = answer.reply(0)
        sent = self._authorizer(scopes).answer(refusal.headers.get("WWW-Authenticate", ""), scopes, sent, sent_s)
        with self.http.stream(self._with(request, sent)) as answer:
            yield answer

    def _with(self, request: HttpRequest, authorization: str | None) -> HttpRequest:
        headers = request.headers if authorization is None else {**request.headers, "Authorization": authorization}
        return evolve(request, headers=headers, side=self._side, asked=self.asked)

    def _owns(self, request: HttpRequest) -> bool:
        """Whether the request goes to this registry. No other host gets the credentials.

        The Location of an upload may lead to another host. That host gets no credentials, whatever it answers (a
        redirect back to the registry, a 401).
        """
        return Origin.of(request.url) == self.origin

    def _header(self, scopes: tuple[Scope, ...], long: bool) -> str | None:
        """The header to send at once. No login is looked for until the registry asks for one."""
        if not self._authorizers:
            return None
        return self._authorizer(scopes).header(scopes, long=long)

    def _authorizer(self, scopes: tuple[Scope, ...]) -> Authorizer:
        """The authorizer for the first repository of `scopes`. Repositories with the same login share one."""
        repository = next((scope.name for scope in scopes if scope.type == "repository"), "")
        known = self._by_repository.get(repository)
        if known is None:
            applicant = self._applicant(repository)
            with self._lock:
                known = self._authorizers.setdefault(applicant.login, self._new_authorizer(applicant))
                self._by_repository[repository] = known
        return known

    def _new_authorizer(self, applicant: Applicant) -> Authorizer:
        return Authorizer(self.http, applicant, self.asked, lambda: self._expected_by(applicant.login))

    def _expected_by(self, login: Login | None) -> dict[str, Scopes]:
        """What is expected of the repositories that are asked with this login."""
        return {
            repository: scopes
            for repository, scopes in self._expected.items()
            if self._authorizer(scopes) is self._authorizers.get(login)
        }

    def expect(self, needs: Mapping[str, Scopes]) -> None:
        """From now on these scopes will be needed, by repository, in place of those that were expected before."""
        self._expected = dict(needs)

    def tokens_to_come(self) -> int:
        """How many tokens will be requested for what is expected, if none ends before."""
        if not self._authorizers:
            return 0
        needs: dict[Authorizer, list[Scopes]] = {}
        for scopes in self._expected.values():
            needs.setdefault(self._authorizer(scopes), []).append(scopes)
        return sum(authorizer.tokens_to_come(wanted) for authorizer, wanted in needs.items())

    def _applicant(self, repository: str) -> Applicant:
        login, trouble = None, None
        try:
            login = self._logins(repository)
        except CredentialsUnavailable as error:  # many repositories can be read without a login
            trouble = error
        return Applicant(self.origin, login, self.http.settings.allow_realms, trouble)


def json_object(reply: Reply, doing: str) -> dict[str, Any]:
    """The JSON object of a successful reply. Raises `ProtocolTrouble` for a web page or garbage."""
    if looks_like_html(reply):
        raise not_a_registry(reply, doing)
    try:
        document = read_json(reply.body, limit=LIST_PAGE_BYTES, values=LIST_PAGE_VALUES)
    except NotJson as error:
        raise not_a_registry(reply, doing) from error
    if not isinstance(document, dict):
        raise not_a_registry(reply, doing)
    return document
