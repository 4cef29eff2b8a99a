"""Plain lists: one reference on each line, as `crane`, Rancher and others write them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import PurePath

from transload.discovery.finding import Discovered, Finding, Place, Unread
from transload.discovery.judging import NO_TAG, judged, open_reason
from transload.documents.text import decoded
from transload.limits import STREAM_BYTES

RULE = "list"
_BEGIN = 20  # lines that are enough to tell


def read(content: bytes, file: str) -> Iterator[Discovered]:
    """The first word of each line that is no comment. Raises `DocumentInvalid` unless it is text.

    A text of sentences is no list, nor one of single words such as `requirements.txt`, though many of its words could
    be the names of images. Half of its lines must be references, with a slash or a tag unless the file is named after
    images.
    """
    text = decoded(content, file, STREAM_BYTES)
    of_images = "image" in PurePath(file).name.lower()
    entries = lines = 0
    for _, word, is_entry in _lines(text):
        entries, lines = entries + (is_entry and (of_images or _is_reference(word))), lines + 1
    judgements = (judged(word, Place(file=file, line=number), RULE) for number, word, _ in _lines(text))
    if entries * 2 >= lines:
        yield from judgements
    elif begin := sum(isinstance(item, Finding) for item in judgements):
        reason = f"it is a text and no list: {begin} of its {lines} lines begin with the name of an image"
        yield Unread(place=Place(file=file), reason=reason)


def begins_like_one(head: bytes) -> bool:
    """Whether a text, such as one on standard input, begins with lines that are references: a YAML key ends with a
    colon, and a value of its own stands behind it.
    """
    begin = list(islice(_lines(head.decode("utf-8-sig", "replace")), _BEGIN))
    return bool(begin) and all(is_entry and _is_reference(word) for _, word, is_entry in begin)


def _is_reference(word: str) -> bool:
    return bool(set("/:@") & set(word)) and open_reason(word) in {None, NO_TAG}


def _lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Number and first word of each line that has one, and whether the line is one entry and nothing else.

    A second column, such as the target in lists of mirrors, and a comment may follow.
    """
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split("#")[0].split() if " #" in line or line.lstrip().startswith("#") else line.split()
        if "{{" in line:
            yield number, line.strip(), True  # a template, which may have spaces in it
        elif words:
            yield number, words[0], len(words) == 1 or bool(set("/:@") & set(words[0]) and set("/:") & set(words[1]))
