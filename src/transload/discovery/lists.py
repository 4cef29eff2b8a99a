"""Plain lists: one reference on each line, as `crane`, Rancher and others write them."""

from __future__ import annotations

from collections.abc import Iterator

from transload.discovery.finding import Discovered, Finding, Place, Unread
from transload.discovery.judging import judged
from transload.documents.text import decoded
from transload.limits import STREAM_BYTES

RULE = "list"


def read(content: bytes, file: str) -> Iterator[Discovered]:
    """The first word of each line that is no comment. Raises `DocumentInvalid` unless it is text.

    A text of sentences is no list, though many of its words could be the names of images.
    """
    lines = list(_lines(decoded(content, file, STREAM_BYTES)))
    if sum(is_entry for _, _, is_entry in lines) * 2 >= len(lines):
        for number, word, _ in lines:
            yield judged(word, Place(file=file, line=number), RULE)
        return
    likely = [
        item for item in (judged(word, Place(file=file), RULE) for _, word, _ in lines) if isinstance(item, Finding)
    ]
    if likely:
        reason = f"it is a text and no list: {len(likely)} of its {len(lines)} lines begin with the name of an image"
        yield Unread(place=Place(file=file), reason=reason)


def _lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Number and first word of each line that has one, and whether the line is one entry and nothing else.

    A second column, such as the target in lists of mirrors, and a comment may follow.
    """
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split("#")[0].split() if " #" in line or line.lstrip().startswith("#") else line.split()
        if words:
            yield number, words[0], len(words) == 1 or bool(set("/:@") & set(words[0]) and set("/:") & set(words[1]))
