"""What was pulled from a served store, and by whom: a line for people, an object for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from transload.report.styled import Part, Styled, folded
from transload.report.texts import count, digest, harmless_json, instant, size

if TYPE_CHECKING:
    from transload.server.pulls import Pulled


def pulled_lines(pulled: Pulled, width: int | None = None) -> list[Styled]:
    """When it began, who pulled, what, how much, and whether it arrived: one line, folded if there is a `width`."""
    when = datetime.fromtimestamp(pulled.began_s).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    who = f"{pulled.client.address} ({pulled.client.user})" if pulled.client.user else pulled.client.address
    named = f":{pulled.tag}" if pulled.tag else f"@{pulled.digest if width is None else digest(pulled.digest)}"
    platform = f" {pulled.platform}" if pulled.platform else ""
    ended: Part = ("complete", "good") if pulled.ended == "complete" else ("broken off", "bad")
    amount = f"{size(pulled.bytes)} in {count(pulled.blobs, 'blob')}" if pulled.blobs else size(pulled.bytes)
    line = Styled.of((f"{when} ", "faint"), f"{who} pulled {pulled.repository}{named}{platform}: {amount}, ", ended)
    return [line] if width is None or len(str(line)) <= width else folded("", f"{line}", width)


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


def pulls_lines(pulls: Sequence[Pulled], lost: int, width: int | None = None) -> Iterator[Styled]:
    """A line for each pull, and one for those of which nothing is known."""
    for pulled in pulls:
        yield from pulled_lines(pulled, width)
    if lost:
        yield Styled.of((f"and {count(lost, 'pull')} more: too many at a time to follow each", "warn"))


def pulls_json(pulls: Sequence[Pulled], lost: int) -> Iterator[str]:
    """The same for programs."""
    yield from map(pulled_json, pulls)
    if lost:
        yield json.dumps({"event": "pulls-lost", "number": lost}, separators=(",", ":"))
