"""The documents of a YAML stream, in memory one at a time, and the objects of a long list.

`kubectl get -A` writes all objects of a cluster as the items of one list, which as a whole would take ten times the
memory of its text. So the items are read one by one, as if each were a document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from transload.discovery.finding import Discovered
from transload.discovery.jsonstream import of_list
from transload.discovery.unrendered import is_unrendered, named_in
from transload.discovery.values import text as text_of
from transload.documents.text import decoded
from transload.documents.value import Value
from transload.documents.yamlstream import document_in, placed_documents
from transload.errors import DocumentInvalid
from transload.limits import STREAM_BYTES

_LONG = 1 << 20  # characters; shorter YAML is parsed as a whole, which knows anchors that items share
_ITEMS = re.compile(r"^items:[ \t]*\r?\n(?=-[ \t\r\n])", re.MULTILINE)
_ITEM = re.compile(r"^-(?=[ \t\r\n])", re.MULTILINE)
_AFTER = re.compile(r"^[^-#\s]", re.MULTILINE)


def yaml_documents(content: bytes, file: str, *, spans: bool = False) -> Iterator[Value | DocumentInvalid | Discovered]:
    """Every document of a YAML stream, and the items of a long list as documents of their own.

    Of a template that was not rendered, the lines that name images. With `spans`, scalars know where they are written.
    Raises `DocumentInvalid` if the text is too long, or not UTF-8.
    """
    for begin, line, text in placed_documents(decoded(content, file, STREAM_BYTES)):
        first = begin if spans else None
        listed = _long_list(text, file, line, first) if len(text) > _LONG else None
        if listed is None:
            document = document_in(text, file, line, first)
            if isinstance(document, DocumentInvalid) and is_unrendered(text):
                yield from named_in(text, file, line)
            elif document is not None:
                yield document
        else:
            yield from listed


def _long_list(text: str, file: str, line: int, first: int | None) -> Iterator[Value | DocumentInvalid] | None:
    """The items of a list as kubectl writes it, with each item's dash in the first column; None for other texts.

    What belongs to an item is indented, so a letter in the first column ends the list (YAML 1.2.2, section 8.2.1).
    """
    begins = _ITEMS.search(text)
    if begins is None:
        return None
    after = _AFTER.search(text, begins.end())
    end = after.start() if after else len(text)
    head = document_in(text[: begins.start()] + text[end:], file, line)
    kind, version = (text_of(head, key) if isinstance(head, Value) else "" for key in ("kind", "apiVersion"))
    if not kind.endswith("List"):
        return None
    items = _yaml_items(text, begins.end(), end, file, line, first)
    return (
        Value(of_list(item.content, kind, version), item.document) if isinstance(item, Value) else item
        for item in items
    )


def _yaml_items(
    text: str, begin: int, end: int, file: str, line: int, first: int | None
) -> Iterator[Value | DocumentInvalid]:
    line += text.count("\n", 0, begin)
    position = begin
    while position < end:
        following = _ITEM.search(text, position + 1, end)
        until = following.start() if following else end
        item = document_in(" " + text[position + 1 : until], file, line, None if first is None else first + position)
        if item is not None:
            yield item
        line += text.count("\n", position, until)
        position = until
