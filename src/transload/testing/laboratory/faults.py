"""The faults: each function makes one `Fault`. All take `about`, `skip`, `times` and `chance` of `Fault`."""

from __future__ import annotations

import email.utils
import json
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from transload.testing.laboratory.exchange import Answer, Asked, HangUp, Onward
from transload.testing.laboratory.script import ALWAYS, Act, Fault
from transload.values import evolve

_PIECE = 4096


def cuts(on: str = "GET blob", *, after: int | None = None, reset: bool = True, **when: Any) -> Fault:
    """The connection breaks `after` bytes of the answer's body; None: anywhere in it, drawn from the seed.

    With a reset, bytes that were still on their way may be lost. Without `reset` the connection ends in good order
    (TCP FIN), although Content-Length promised more: a clean truncation.
    """
    return _spoils(on, lambda body, at: _until(body, at, HangUp(reset=reset)), after, when)


def cuts_request(on: str = "PATCH|PUT upload", *, after: int | None = None, **when: Any) -> Fault:
    """The connection breaks `after` bytes of the request's body (None: anywhere in it). The registry gets those."""

    def act(asked: Asked, onward: Onward, dice: random.Random) -> Answer:
        at = dice.randrange(max(1, asked.length)) if after is None else after
        return onward(evolve(asked, body=_until(asked.body, at, HangUp())))

    return Fault(on=on, act=act, **when)


def ends_early(on: str = "GET blob", *, after: int | None = None, **when: Any) -> Fault:
    """The answer has only its first `after` bytes, and says so: a Content-Length that is too short."""

    def act(asked: Asked, onward: Onward, dice: random.Random) -> Answer:
        answer = onward(asked)
        at = min(_place(answer, after, dice), answer.length)
        return evolve(answer.replaced("Content-Length", str(at)), body=_until(iter(answer.body), at, None))

    return Fault(on=on, act=act, **when)


def stalls(on: str = "GET blob", *, after: int | None = 0, until: threading.Event | None = None, **when: Any) -> Fault:
    """No byte more after `after` bytes of the answer's body, until `until` is set or the laboratory ends."""

    def act(asked: Asked, onward: Onward, dice: random.Random) -> Answer:
        answer = onward(asked)
        body = _held(iter(answer.body), _place(answer, after, dice), until or asked.closing, asked.closing)
        return evolve(answer, body=body)

    return Fault(on=on, act=act, **when)


def drips(on: str = "GET blob", *, rate: float, **when: Any) -> Fault:
    """The answer's body comes slowly: `rate` bytes per second."""

    def act(asked: Asked, onward: Onward, dice: random.Random) -> Answer:  # noqa: ARG001 - an Act
        answer = onward(asked)
        return evolve(answer, body=_slow(iter(answer.body), rate, asked.closing))

    return Fault(on=on, act=act, **when)


def corrupts(on: str = "GET blob", *, at: int | None = None, **when: Any) -> Fault:
    """One byte of the answer's body is wrong: at position `at`, or anywhere in it."""
    return _spoils(on, _flipped, at, when)


def ignores_ranges(on: str = "GET blob", **when: Any) -> Fault:
    """A request for a range is answered with 200 and the whole, as some content networks do."""

    def act(asked: Asked, onward: Onward, dice: random.Random) -> Answer:  # noqa: ARG001 - an Act
        del asked.headers["Range"]
        return onward(asked)

    return Fault(on=on, act=act, **{"times": ALWAYS, **when})


def answers(on: str, answer: Callable[[Asked], Answer], **when: Any) -> Fault:
    """`answer(request)` in place of the registry's."""
    return Fault(on=on, act=lambda asked, _, __: answer(asked), **when)


def refuses(on: str, status: int = 503, code: str = "UNKNOWN", message: str = "", **when: Any) -> Fault:
    """An error as the specification has it ("Error Codes"). A burst is the same with `times`."""
    return answers(on, lambda _: _refusal(status, code, message), **when)


def unauthorized(on: str = "* *", challenge: str = 'Basic realm="laboratory"', **when: Any) -> Fault:
    """401 in the middle of a run, as a token that has expired gives."""
    return answers(on, lambda _: _refusal(401, "UNAUTHORIZED", "", WWW_Authenticate=challenge), **when)


def too_many_requests(
    on: str = "* *", *, wait_s: int = 1, form: Literal["seconds", "date"] = "seconds", **when: Any
) -> Fault:
    """429 with a Retry-After (RFC 9110, section 10.2.3): in seconds, or as a date beside the server's own Date."""

    def answer(_: Asked) -> Answer:
        now_s = time.time()
        later = str(wait_s) if form == "seconds" else email.utils.formatdate(now_s + wait_s, usegmt=True)
        date = email.utils.formatdate(now_s, usegmt=True)
        return _refusal(429, "TOOMANYREQUESTS", "slow down", Retry_After=later, Date=date)

    return answers(on, answer, **when)


def sends_html(on: str = "GET blob", *, status: int = 200, **when: Any) -> Fault:
    """A page for people in place of what was asked, as a portal or a proxy sends it."""
    page = b"<!DOCTYPE html><html><title>Please log in</title><p>Accept the terms of use to go on.</p></html>"
    return answers(on, lambda _: Answer.of(status, page, Content_Type="text/html; charset=utf-8"), **when)


def limits_bodies(size: int, on: str = "PATCH|PUT|POST *", **when: Any) -> Fault:
    """413 for a request whose body is larger than `size` bytes, before the body is read, as nginx does."""

    def act(asked: Asked, onward: Onward, dice: random.Random) -> Answer:  # noqa: ARG001 - an Act
        if asked.length <= size:
            return onward(asked)
        page = b"<html><title>413 Request Entity Too Large</title></html>"
        return evolve(Answer.of(413, page, Content_Type="text/html"), early=True)

    return Fault(on=on, act=act, **{"times": ALWAYS, **when})


