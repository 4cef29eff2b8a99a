"""YAML documents as lists and mappings that know the lines of their items, with limits far above real files.

Invariants, held by `parse`:
1. every scalar is text: `tag: 1.10` is 1.10 and not a number, `tag: no` is no refusal, null is the empty text;
2. keys are text and occur once (with `twins`, the last one wins); YAML tags are refused or left out, so the author of
   a file chooses no types;
3. the tree has at most `values` nodes with every alias written out, and is at most `depth` deep.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from transload.documents.text import decoded
from transload.errors import DocumentInvalid
from transload.limits import YAML_BYTES, YAML_DEPTH, YAML_VALUES

if TYPE_CHECKING:
    from yaml import YAMLError
    from yaml.events import Event, NodeEvent

_TEXT_TAGS = {None, "!", "tag:yaml.org,2002:str"}
_NEEDS_QUOTES = re.compile(r"[:\[{,-]\s*(?:[>*&!%@`](?=\S)|[*]\s*(?:$|[}\],])|\$\{|\[[^\]]*\][^\s,\]}])")
_NOTHING = {"", "~", "null", "Null", "NULL"}


class Span(NamedTuple):
    """Where a scalar is written: from `begin` to `end`, in characters, with its anchor. `style` is ' " | > or nothing.

    An alias has the span of its anchor.
    """

    begin: int
    end: int
    style: str


class YamlList(list["Tree"]):
    """The items of a list; `lines` counts from 1 and says where each begins.

    `spans` are those of the items that are scalars, if the parser was asked for them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []
        self.spans: dict[int, Span] = {}


class YamlMapping(dict[str, "Tree"]):
    """The values of a mapping; `lines` says where each begins, `key_lines` where its key does.

    `spans` are those of the values that are scalars, if the parser was asked for them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}
        self.key_lines: dict[str, int] = {}
        self.spans: dict[str, Span] = {}


Tree = str | YamlList | YamlMapping


class _Node(NamedTuple):
    """A tree while it is built; `weight` is the number of its nodes, `null` says that it is YAML's null."""

    tree: Tree
    line: int
    weight: int = 1
    null: bool = False
    span: Span | None = None


def parse(
    content: bytes | str,
    file: str,
    *,
    empty: bool = False,
    first_line: int = 1,
    limit: int = YAML_BYTES,
    values: int = YAML_VALUES,
    depth: int = YAML_DEPTH,
    tags: bool = False,
    twins: bool = False,
    first_index: int | None = None,
) -> tuple[Tree, int]:
    """The tree of a YAML text and the line on which it begins.

    `file` is its name for errors, `empty` says that it may hold nothing, `first_line` is the line of the file on which
    the text begins. It has at most `limit` bytes and `values` values, `depth` deep. With `tags`, YAML tags are left out
    as if they were not there; without, they are refused. With `twins`, a mapping may have a key twice: the last one
    wins. With `first_index`, the characters of the file before the text, the tree has spans. Raises `DocumentInvalid`.
    """
    text = decoded(content, file, limit)
    with _told(text, file, first_line - 1):
        builder = _Builder(
            file, _events(text), first_line - 1, values, depth=depth, tags=tags, twins=twins, first_index=first_index
        )
        root = builder.document(empty)
    return root.tree, root.line


def parse_all(content: bytes | str, file: str) -> tuple[tuple[Tree, int], ...]:
    """The trees of all documents that are not empty, each with its line; together they have the limits of one.

    Raises `DocumentInvalid`.
    """
    text = decoded(content, file, YAML_BYTES)
    with _told(text, file, 0):
        roots = list(_Builder(file, _events(text), 0, YAML_VALUES, depth=YAML_DEPTH, tags=False).documents())
    return tuple((root.tree, root.line) for root in roots)


def _events(text: str) -> Iterator[Event]:
    import yaml  # as late as possible: a run without a file does not pay for it

    events: Iterator[Event] = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return events


@contextmanager
def _told(text: str, file: str, lines_before: int) -> Iterator[None]:
    """Errors of the parser as errors of ours."""
    import yaml

    try:
        yield
    except yaml.YAMLError as error:
        raise _syntax(error, text, file, lines_before) from error
    except (ValueError, OverflowError) as error:  # the scanner in Python, for a character beyond Unicode
        raise DocumentInvalid(f"{file}: not valid YAML: {error}", subject=file) from error


