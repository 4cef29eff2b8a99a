"""The documents of a file, in memory one at a time: JSON after JSON, YAML streams, and the objects of a long list.

`kubectl get -A` writes all objects of a cluster as the items of one list, which as a whole would take ten times the
memory of its text. So the items are read one by one, as if each were a document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from json import JSONDecoder
from typing import Any

from transload.discovery.finding import Discovered
from transload.discovery.unrendered import is_unrendered, named_in
from transload.documents.text import decoded
from transload.documents.value import Document, Value
from transload.documents.yamlstream import document_in, split_documents
from transload.errors import DocumentInvalid
from transload.limits import STREAM_BYTES, STREAM_DOCUMENT_VALUES
from transload.strictjson import NotJson, read_json

_LONG = 1 << 20  # characters; shorter YAML is parsed as a whole, which knows anchors that items share
_ATTEMPTS = 100
_BLANK = re.compile(r"[ \t\r\n]*")
_ITEMS = re.compile(r"^items:[ \t]*\r?\n(?=-[ \t\r\n])", re.MULTILINE)
_ITEM = re.compile(r"^-(?=[ \t\r\n])", re.MULTILINE)
_AFTER = re.compile(r"^[^-#\s]", re.MULTILINE)

Span = tuple[int, int]


# --- JSON


def json_documents(content: bytes, file: str) -> Iterator[Value | DocumentInvalid]:
    """Every JSON value of a text, and the items of a list or an array as values of their own.

    After what is not JSON, reading goes on with the next line that begins with a brace, a limited number of times.
    Raises `DocumentInvalid` if the text is too long, or not UTF-8.
    """
    text = decoded(content, file, STREAM_BYTES)
    position, attempts = _after_blanks(text, 0), _ATTEMPTS
    while position < len(text) and attempts:
        try:
            spans, end, kind = _spans(text, position)
        except (ValueError, RecursionError) as error:
            reason = str(error) if isinstance(error, ValueError) else "it is nested too deep"
            at = _line(text, getattr(error, "pos", position))
            yield DocumentInvalid(f"{file}:{at}: not JSON: {reason[:200]}", subject=file)
            following = text.find("\n{", position)
            position, attempts = (following + 1 if following >= 0 else len(text)), attempts - 1
            continue
        for begin, until in spans:
            yield _json_value(text, begin, until, file, kind)
        position = _after_blanks(text, end)
    if position < len(text):
        yield DocumentInvalid(f"{file}:{_line(text, position)}: from here on nothing is read: too much is not JSON")


def _json_value(text: str, begin: int, end: int, file: str, kind: str) -> Value | DocumentInvalid:
    try:
        tree = read_json(text[begin:end].encode(), limit=STREAM_BYTES, values=STREAM_DOCUMENT_VALUES)
    except NotJson as error:
        return DocumentInvalid(f"{file}:{_line(text, begin)}: what begins here {error.verdict}", subject=file)
    return Value(_with_kind(tree, kind), Document(file, "write the file again"))


def _spans(text: str, begin: int) -> tuple[list[Span], int, str]:
    """Where the documents in the value at `begin` stand, where it ends, and the kind of the items of a list.

    Raises `ValueError` for what is not JSON.
    """
    if text[begin] == "[":
        items, end = _items(text, begin)
        return items, end, ""
    if text[begin] != "{":
        _, end = _DECODER.raw_decode(text, begin)
        return [(begin, end)], end, ""
    listed: list[Span] | None = None
    kind = ""
    position = _after_blanks(text, begin + 1)
    while text[position : position + 1] == '"':
        key, position = _DECODER.raw_decode(text, position)
        position = _after_blanks(text, _past(text, _after_blanks(text, position), ":"))
        if key == "items" and text[position : position + 1] == "[":
            listed, position = _items(text, position)
        else:
            value, position = _DECODER.raw_decode(text, position)
            kind = value if key == "kind" and isinstance(value, str) else kind
        position = _after_blanks(text, position)
        if text[position : position + 1] != ",":
            break
        position = _after_blanks(text, position + 1)
    end = _past(text, position, "}")
    if listed is None or not kind.endswith("List"):
        return [(begin, end)], end, ""
    return listed, end, kind.removesuffix("List")


def _items(text: str, begin: int) -> tuple[list[Span], int]:
    """Where the items of the array at `begin` stand, and where it ends."""
    spans: list[Span] = []
    position = _after_blanks(text, begin + 1)
    while text[position : position + 1] != "]":
        _, end = _DECODER.raw_decode(text, position)
        spans.append((position, end))
        position = _after_blanks(text, end)
        if text[position : position + 1] != ",":
            break
        position = _after_blanks(text, position + 1)
    return spans, _past(text, position, "]")


_DECODER = JSONDecoder()


def _after_blanks(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position


def _past(text: str, position: int, letter: str) -> int:
    if text[position : position + 1] != letter:
        raise ValueError(f"expected {letter!r}")
    return position + 1


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


# --- YAML


def yaml_documents(content: bytes, file: str) -> Iterator[Value | DocumentInvalid | Discovered]:
    """Every document of a YAML stream, and the items of a long list as documents of their own.

    Of a template that was not rendered, the lines that name images. Raises `DocumentInvalid` if the text is too long,
    or not UTF-8.
    """
    for line, text in split_documents(decoded(content, file, STREAM_BYTES)):
        listed = _long_list(text, file, line) if len(text) > _LONG else None
        if listed is None:
            document = document_in(text, file, line)
            if isinstance(document, DocumentInvalid) and is_unrendered(text):
                yield from named_in(text, file, line)
            elif document is not None:
                yield document
        else:
            yield from listed


def _long_list(text: str, file: str, line: int) -> Iterator[Value | DocumentInvalid] | None:
    """The items of a list as kubectl writes it, with each item's dash in the first column; None for other texts.

    What belongs to an item is indented, so a letter in the first column ends the list (YAML 1.2.2, section 8.2.1).
    """
    begins = _ITEMS.search(text)
    if begins is None:
        return None
    after = _AFTER.search(text, begins.end())
    end = after.start() if after else len(text)
    head = document_in(text[: begins.start()] + text[end:], file, line)
    kind = head.get("kind").content if isinstance(head, Value) and isinstance(head.content, dict) else ""
    if not isinstance(kind, str) or not kind.endswith("List"):
        return None
    return _yaml_items(text, begins.end(), end, file, line, kind.removesuffix("List"))


def _yaml_items(text: str, begin: int, end: int, file: str, line: int, kind: str) -> Iterator[Value | DocumentInvalid]:
    line += text.count("\n", 0, begin)
    position = begin
    while position < end:
        following = _ITEM.search(text, position + 1, end)
        until = following.start() if following else end
        item = document_in(" " + text[position + 1 : until], file, line)
        if isinstance(item, Value):
            yield Value(_with_kind(item.content, kind), item.document)
        elif item is not None:
            yield item
        line += text.count("\n", position, until)
        position = until


def _with_kind(tree: Any, kind: str) -> Any:
    """An object of a list of one kind, which does not repeat its kind."""
    if kind and isinstance(tree, dict) and "kind" not in tree:
        for key, text in (("kind", kind), ("apiVersion", "v1")):
            tree.setdefault(key, text)
            for lines in (getattr(tree, "lines", None), getattr(tree, "key_lines", None)):
                if lines is not None:
                    lines.setdefault(key, 1)
    return tree
