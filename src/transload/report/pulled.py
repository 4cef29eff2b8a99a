"""What was pulled from a served store, and by whom: a line for people, an object for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from transload.report.styled import Part, Styled
from transload.report.texts import count, digest, harmless_json, instant, size

if TYPE_CHECKING:
    from transload.server.pulls import Pulled


def pulled_line(pulled: Pulled, *, short: bool = False) -> Styled:
    """When it began, who pulled, what, how much, and whether it arrived. `short`: with a short digest."""
    when = datetime.fromtimestamp(pulled.began_s).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    who = f"{pulled.client.address} ({pulled.client.user})" if pulled.client.user else pulled.client.address
    named = f":{pulled.tag}" if pulled.tag else f"@{digest(pulled.digest) if short else pulled.digest}"
    platform = f" {pulled.platform}" if pulled.platform else ""
    ended: Part = ("complete", "good") if pulled.ended == "complete" else ("broken off", "bad")
    amount = f"{size(pulled.bytes)} in {count(pulled.blobs, 'blob')}" if pulled.blobs else size(pulled.bytes)
    return Styled.of((f"{when} ", "faint"), f"{who} pulled {pulled.repository}{named}{platform}: {amount}, ", ended)


def pulled_json(pulled: Pulled) -> str:
    """One line of JSON; docs/guides/serve.md lists its keys."""
    document = {
        "event": "pull",
        "time": instant(pulled.began_s),
        "client": pulled.client.address,
        "user": pulled.client.user,
        "repository": pulled.repository,
        "tag": pulled.tag,
        "digest": pulled.digest,
        "platform": pulled.platform,
        "blobs": pulled.blobs,
        "bytes": pulled.bytes,
        "duration_s": round(pulled.duration_s, 3),
        "ended": pulled.ended,
    }
    return json.dumps(harmless_json(document), separators=(",", ":"))


def pulls_lines(pulls: Sequence[Pulled], lost: int, *, short: bool = False) -> Iterator[Styled]:
    """A line for each pull, and one for those of which nothing is known."""
    yield from (pulled_line(pulled, short=short) for pulled in pulls)
    if lost:
        yield Styled.of((f"and {count(lost, 'pull')} more: too many at a time to follow each", "warn"))


def pulls_json(pulls: Sequence[Pulled], lost: int) -> Iterator[str]:
    """The same for programs."""
    yield from map(pulled_json, pulls)
    if lost:
        yield json.dumps({"event": "pulls-lost", "number": lost}, separators=(",", ":"))