class _Builder:
    """Builds nodes from the events of a parser; stops at the first thing that breaks an invariant."""

    def __init__(
        self,
        file: str,
        events: Iterator[Event],
        before: int,
        values: int,
        *,
        depth: int,
        tags: bool,
        twins: bool = False,
        first_index: int | None = None,
    ) -> None:
        from yaml import events as kinds

        self._kinds = kinds
        self._file = file
        self._events = events
        self._anchors: dict[str, _Node] = {}
        self._weight = 0
        self._before = before
        self._values = values
        self._depth = depth
        self._tags = tags
        self._twins = twins
        self._first_index = first_index

    def document(self, empty: bool) -> _Node:
        """The only document of the stream."""
        next(self._events)
        if not isinstance(next(self._events), self._kinds.DocumentStartEvent):
            if empty:
                return _Node("", self._before + 1, null=True)
            raise DocumentInvalid(f"{self._file}: the file is empty", subject=self._file)
        root = self._node(next(self._events), 1)
        next(self._events)
        after = next(self._events)
        if not isinstance(after, self._kinds.StreamEndEvent):
            raise self._fail(after, "a second document begins", "write one document into one file")
        return root

    def documents(self) -> Iterator[_Node]:
        """Every document of the stream, empty ones left out."""
        next(self._events)
        while isinstance(next(self._events), self._kinds.DocumentStartEvent):
            self._anchors.clear()
            root = self._node(next(self._events), 1)
            next(self._events)
            if not root.null:
                yield root

    def _fail(self, event: Event, message: str, hint: str | None = None) -> DocumentInvalid:
        return DocumentInvalid(f"{self._file}:{self._line(event)}: {message}", subject=self._file, hint=hint)

    def _node(self, event: Event, depth: int) -> _Node:
        if depth > self._depth:
            raise self._fail(event, f"nested more than {self._depth} levels deep")
        return self._anchored(event) if isinstance(event, self._kinds.AliasEvent) else self._fresh(event, depth)

    def _anchored(self, event: NodeEvent) -> _Node:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            raise self._fail(
                event,
                f"alias *{event.anchor} stands before its anchor, inside it, or has none",
                "if it is no alias, put the value in quotes",
            )
        self._weigh(event, node.weight)
        return node

    def _fresh(self, event: Event, depth: int) -> _Node:
        self._weigh(event, 1)
        before = self._weight
        null = False
        if isinstance(event, self._kinds.ScalarEvent):
            self._check_tag(event, event.tag)
            plain = event.implicit[0] or (event.tag not in _TEXT_TAGS and not event.style)
            null = plain and event.value in _NOTHING  # in quotes, somebody meant the word
            tree: Tree = "" if null else event.value
        elif isinstance(event, self._kinds.SequenceStartEvent):
            self._check_tag(event, event.tag)
            tree = self._list(depth)
        else:
            assert isinstance(event, self._kinds.MappingStartEvent)  # noqa: S101 - the grammar of events
            self._check_tag(event, event.tag)
            tree = self._mapping(depth)
        span = self._span(event) if self._first_index is not None and isinstance(tree, str) else None
        node = _Node(tree, self._line(event), 1 + self._weight - before, null, span=span)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _list(self, depth: int) -> YamlList:
        items = YamlList()
        for event in self._until(self._kinds.SequenceEndEvent):
            item = self._node(event, depth + 1)
            if item.span:
                items.spans[len(items)] = item.span
            items.append(item.tree)
            items.lines.append(item.line)
        return items

    def _mapping(self, depth: int) -> YamlMapping:
        mapping = YamlMapping()
        for event in self._until(self._kinds.MappingEndEvent):
            node = self._node(event, depth + 1)
            key = node.tree
            if not isinstance(key, str) or node.null:
                raise self._fail(event, "a key is not text")
            if key in mapping and not self._twins:
                raise self._fail(event, f"key {key!r} is written twice, first on line {mapping.key_lines[key]}")
            mapping.key_lines[key] = self._line(event)
            value = self._node(next(self._events), depth + 1)
            mapping[key], mapping.lines[key] = value.tree, value.line
            if value.span:
                mapping.spans[key] = value.span
        return mapping

    def _until(self, end: type[Event]) -> Iterator[Event]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield event

    def _check_tag(self, event: Event, tag: str | None) -> None:
        if tag not in _TEXT_TAGS and not self._tags:
            raise self._fail(
                event,
                f"the YAML tag {tag!r} is not allowed",
                "values are plain text; leave the tag out, or put the value in quotes",
            )

    def _weigh(self, event: Event, weight: int) -> None:
        self._weight += weight
        if self._weight > self._values:
            raise self._fail(event, f"more than {self._values} values, aliases written out")

    def _span(self, event: Event) -> Span | None:
        begin, end = event.start_mark, event.end_mark
        if begin is None or end is None or self._first_index is None:
            return None
        return Span(self._first_index + begin.index, self._first_index + end.index, getattr(event, "style", "") or "")

    def _line(self, event: Event) -> int:
        return 1 + self._before + (event.start_mark.line if event.start_mark else 0)


def _quotes(lines: list[str]) -> str | None:
    """What to do if a value in one of these lines begins with what YAML reads in its own way."""
    if any(map(_NEEDS_QUOTES.search, lines)):
        return "put the value in quotes: YAML reads > * & ! [ { at its beginning, and ${ in a list, in its own way"
    return None


def _syntax(error: YAMLError, text: str, file: str, lines_before: int) -> DocumentInvalid:
    """One sentence with line and column, from an exception that tells the same in four lines or without a line."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        line, column = mark.line + 1, mark.column + 1
        what = getattr(error, "problem", None) or getattr(error, "context", None) or "unexpected text"
    else:  # a character that YAML excludes; the position counts characters or bytes, depending on the parser
        before = text[: max(0, getattr(error, "position", 0) or 0)]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        what = getattr(error, "reason", None) or "unexpected text"
    at = text.split("\n")[line - 1 : line]
    hint = "indent with spaces, not with tabs" if at and at[0][column - 1 : column] == "\t" else _quotes(at)
    return DocumentInvalid(f"{file}:{lines_before + line}:{column}: not valid YAML: {what}", subject=file, hint=hint)
