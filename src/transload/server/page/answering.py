"""Answers a browser: a page, or the page that says why there is none. All else is answered as a registry does."""

from __future__ import annotations

import asyncio

from aiohttp import web

from transload.errors import PartMissing
from transload.limits import PAGES_AT_A_TIME
from transload.server.page import asked
from transload.server.page.pulling import Place
from transload.server.refusals import Refusal
from transload.server.service import Service

_HEADERS = {
    "Server": "transload",
    "Vary": "Accept",
    "Cache-Control": "no-store",  # what is served changes, and a login may be needed for it
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Answering:
    """The pages of a service. The event loop calls it; the work is done in the service's threads, a few at a time."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._turns = asyncio.Semaphore(PAGES_AT_A_TIME)

    def is_asked(self, request: web.BaseRequest) -> bool:
        """Whether this is a browser that wants a page: it reads, outside of the API, and its Accept names HTML."""
        return (
            request.method in {"GET", "HEAD"}
            and asked.is_page_path(request.path)
            and asked.wants_html(request.headers.getall("Accept", []))
        )

    def is_foreign(self, request: web.BaseRequest) -> bool:
        """Whether a page of another site would change something with the login that the browser has for our pages."""
        headers = request.headers
        return request.method not in {"GET", "HEAD"} and asked.is_from_elsewhere(
            headers.get("Origin"), headers.get("Host")
        )

    async def page(self, request: web.BaseRequest) -> web.Response:
        """The page that is asked for. Raises what reading the store raises."""
        return await self._made(request, 200, None)

    async def refused(self, request: web.BaseRequest, refusal: Refusal) -> web.Response:
        """The page that says why there is no other."""
        if refusal.status == 401:  # in plain text: nothing is made for those who have no access
            response = _plain(401, "This registry needs a login: a user name and a password.")
        else:
            response = await self._made(request, refusal.status, refusal.message)
        response.headers.update(refusal.headers)
        return response

    async def _made(self, request: web.BaseRequest, status: int, sentence: str | None) -> web.Response:
        place, query = self._place(request), dict(request.query)
        try:
            async with self._turns:
                body, policy = await self._service.run(self._make, request.path, query, place, status, sentence)
        except PartMissing as error:
            text = f"{error.message}; {error.hint}. Pulling images works without it."
            return _plain(501, f"{text[:1].upper()}{text[1:]}")
        self._service.counts.bytes_sent += len(body)
        headers = _HEADERS | {"Content-Security-Policy": f"{policy}; frame-ancestors 'none'"}
        return web.Response(status=status, body=body, headers=headers, content_type="text/html", charset="utf-8")

    def _make(
        self, path: str, query: dict[str, str], place: Place, status: int, sentence: str | None
    ) -> tuple[bytes, str]:
        pages = self._service.pages()
        page = pages.page(path, query, place) if sentence is None else pages.error(status, sentence, place)
        return page.text.encode("utf-8", "replace"), page.policy

    def _place(self, request: web.BaseRequest) -> Place:
        settings = self._service.settings
        forwarded = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower() == "https"
        return Place.of(
            request.headers.get("Host"),
            _own_address(request),
            secure=settings.tls_certificate is not None or forwarded,
            login=bool(settings.users),
        )


def _own_address(request: web.BaseRequest) -> str:
    """The address at which the connection came in."""
    name = request.transport.get_extra_info("sockname") if request.transport else None
    host, port = (name or ("127.0.0.1", 80))[:2]
    return f"[{host.partition('%')[0]}]:{port}" if ":" in host else f"{host}:{port}"


def _plain(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers=_HEADERS)
