"""The documents of a JSON text, in memory one at a time: JSON after JSON, and the objects of a long list.

`kubectl get -A` writes all objects of a cluster as the items of one list, which as a whole would take ten times the
memory of its text; bills of materials do the same with components. So where an item ends is found without reading it,
and then the items are read one by one, as if each were a document.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from json import JSONDecoder
from typing import Any

from transload.documents.text import decoded
from transload.documents.value import Document, Value
from transload.errors import DocumentInvalid
from transload.limits import (
    STREAM_BRACKETS,
    STREAM_BYTES,
    STREAM_DOCUMENT_DEPTH,
    STREAM_DOCUMENT_VALUES,
    STREAM_ITEMS,
)
from transload.strictjson import NotJson, read_json
from transload.values import define, field

_ATTEMPTS = 100
_BLANK = re.compile(r"[ \t\r\n]*")
# Up to the next bracket that stands in no string (RFC 8259, section 7).
_BRACKET = re.compile(r'[^"\[\]{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"\[\]{}]*+)*+([\[\]{}])', re.DOTALL)
_CLOSING = {"[": "]", "{": "}"}
_DECODER = JSONDecoder()

Part = tuple[str, int, int]
"""The key of a member, empty for an item of an array, and where its value begins and ends."""


def json_documents(content: bytes, file: str) -> Iterator[Value | DocumentInvalid]:
    """Every JSON value of a text, and the items of a list or an array as values of their own.

    After what is not JSON, reading goes on with the next line that begins with a brace, a limited number of times.
    Raises `DocumentInvalid` if the text is too long, or not UTF-8.
    """
    text = _Text.of(content, file)
    position, attempts = text.after_blanks(0), _ATTEMPTS
    while position < len(text.text) and attempts:
        try:
            parts, end, above = _documents(text, position)
        except ValueError as error:
            yield text.wrong(error, position)
            following = text.text.find("\n{", position)
            position, attempts = (following + 1 if following >= 0 else len(text.text)), attempts - 1
            continue
        for _, begin, until in parts:
            tree = text.read(begin, until)
            yield tree if isinstance(tree, DocumentInvalid) else Value(of_list(tree, *above), text.document_at(begin))
        position = text.after_blanks(end)
    if position < len(text.text):
        yield DocumentInvalid(f"{file}:{text.line(position)}: from here on nothing is read: too much is not JSON")


def json_members(content: bytes, file: str, keys: Container[str]) -> Iterator[Value | DocumentInvalid]:
    """The members with these keys of the one JSON object in a text; of an array, its items.

    Each knows its path in the whole object. Raises `DocumentInvalid` if the text is too long, not UTF-8, or not such an
    object; what is wrong with one of them costs only itself.
    """
    text = _Text.of(content, file)
    begin = text.after_blanks(0)
    root = Value({}, text.document)
    try:
        if text.text[begin : begin + 1] != "{":
            raise ValueError("expected '{'")
        members, after = text.parts(begin)
        listed = [
            (part, text.parts(part[1])[0] if text.text[part[1]] == "[" else None) for part in members if part[0] in keys
        ]
    except ValueError as error:
        raise text.wrong(error, begin) from error
    for (key, begin, end), items in listed:
        above = root if items is None else Value([], text.document, root, key)
        for number, (_, first, last) in enumerate([("", begin, end)] if items is None else items):
            tree = text.read(first, last)
            yield (
                tree
                if isinstance(tree, DocumentInvalid)
                else Value(tree, text.document, above, key if items is None else number)
            )
    following = text.after_blanks(after)
    if following < len(text.text):
        where = f"{file}:{text.line(following)}"
        yield DocumentInvalid(f"{where}: a second document begins, which is not read: give it a file of its own")


@define
class JsonSpans:
    """Where the values of a JSON text are written. It remembers the members that it looked at last."""

    _text: _Text
    _begin: int = -1
    _parts: dict[int, dict[str | int, tuple[int, int]]] = field(factory=dict)

    @classmethod
    def of(cls, content: bytes, file: str) -> JsonSpans:
        """Raises `DocumentInvalid`, as `json_documents` does."""
        return cls(_Text.of(content, file))

    def at(self, begin: int, keys: Sequence[str | int]) -> tuple[int, int] | None:
        """Where the value behind these keys of the document at `begin` is written, in characters; None if nowhere.

        An item of a list may have got keys that are not written.
        """
        if begin != self._begin:
            self._begin = begin
            self._parts.clear()
        span = (begin, begin)
        for key in keys:
            position = span[0]
            if self._text.text[position : position + 1] not in _CLOSING:
                return None
            if position not in self._parts:
                parts = self._text.parts(position)[0]
                is_list = self._text.text[position] == "["
                self._parts[position] = {number if is_list else part[0]: part[1:] for number, part in enumerate(parts)}
            inner = self._parts[position].get(key)
            if inner is None:
                return None
            span = inner
        return span

    def members(self, begin: int) -> list[Part]:
        """The members of the object at `begin`, in their order."""
        return self._text.parts(begin)[0]


def _documents(text: _Text, begin: int) -> tuple[list[Part], int, tuple[str, str]]:
    """The documents in the value at `begin`, where it ends, and the kind and API version of a list.

    Raises `ValueError`.
    """
    opening = text.text[begin]
    if opening not in _CLOSING:
        end = text.end_of(begin)
        return [("", begin, end)], end, ("", "")
    parts, end = text.parts(begin)
    if opening == "[":
        return parts, end, ("", "")
    members = {key: (first, last) for key, first, last in parts}
    kind, version = (text.word(*members.get(key, (0, 0))) for key in ("kind", "apiVersion"))
    items = members.get("items", (begin, end))[0]
    if kind.endswith("List") and text.text[items] == "[":
        return text.parts(items)[0], end, (kind, version)
    return [("", begin, end)], end, ("", "")


@define
class _Text:
    """A text of which positions are known, and the lines that they stand on."""

    text: str
    file: str
    _position: int = 0
    _line: int = 1

    @classmethod
    def of(cls, content: bytes, file: str) -> _Text:
        """Raises `DocumentInvalid` if it is too long, not UTF-8, or has too many lists and objects."""
        text = decoded(content, file, STREAM_BYTES)
        if sum(map(text.count, _CLOSING)) > STREAM_BRACKETS:
            raise DocumentInvalid(f"{file}: it has more than {STREAM_BRACKETS} lists and objects", subject=file)
        return cls(text, file)

    @property
    def document(self) -> Document:
        return self.document_at(0)

    def document_at(self, begin: int) -> Document:
        return Document(self.file, "write the file again", begin=begin)

    def line(self, position: int) -> int:
        """The line of a position, counted from that of the last one."""
        if position < self._position:
            self._position, self._line = 0, 1
        self._line += self.text.count("\n", self._position, position)
        self._position = position
        return self._line

    def wrong(self, error: ValueError, position: int) -> DocumentInvalid:
        at = self.line(getattr(error, "pos", position))
        return DocumentInvalid(f"{self.file}:{at}: not JSON: {str(error)[:200]}", subject=self.file)

    def read(self, begin: int, end: int) -> Any:
        """The value that stands there; the error if it is wrong or too large."""
        try:
            return read_json(self.text[begin:end].encode(), limit=STREAM_BYTES, values=STREAM_DOCUMENT_VALUES)
        except NotJson as error:
            where = f"{self.file}:{self.line(begin)}"
            return DocumentInvalid(f"{where}: what begins here {error.verdict}", subject=self.file)

    def word(self, begin: int, end: int) -> str:
        """The text that stands there; the empty one if it is no text."""
        value = self.read(begin, end) if self.text[begin:end].startswith('"') else ""
        return value if isinstance(value, str) else ""

    def parts(self, begin: int) -> tuple[list[Part], int]:
        """The members of the object, or the items of the array, at `begin`, and where it ends. Raises `ValueError`."""
        closing = _CLOSING[self.text[begin]]
        parts: list[Part] = []
        position = self.after_blanks(begin + 1)
        if self.text[position : position + 1] == closing:
            return parts, position + 1
        while True:
            key = ""
            if closing == "}":
                self._past(position, '"')
                key, position = _DECODER.raw_decode(self.text, position)
                position = self.after_blanks(self._past(self.after_blanks(position), ":"))
            end = self.end_of(position)
            parts.append((key, position, end))
            if len(parts) > STREAM_ITEMS:
                raise ValueError(f"it has more than {STREAM_ITEMS} items")
            position = self.after_blanks(end)
            if self.text[position : position + 1] != ",":
                return parts, self._past(position, closing)
            position = self.after_blanks(position + 1)

    def end_of(self, position: int) -> int:
        """Where the value at `position` ends, without memory for what is in it. Raises `ValueError`."""
        if self.text[position : position + 1] not in ("[", "{"):
            return _DECODER.raw_decode(self.text, position)[1]
        depth = 0
        while match := _BRACKET.match(self.text, position):
            position = match.end()
            depth += 1 if match[1] in _CLOSING else -1
            if depth == 0:
                return position
            if depth > STREAM_DOCUMENT_DEPTH:
                raise ValueError("it is nested too deep")
        raise ValueError("a bracket is not closed")

    def after_blanks(self, position: int) -> int:
        blanks = _BLANK.match(self.text, position)
        return blanks.end() if blanks else position

    def _past(self, position: int, letter: str) -> int:
        if self.text[position : position + 1] != letter:
            raise ValueError(f"expected {letter!r}")
        return position + 1


def of_list(tree: Any, kind: str, version: str) -> Any:
    """An item of a list of this kind; in a list of one kind, which the API writes, they do not repeat it."""
    single = kind.removesuffix("List")
    if single and isinstance(tree, dict) and "kind" not in tree:
        for key, text in (("kind", single), ("apiVersion", version or "v1")):
            tree.setdefault(key, text)
            for lines in (getattr(tree, "lines", None), getattr(tree, "key_lines", None)):
                if lines is not None:
                    lines.setdefault(key, 1)
    return tree
