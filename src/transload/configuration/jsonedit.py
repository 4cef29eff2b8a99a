"""Sets members of an object in a JSON text, and keeps every other byte: order, indentation, line ends.

What is new is written in the file's own way: the indentation of its neighbours, and their blank after a colon.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from transload.discovery.jsonstream import JsonSpans
from transload.documents.value import Value
from transload.errors import DocumentInvalid
from transload.limits import INPUT_FILE_BYTES, STREAM_DOCUMENT_VALUES

_HINT = "name a file of one JSON object, as az writes it"


def json_object(content: bytes, file: str) -> Value:
    """The one object of a JSON text. Raises `DocumentInvalid`."""
    limit, values = INPUT_FILE_BYTES, STREAM_DOCUMENT_VALUES
    return Value.from_json(content, file, limit=limit, values=values, hint=_HINT, is_file=True)


def with_members(content: bytes, file: str, way: Sequence[str], members: Mapping[str, str]) -> bytes:
    """The text in which the object behind `way` has these members; the last object of the way may be missing.

    Raises `DocumentInvalid` if there is no such object, or if anything else would change.
    """
    wanted = json_object(content, file).content
    above = wanted
    for key in way[:-1]:
        above = above.get(key) if isinstance(above, dict) else None
    if not isinstance(above, dict) or not isinstance(above.get(way[-1], {}), dict):
        raise DocumentInvalid(f"{file}: there is no object {'.'.join(way)}", subject=file, hint=_HINT)
    is_new = way[-1] not in above
    above.setdefault(way[-1], {}).update(members)
    text = _Text.of(content, file)
    changed = text.with_object(way, members) if is_new else text.with_values(way, members)
    new = changed.encode()
    if json_object(new, file).content != wanted:
        raise DocumentInvalid(f"{file}: the file would change in more than {'.'.join(way)}", subject=file)
    return new


class _Style(NamedTuple):
    """What stands before a member of an object, and between its key and its value."""

    before: str
    colon: str


class _Text(NamedTuple):
    text: str
    spans: JsonSpans
    root: int

    @classmethod
    def of(cls, content: bytes, file: str) -> _Text:
        text = content.decode()
        return cls(text, JsonSpans.of(content, file), len(text) - len(text.lstrip(" \t\r\n")))

    def with_values(self, way: Sequence[str], members: Mapping[str, str]) -> str:
        """Values in their places, new members after the last one."""
        text = self.text
        found = {key: self.spans.at(self.root, [*way, key]) for key in members}
        absent = {key: value for key, value in members.items() if found[key] is None}
        if absent:
            text = self._inserted(way, {key: json.dumps(value) for key, value in absent.items()})
        for span, key in sorted(((span, key) for key, span in found.items() if span), reverse=True):
            text = text[: span[0]] + json.dumps(members[key]) + text[span[1] :]
        return text

    def with_object(self, way: Sequence[str], members: Mapping[str, str]) -> str:
        """A new object as the last member of the object above it."""
        style = self._style(way[:-1])
        before = style.before + self._step() if "\n" in style.before else style.before
        inner = ",".join(f"{before}{json.dumps(key)}{style.colon}{json.dumps(value)}" for key, value in members.items())
        inner = inner if "\n" in before else inner.lstrip()
        end = style.before if "\n" in style.before else ""
        return self._inserted(way[:-1], {way[-1]: f"{{{inner}{end}}}"})

    def _inserted(self, way: Sequence[str], members: Mapping[str, str]) -> str:
        """The text with members, whose values are JSON, after the last one of the object behind `way`."""
        begin, end = self._span(way)
        last = self.spans.members(begin)
        style = self._style(way)
        new = ",".join(f"{style.before}{json.dumps(key)}{style.colon}{value}" for key, value in members.items())
        if last:
            after = last[-1][2]
            return f"{self.text[:after]},{new}{self.text[after:]}"
        closing = style.before[: -len(self._step())] if "\n" in style.before else ""
        return f"{self.text[: begin + 1]}{new if closing else new.lstrip()}{closing}{self.text[end - 1 :]}"

    def _span(self, way: Sequence[str]) -> tuple[int, int]:
        span = self.spans.at(self.root, way) if way else (self.root, self.root)
        assert span is not None  # noqa: S101 - the tree has it
        return span

    def _style(self, way: Sequence[str]) -> _Style:
        """How members of the object behind `way` are written; in an empty one, a step further than it is itself."""
        begin, _ = self._span(way)
        members = self.spans.members(begin)
        if members:
            from_, to = (members[-2][2] if len(members) > 1 else begin + 1), members[-1][1]
            between = self.text[from_:to].lstrip(",") if len(members) > 1 else self.text[from_:to]
            key = between.index('"')
            colon = between.rindex(":")
            head = between[:colon].rstrip()
            blank = between[:key].replace(",", "", 1)
            if len(members) == 1 and "\n" not in blank:  # no comma shows what follows one
                blank = " " if between[-1] == " " else ""
            return _Style(blank, between[len(head) :])
        above = self._style(way[:-1])
        return _Style(above.before + self._step(), above.colon) if "\n" in above.before else above

    def _step(self) -> str:
        """By how much an object is indented more than the one around it, as at the root of the text."""
        first = self._style(()).before.rpartition("\n")[2]
        return first or "  "
