"""A request and its answer, as they pass through the laboratory. Bodies are read while they pass."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from email.message import Message
from urllib.parse import parse_qs, unquote, urlsplit

from transload.errors import UsageError
from transload.server.routes import Route, route
from transload.values import evolve, field, frozen


class HangUp(Exception):
    """Raised by a body or by a fault: the connection ends here. `reset`: with a TCP reset, else as if all was said."""

    def __init__(self, *, reset: bool = True) -> None:
        super().__init__("the laboratory hangs up")
        self.reset = reset


@frozen
class Asked:
    """A request. `target` is its path and query as sent; `body` may be read once.

    `closing` is set when the laboratory ends; `over` is closed when this request is, with what it has opened.
    """

    method: str
    target: str
    headers: Message
    body: Iterator[bytes] = field(repr=False)
    closing: threading.Event = field(repr=False, eq=False)
    over: ExitStack = field(repr=False, eq=False)

    @property
    def path(self) -> str:
        """The path without the query, decoded."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> Mapping[str, list[str]]:
        """The values of each name in the query."""
        return parse_qs(urlsplit(self.target).query)

    @property
    def route(self) -> Route:
        """The endpoint that is asked; of the kind `unknown` where the API has none of this path."""
        try:
            return route(self.path)
        except UsageError:  # no name of a repository
            return Route("unknown")

    @property
    def length(self) -> int:
        """Bytes of the body, as the request states them; 0 where it does not."""
        stated = self.headers.get("Content-Length", "")
        return int(stated) if stated.isdecimal() else 0


@frozen
class Answer:
    """An answer. `early`: it is sent before the body of the request was read. A body without a stated length is chunked
    (RFC 9112, section 7.1).
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: Iterable[bytes] = field(default=(), repr=False)
    early: bool = False

    @classmethod
    def of(cls, status: int, raw: bytes = b"", **headers: str) -> Answer:
        """An answer with a whole body. Underscores in names of headers stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named = {"Content-Type": "application/octet-stream", "Content-Length": str(len(raw)), **named}
        return cls(status, tuple(named.items()), (raw,) if raw else ())

    def header(self, name: str) -> str | None:
        """The value of a header, the first if there are several."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)

    def replaced(self, name: str, value: str | None) -> Answer:
        """This answer with another value of a header; None leaves it out."""
        kept = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return evolve(self, headers=kept if value is None else (*kept, (name, value)))

    @property
    def length(self) -> int:
        """Bytes of the body, as the answer states them; 0 where it does not."""
        stated = self.header("Content-Length") or ""
        return int(stated) if stated.isdecimal() else 0


Onward = Callable[[Asked], Answer]
"""Passes a request on and returns what the registry answers; raises `HangUp` where the registry hangs up."""
