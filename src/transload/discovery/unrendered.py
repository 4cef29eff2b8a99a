"""Templates that nobody rendered: no YAML, but their lines still say where images are named."""

from __future__ import annotations

import re
from collections.abc import Iterator

from transload.discovery.finding import Finding, Place, Question, Unread
from transload.discovery.judging import judged

_IMAGE = re.compile(r"^[ \t]*+(?:-[ \t]++)?[\"']?image[\"']?[ \t]*+:[ \t]*+(\S[^\n]*+)", re.MULTILINE)
_REASON = "it is a template that was not rendered: discover what helm template, or the like, makes of it"


def is_unrendered(text: str) -> bool:
    """Whether a text has the actions of Go's templates, as charts have."""
    return "{{" in text and "}}" in text


def named_in(text: str, file: str, line: int) -> Iterator[Finding | Question | Unread]:
    """The lines of a template that name an image, and that the template itself was not read."""
    at, position = line, 0
    for found in _IMAGE.finditer(text):
        at, position = at + text.count("\n", position, found.start(1)), found.start(1)
        value = found[1].partition(" #")[0].partition("\t#")[0].strip().strip("\"'")
        yield judged(value, Place(file=file, line=at), "line of a template", "likely")
    yield Unread(place=Place(file=file, line=line), reason=_REASON)
