"""Requests to a chart repository, and to the hosts that its index names.

Invariants:
1. a login goes to the repository's own origin only, after it asked for one; no other host gets it, whatever the index
   or a redirect says;
2. nothing is asked for without TLS unless the user allowed it for that host, or the repository is on this machine;
3. at most the allowed bytes of a body are taken, and those of an archive are not unpacked on the way.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from transload.errors import (
    AccessDenied,
    CredentialsRejected,
    InsecureRefused,
    LimitExceeded,
    LoginMissing,
    NotFound,
    ProtocolTrouble,
    ServerTrouble,
    TooManyRequests,
    TransloadError,
)
from transload.login import Login
from transload.net.address import Origin, redacted
from transload.net.backoff import retry_after_s
from transload.net.http import Http
from transload.net.messages import Answer, HttpRequest, Reply
from transload.values import evolve
from transload.wording import whole_number

Ask = Callable[[HttpRequest], Reply]
_GONE = {404, 410}
_ABSENT = {403, *_GONE}  # object storage answers 403 for what is not there


class Fetching:
    """Reads files of the repository at `url`, and of other hosts, which get no login."""

    def __init__(self, url: str, http: Callable[[], Http], logins: Callable[[str], Login | None]) -> None:
        self._origin = Origin.of(url)
        self._http = http
        self._logins = logins
        self._authorization: str | None = None

    def text(self, url: str, doing: str, limit: int) -> bytes:
        """A text of at most `limit` bytes, which may come compressed. Raises `NotFound`, `LimitExceeded`, …"""
        request = _request(url, doing, "chart index", limit)
        return self._successful(self._asked(request, self._http().ask), doing).body

    def file(self, url: str, doing: str, limit: int) -> bytes:
        """A file of at most `limit` bytes, as it lies there. Raises `NotFound`, `LimitExceeded`, …"""
        request = _request(url, doing, "chart", limit)
        return self._successful(self._asked(request, self._unchanged), doing).body

    def optional_file(self, url: str, doing: str, limit: int) -> bytes | None:
        """The same; None if it is not there. Some servers answer with a web page then."""
        reply = self._asked(_request(url, doing, "provenance", limit), self._unchanged)
        if reply.status in _ABSENT or (reply.status == 200 and is_page(reply.body)):
            return None
        return self._successful(reply, doing).body

    def _asked(self, request: HttpRequest, ask: Ask) -> Reply:
        """The answer; if the repository asks for a login, that to a second request with it."""
        origin = Origin.of(request.url)
        self._check_plain(origin, request.doing)
        if origin != self._origin:
            return ask(request)
        reply = ask(_with(request, self._authorization))
        if reply.status == 401 and self._authorization is None and reply.origin == self._origin:
            self._authorization = _basic(self._logins(self._origin.netloc))
            if self._authorization is not None:
                reply = ask(_with(request, self._authorization))
        return reply

    def _check_plain(self, origin: Origin, doing: str) -> None:
        if origin.scheme == "https" or self._http().settings.permits_plain(origin):
            return
        if not (origin.is_loopback and self._origin.scheme == "http"):
            raise InsecureRefused(
                f"{doing}: {origin.netloc} would be asked without TLS",
                subject=origin.netloc,
                hint=f"write https://, or allow it with --plain-http {origin.netloc}",
            )

    def _unchanged(self, request: HttpRequest) -> Reply:
        """The answer with its body as it came: some servers call a .tgz a tar that they have compressed on the way."""
        http = self._http()
        for left in reversed(range(http.settings.attempts)):
            try:
                with http.stream(request) as answer:
                    return _taken(answer, request.limit)
            except TransloadError as error:
                if not (left and error.retryable):
                    raise
                http.traffic.retried(Origin.of(request.url).netloc)
        raise AssertionError("the last attempt returns or raises")

    def _successful(self, reply: Reply, doing: str) -> Reply:
        """The reply, if it has what was asked for. Raises the error that it means otherwise."""
        if reply.status == 200:
            return reply
        host, text = reply.origin.netloc, f"{doing}: {reply.origin.netloc} answers {reply.status}"
        if reply.status == 401 and self._authorization is not None and reply.origin == self._origin:
            raise CredentialsRejected(f"{text}: it does not accept the login", subject=host)
        if reply.status == 401:
            raise LoginMissing(text, subject=host, hint=f"log in once: docker login {host}, or podman login {host}")
        if reply.status == 403:
            raise AccessDenied(text, subject=host, hint=f"the login for {host} lacks this right, or there is none")
        if reply.status in _GONE:
            raise NotFound(text, subject=redacted(reply.url), hint="check the address")
        if reply.status == 429:
            raise TooManyRequests(text, subject=host, retry_after_s=retry_after_s(reply.headers))
        raise (ServerTrouble if reply.status >= 500 else ProtocolTrouble)(text, subject=host)


def is_page(content: bytes) -> bool:
    """Whether this is a web page: no index, archive or signature begins so."""
    return content[:64].lstrip().startswith(b"<")


def _request(url: str, doing: str, purpose: str, limit: int) -> HttpRequest:
    headers = {"Accept-Encoding": "identity"}
    return HttpRequest("GET", url, doing, purpose, headers=headers, lane="read", limit=limit, side="source")


def _with(request: HttpRequest, authorization: str | None) -> HttpRequest:
    if authorization is None:
        return request
    return evolve(request, headers={**request.headers, "Authorization": authorization})


def _basic(login: Login | None) -> str | None:
    """The header for a login with a password; a repository takes no tokens that are for registries (RFC 7617)."""
    if login is None or not login.password:
        return None
    return f"Basic {base64.b64encode(f'{login.username}:{login.password.reveal()}'.encode()).decode()}"


def _taken(answer: Answer, limit: int) -> Reply:
    """The answer with its body. Raises `LimitExceeded`, at once if its head promises too much."""
    if answer.status != 200:
        return answer.reply(0)
    body = bytearray()
    if (whole_number(answer.headers.get("Content-Length", "")) or 0) > limit:
        raise _over(answer, limit)
    for chunk in answer.chunks():
        body += chunk
        if len(body) > limit:
            raise _over(answer, limit)
    return Reply(200, answer.headers, bytes(body), answer.url)


def _over(answer: Answer, limit: int) -> LimitExceeded:
    return LimitExceeded(f"{redacted(answer.url)} answers with more than {limit} bytes")
