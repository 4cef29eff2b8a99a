"""Rewrites the references in a manifest and nothing else, and proves that: all other bytes stay as they are.

Invariants, held by `rewritten`:
1. bytes are replaced only inside scalars at which a reference was found, by the rules of `discover`;
2. the new text, read again, has the same documents as the old one, except for these scalars, which mean what was
   intended; a file for which that is not so is refused as a whole.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from transload.configuration.lookup import Found, Lookup
from transload.configuration.spelling import Respelled, is_read_as_text, respelled
from transload.discovery import compose
from transload.discovery.finding import Finding, Place, Question, Unread
from transload.discovery.jsonstream import JsonSpans, json_documents
from transload.discovery.judging import NO_TAG
from transload.discovery.kinds import file_kind, read_document
from transload.discovery.streams import yaml_documents
from transload.documents.value import Value
from transload.documents.yamltree import Span, YamlList, YamlMapping
from transload.errors import DocumentInvalid
from transload.values import define, field, frozen

Keys = tuple[str | int, ...]

Fields = Callable[[Value], Mapping[Keys, str]]
"""Which texts of a document, found by their keys, become which. They are there already."""

_NAMES = ("newName", "repository", "name", "image")
_TAGS = ("newTag", "tag", "version")
_ELSEWHERE = "it is not written there as one text, or in parts that are known"
_IN_VALUES = "it is a value of a chart: give it to helm in values of your own"
_IN_VARIABLES = "its text has variables, and their values decide"
_NO_NEW_NAME = (
    "Kustomize finds the image by this name: add newName, or take what `transload configure kustomize` writes"
)
_NO_DIGEST = "it is replaced, but not pinned: there is no field for a digest"
_A_NUMBER = "YAML would read the new text as a number: put it in quotes"
_STATUS = {"node", "held by a node"}  # what was, and is no wish


@frozen(kw_only=True)
class Left:
    """A text that did not become what was wanted, where it stands, and why."""

    place: Place
    text: str
    reason: str


@frozen(kw_only=True)
class Rewritten:
    """The new content of a file, how many references were replaced, how many were right, and which were left.

    If the file is of no format that is rewritten, `is_read` is False, and the content is the old one.
    """

    content: bytes
    is_read: bool = True
    replaced: int = 0
    right: int = 0
    left: tuple[Left, ...] = ()


def rewritten(content: bytes, file: str, lookup: Lookup, fields: Fields | None = None) -> Rewritten:
    """The file with those references replaced that `lookup` knows, and with what `fields` says of each document.

    Raises `DocumentInvalid` for a file that cannot be read, or would change in more than its references.
    """
    kind = file_kind(file, content)
    if kind is None or kind.name not in {"JSON", "YAML"}:
        return Rewritten(content=content, is_read=False)
    is_json = kind.name == "JSON"
    mark = BOM_UTF8 if content.startswith(BOM_UTF8) else b""
    raw = content[len(mark) :]
    documents = _documents(raw, file, is_json)
    rewriting = _Rewriting(file, lookup, JsonSpans.of(raw, file) if is_json else None, fields)
    first = next(documents, None)
    if first is not None:
        rewriting.text = raw.decode()
        rewriting.document(first)
        for document in documents:
            rewriting.document(document)
    if rewriting.edits:
        raw = rewriting.applied().encode()
        rewriting.prove(_documents(content[len(mark) :], file, is_json), raw)
    return Rewritten(content=mark + raw, replaced=rewriting.replaced, right=rewriting.right, left=tuple(rewriting.left))


def _documents(content: bytes, file: str, is_json: bool) -> Iterator[Value]:
    """The documents, which know where they are written. Raises `DocumentInvalid` for one that cannot be read."""
    for document in json_documents(content, file) if is_json else yaml_documents(content, file, spans=True):
        if isinstance(document, Value):
            yield document
        elif isinstance(document, DocumentInvalid):
            raise document
        elif isinstance(document, Unread):
            raise _unreadable(document)


@frozen
class _Change:
    """One scalar of a document, and what is to stand in it."""

    keys: Keys
    content: str
    old: str
    new: str


@define
class _Rewriting:
    """What is to be replaced in one file: for each span, in characters, what is written there and what it means."""

    file: str
    lookup: Lookup
    json: JsonSpans | None
    fields: Fields | None = None
    text: str = ""
    edits: dict[Span, Respelled] = field(factory=dict)
    left: list[Left] = field(factory=list)
    replaced: int = 0
    right: int = 0
    _done: set[tuple[Span, str]] = field(factory=set)
    _in_json: dict[int, dict[Keys, Span]] = field(factory=dict)

    def document(self, document: Value) -> None:
        """Find what one document names, and note how the references that the lookup knows are replaced."""
        for item in compose.images_of(document, {}) if compose.recognises(document) else read_document(document):
            if isinstance(item, Unread):
                raise _unreadable(item)
            if isinstance(item, Finding) or (isinstance(item, Question) and item.reason == NO_TAG):
                self._finding(document, item)
            elif isinstance(item, Question) and item.answered_by is None and item.place.keys and item.text:
                self._leave(item, item.reason)
        for keys, new in self.fields(document).items() if self.fields else ():
            self._field(document, keys, new)

    def _finding(self, document: Value, item: Finding | Question) -> None:
        if isinstance(item, Finding) and item.rule in _STATUS:
            return
        found = self.lookup.find(item.text)
        changes = found if isinstance(found, str) else self._changes(document, item, found)
        reason = changes if isinstance(changes, str) else self._change_all(document, changes)
        if reason:
            self._leave(item, reason)

    def _change_all(self, document: Value, changes: list[_Change]) -> str | None:
        """Note all of these changes; the reason if one of them cannot be."""
        if not changes:
            self.right += 1
            return None
        spelled = self._spelled(document, changes)
        if isinstance(spelled, str):
            return spelled
        self.edits.update(spelled)
        self.replaced += 1
        return None

    def _field(self, document: Value, keys: Keys, new: str) -> None:
        content = _behind(document, keys)
        reason = self._change_all(document, [_Change(keys, content, content, new)] if content != new else [])
        if reason:
            place = Place(file=self.file, path=".".join(map(str, keys)))
            self.left.append(Left(place=place, text=content, reason=reason))

    def _leave(self, item: Finding | Question, reason: str) -> None:
        self.left.append(Left(place=item.place, text=item.text, reason=reason))

    def _changes(self, document: Value, item: Finding | Question, found: Found) -> list[_Change] | str:
        """What is to stand where; the reason if that cannot be said."""
        value = _behind(document, item.place.keys) if item.place.keys else None
        if (
            isinstance(item, Finding)
            and item.rule == "chart values"
            and (value is None or (isinstance(value, str) and item.text not in value))
        ):
            return _IN_VALUES
        if isinstance(value, dict):
            return self._in_parts(item, value, found)
        if not isinstance(value, str):
            return _ELSEWHERE
        if item.text not in value:
            return _IN_VARIABLES
        new = str(found.reference)
        return [] if item.text == new else [_Change(item.place.keys, value, item.text, new)]

    def _in_parts(self, item: Finding | Question, parts: dict[str, Any], found: Found) -> list[_Change] | str:
        """An image as a mapping of registry, repository, tag and digest, or an entry of Kustomize."""
        texts = {key: text for key, text in parts.items() if isinstance(text, str) and text}
        if isinstance(item, Finding) and item.rule == "kustomize image" and "newName" not in texts:
            return _NO_NEW_NAME
        name, tag = (next((key for key in keys if key in texts), "") for keys in (_NAMES, _TAGS))
        if not name or _joined(texts, name, tag) != item.text:
            return _ELSEWHERE
        registry, repository = found.reference.registry, found.reference.name.repository
        wanted = {"registry": registry, name: repository} if "registry" in texts else {name: f"{registry}/{repository}"}
        if tag and found.tag:
            wanted[tag] = found.tag
        if "digest" in texts and found.digest:
            wanted["digest"] = str(found.digest)
        elif self.lookup.pin:
            self._leave(item, _NO_DIGEST)
        return [
            _Change((*item.place.keys, key), texts[key], texts[key], new)
            for key, new in wanted.items()
            if texts[key] != new
        ]

    def _spelled(self, document: Value, changes: list[_Change]) -> dict[Span, Respelled] | str:
        """How the scalars of these changes are written then; the reason if one of them cannot be."""
        spelled: dict[Span, Respelled] = {}
        done = set()
        for change in changes:
            span = self._span(document, change.keys)
            if span is None:
                return _ELSEWHERE
            if (span, change.old) in self._done:  # an anchor of several aliases, or a word that is there twice
                continue
            now = self.edits.get(span) or Respelled(self.text[span.begin : span.end], change.content)
            new = respelled(now.source, span.style, now.content, change.old, change.new)
            if isinstance(new, str):
                return new
            if not span.style and is_read_as_text(now.content) and not is_read_as_text(new.content):
                return _A_NUMBER
            spelled[span] = new
            done.add((span, change.old))
        self._done |= done
        return spelled

    def _span(self, document: Value, keys: Keys) -> Span | None:
        if self.json is not None:
            begin = document.document.begin
            found = self.json.at(begin, keys)
            if found is None:
                return None
            return self._in_json.setdefault(begin, {}).setdefault(keys, Span(*found, '"'))
        spans: Any = getattr(_behind(document, keys[:-1]), "spans", {})
        span: Span | None = spans.get(keys[-1])
        return span

    # --- the new text

    def applied(self) -> str:
        """The text with everything replaced."""
        parts: list[str] = []
        position = 0
        for span in sorted(self.edits):
            parts += self.text[position : span.begin], self.edits[span].source
            position = span.end
        return "".join((*parts, self.text[position:]))

    def prove(self, old: Iterator[Value], new: bytes) -> None:
        """Raises `DocumentInvalid` if the new text, read again, means anything but what was intended."""
        try:
            for before, after in zip_longest(old, _documents(new, self.file, self.json is not None)):
                if before is None or after is None or self._intended(before) != after.content:
                    raise self._refused((before or after).line)
        except DocumentInvalid as error:
            raise error if error.subject == self.file else self._refused(None) from error

    def _intended(self, document: Value) -> Any:
        """What an old document is to mean now."""
        for keys, span in self._in_json.get(document.document.begin, {}).items() if self.json else ():
            if span in self.edits:
                _behind(document, keys[:-1])[keys[-1]] = self.edits[span].content
        if self.json is None:
            self._change(document.content, set())
        return document.content

    def _change(self, tree: Any, seen: set[int]) -> None:
        if not isinstance(tree, (YamlMapping, YamlList)) or id(tree) in seen:
            return
        seen.add(id(tree))
        for key, span in tree.spans.items():
            if span in self.edits:
                tree[key] = self.edits[span].content  # type: ignore[index]
        for inner in tree.values() if isinstance(tree, YamlMapping) else tree:
            self._change(inner, seen)

    def _refused(self, line: int | None) -> DocumentInvalid:
        where = f"{self.file}:{line}" if line else self.file
        return DocumentInvalid(
            f"{where}: the file would change in more than its references",
            subject=self.file,
            hint="write the references of this document as plain or quoted texts, without anchors",
        )


def _unreadable(unread: Unread) -> DocumentInvalid:
    """The error for what a reader could not read; some reasons say where themselves."""
    file, reason = unread.place.file, unread.reason
    where = "" if reason.startswith(f"{file}:") else f"{unread.place}: "
    return DocumentInvalid(f"{where}{reason}", subject=file)


def _behind(document: Value, keys: Keys) -> Any:
    """The content behind these keys; None if there is none."""
    content = document.content
    for key in keys:
        if isinstance(content, dict):
            content = content.get(key)
        elif isinstance(content, list) and isinstance(key, int) and key < len(content):
            content = content[key]
        else:
            return None
    return content


def _joined(texts: dict[str, str], name: str, tag: str) -> str:
    """The reference that these parts make."""
    registry = f"{texts['registry']}/" if "registry" in texts else ""
    version = f":{texts[tag]}" if tag else ""
    return f"{registry}{texts[name]}{version}" + (f"@{texts['digest']}" if "digest" in texts else "")