def moves_location(
    to: Literal["foreign", "relative", "portless", "missing"],
    on: str = "POST|PATCH upload|uploads",
    *,
    host: str = "registry.invalid",
    **when: Any,
) -> Fault:
    """The Location of an upload: on the foreign `host`, relative, without the port, or missing."""

    def act(asked: Asked, onward: Onward, dice: random.Random) -> Answer:  # noqa: ARG001 - an Act
        answer = onward(asked)
        stated = answer.header("Location")
        return answer if stated is None else answer.replaced("Location", _moved(stated, to, asked, host))

    return Fault(on=on, act=act, **{"times": ALWAYS, **when})


def refuses_mounts(status: int = 202, **when: Any) -> Fault:
    """A mount is not made: 202 opens an upload in its place, another status is an error (specification, "Mounting")."""

    def act(asked: Asked, onward: Onward, dice: random.Random) -> Answer:  # noqa: ARG001 - an Act
        if "mount" not in asked.query:
            return onward(asked)
        plain = urlunsplit(urlsplit(asked.target)._replace(query=""))
        return onward(evolve(asked, target=plain)) if status == 202 else _refusal(status, "UNSUPPORTED", "no mounts")

    return Fault(on="POST uploads", act=act, **{"times": ALWAYS, **when})


def loses_pages(on: str = "GET tags|catalog|referrers", **when: Any) -> Fault:
    """The first page of a list comes as if it were all: the Link to the next is lost."""

    def act(asked: Asked, onward: Onward, dice: random.Random) -> Answer:  # noqa: ARG001 - an Act
        return onward(asked).replaced("Link", None)

    return Fault(on=on, act=act, **{"times": ALWAYS, **when})


def names_digest(digest: str | None, on: str = "GET|HEAD manifest", **when: Any) -> Fault:
    """The header Docker-Content-Digest has this value, whatever the content is; None: it is missing."""

    def act(asked: Asked, onward: Onward, dice: random.Random) -> Answer:  # noqa: ARG001 - an Act
        return onward(asked).replaced("Docker-Content-Digest", digest)

    return Fault(on=on, act=act, **{"times": ALWAYS, **when})


def refuses_digest(**when: Any) -> Fault:
    """An upload is closed with 400 DIGEST_INVALID although its bytes were right; the session is gone."""

    def act(asked: Asked, onward: Onward, dice: random.Random) -> Answer:  # noqa: ARG001 - an Act
        for _ in asked.body:
            pass
        del asked.headers["Content-Length"]
        onward(evolve(asked, method="DELETE", body=iter(())))
        return _refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content")

    return Fault(on="PUT upload", act=act, **when)


def _spoils(
    on: str, spoil: Callable[[Iterator[bytes], int], Iterator[bytes]], at: int | None, when: dict[str, Any]
) -> Fault:
    """The body of the answer passes through `spoil(body, position)`."""

    def act(asked: Asked, onward: Onward, dice: random.Random) -> Answer:
        answer = onward(asked)
        return evolve(answer, body=spoil(iter(answer.body), _place(answer, at, dice)))

    typed: Act = act
    return Fault(on=on, act=typed, **when)


def _place(answer: Answer, at: int | None, dice: random.Random) -> int:
    return dice.randrange(max(1, answer.length)) if at is None else at


def _refusal(status: int, code: str, message: str, **headers: str) -> Answer:
    document = {"errors": [{"code": code, "message": message or code.lower(), "detail": None}]}
    return Answer.of(status, json.dumps(document).encode(), Content_Type="application/json", **headers)


def _until(body: Iterable[bytes], at: int, then: HangUp | None) -> Iterator[bytes]:
    """The first `at` bytes; then `then` is raised, unless the body was not longer anyway."""
    left = at
    for piece in body:
        if len(piece) > left:
            yield piece[:left]
            if then is not None:
                raise then
            return
        left -= len(piece)
        yield piece


def _flipped(body: Iterator[bytes], at: int) -> Iterator[bytes]:
    start = 0
    for piece in body:
        within = at - start
        start += len(piece)
        if 0 <= within < len(piece):
            piece = piece[:within] + bytes([piece[within] ^ 0xFF]) + piece[within + 1 :]
        yield piece


def _held(body: Iterator[bytes], at: int, gate: threading.Event, closing: threading.Event) -> Iterator[bytes]:
    left = at
    for piece in body:
        if 0 <= left < len(piece):
            yield piece[:left]
            while not gate.wait(0.05):
                if closing.is_set():
                    raise HangUp
            yield piece[left:]
        else:
            yield piece
        left -= len(piece)


def _slow(body: Iterator[bytes], rate: float, closing: threading.Event) -> Iterator[bytes]:
    for piece in body:
        for start in range(0, len(piece), _PIECE):
            part = piece[start : start + _PIECE]
            if closing.wait(len(part) / rate):
                raise HangUp
            yield part


def _moved(stated: str, to: str, asked: Asked, host: str) -> str | None:
    parts = urlsplit(stated)
    match to:
        case "relative":
            return urlunsplit(("", "", *parts[2:]))
        case "portless":
            own = parts.netloc or asked.headers.get("Host", "")
            return urlunsplit(("http", own.partition(":")[0], *parts[2:]))
        case "foreign":
            return urlunsplit(("http", host, *parts[2:]))
    return None
