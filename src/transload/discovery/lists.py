"""Plain lists: one reference on each line, as `crane`, Rancher and others write them."""

from __future__ import annotations

from collections.abc import Iterator

from transload.discovery.finding import Discovered, Finding, Place, Question
from transload.documents.text import decoded
from transload.errors import TransloadError
from transload.limits import STREAM_BYTES
from transload.oci import Reference


def read(content: bytes, file: str) -> Iterator[Discovered]:
    """The first word of each line that is no comment. What is no reference is a question. Raises `DocumentInvalid`."""
    for number, line in enumerate(decoded(content, file, STREAM_BYTES).splitlines(), 1):
        word = next(iter(line.split()), "#")
        if word.startswith("#"):
            continue
        place = Place(file=file, line=number)
        try:
            Reference.parse(word)
        except TransloadError as error:
            yield Question(text=word[:200], place=place, reason=error.message)
        else:
            yield Finding(text=word, place=place, rule="list")
