"""Finds the handler for a request, and turns every error into an answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from transload.errors import TransloadError
from transload.server import pull, push
from transload.server.access import CHALLENGE
from transload.server.page.answering import Answering
from transload.server.pulls import Client
from transload.server.refusals import Refusal, printable, refusal
from transload.server.routes import Kind, Route, route
from transload.server.service import Call, Service

Handler = Callable[[Call], Awaitable[web.StreamResponse]]

_READING: dict[tuple[str, Kind], Handler] = {
    ("GET", "version"): pull.get_version,
    ("GET", "catalog"): pull.get_catalog,
    ("GET", "manifest"): pull.get_manifest,
    ("GET", "blob"): pull.get_blob,
    ("GET", "tags"): pull.get_tags,
    ("GET", "referrers"): pull.get_referrers,
}
_WRITING: dict[tuple[str, Kind], Handler] = {
    ("POST", "uploads"): push.begin_upload,
    ("PATCH", "upload"): push.continue_upload,
    ("PUT", "upload"): push.finish_upload,
    ("GET", "upload"): push.get_upload,
    ("DELETE", "upload"): push.cancel_upload,
    ("PUT", "manifest"): push.put_manifest,
    ("DELETE", "manifest"): push.delete_manifest,
    ("DELETE", "blob"): push.delete_blob,
}

_SHOWN = 300  # characters of a path in the log

_log = logging.getLogger("transload.server")


class Dispatch:
    """Called by aiohttp with every request. It raises only the exceptions that end the server.

    The logger `transload.server` logs each request with its status at level INFO.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._pages = Answering(service) if service.settings.page else None

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:  # noqa: D102 - described by the class
        writing = request.method not in {"GET", "HEAD"}
        browser = self._pages if self._pages is not None and self._pages.is_asked(request) else None
        try:
            response = await self._handle(request, browser)
        except Exception as error:  # a bug among them: the details are in the log only
            refused = self._refusal(error, request, writing=writing)
            response = refused.response() if browser is None else await self._page_of(browser, request, refused)
        if not response.prepared:
            self._service.counts.by_status[response.status] += 1
        _log.info("%s %s %d", request.method, _shown(request), response.status)
        return response

    def _refusal(self, error: Exception, request: web.BaseRequest, *, writing: bool) -> Refusal:
        if isinstance(error, Refusal):
            return error
        if isinstance(error, TransloadError):
            refused = refusal(error, writing=writing, locator=self._service.store.locator)
            if refused.status >= 500:  # the client does not see the details
                _log.warning("%s %s: %s", request.method, _shown(request), printable(error.message))
            return refused
        if isinstance(error, MemoryError):
            _log.warning("%s %s: there is not enough memory", request.method, _shown(request))
            return Refusal(503, "UNKNOWN", "this registry is short of memory; try again")
        _log.error("%s %s failed", request.method, _shown(request), exc_info=error)
        return Refusal(500, "UNKNOWN", "the server has failed; see its log")

    async def _page_of(self, browser: Answering, request: web.BaseRequest, refused: Refusal) -> web.StreamResponse:
        """The refusal as a page; as it is, if no page can be made of it either."""
        try:
            return await browser.refused(request, refused)
        except Exception:  # the first error is the one to answer with
            _log.exception("%s %s: its page failed", request.method, _shown(request))
            return refused.response()

    async def _handle(self, request: web.BaseRequest, browser: Answering | None) -> web.StreamResponse:
        if not self._service.auth.admits(request.headers.get("Authorization")):
            self._service.counts.asked(request.method, "refused")
            challenge = {"WWW-Authenticate": CHALLENGE}
            raise Refusal(401, "UNAUTHORIZED", "user name and password are needed", headers=challenge)
        if browser is not None:
            self._service.counts.asked(request.method, "page")
            return await browser.page(request)
        if self._pages is not None and self._pages.is_foreign(request):
            self._service.counts.asked(request.method, "refused")
            raise Refusal(403, "DENIED", "a page of another site may not change what is in this registry")
        where = route(request.path)
        self._service.counts.asked(request.method, where.kind)
        client = Client(
            address=request.remote or "?", user=self._service.auth.user_of(request.headers.get("Authorization"))
        )
        return await self._handler(request.method, where)(Call(self._service, request, where, client))

    def _handler(self, method: str, where: Route) -> Handler:
        """The handler for a method and an endpoint. Raises the `Refusal` that fits if there is none."""
        reading = _READING.get(("GET" if method == "HEAD" else method, where.kind))
        if reading:
            return reading
        if where.kind == "unknown":
            raise Refusal(404, "NAME_UNKNOWN", "this is a registry; the distribution API begins at /v2/")
        writable = self._service.settings.writable
        writing = _WRITING.get((method, where.kind)) if writable else None
        if writing is not None:
            return writing
        message = f"{method} is not defined here"
        if not writable:
            message = "this registry is served read-only; start it with --writable to push to it"
        raise Refusal(405, "UNSUPPORTED", message, headers={"Allow": _allowed(where.kind, writable=writable)})


def _shown(request: web.BaseRequest) -> str:
    return printable(request.raw_path[:_SHOWN])


def _allowed(kind: Kind, *, writable: bool) -> str:
    """The methods of an endpoint, in the form of an Allow header (RFC 9110)."""
    methods = {method for method, known in _READING if known == kind}
    methods |= {"HEAD"} if methods else set()
    methods |= {method for method, known in _WRITING if known == kind and writable}
    return ", ".join(sorted(methods))
