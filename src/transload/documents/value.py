"""Values of JSON and YAML from outside: answers of the right kind, or errors that name file, line and path."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, overload

from transload.documents.text import error_at
from transload.errors import DocumentInvalid, LimitExceeded, TransloadError
from transload.strictjson import NotJson, OtherEncoding, OverLimit, check_size, read_json
from transload.values import define, frozen
from transload.wording import hint as guess

Result = TypeVar("Result")
Default = TypeVar("Default")
Word = TypeVar("Word", bound=str)

_SMALLER = "one of fewer images is smaller"
_YES, _NO = {"true", "True", "TRUE"}, {"false", "False", "FALSE"}
_SHOWN = 40  # letters of a wrong value


@frozen(eq=False)
class Document:
    """What the values of one document share: its name, a hint for errors about it, the line on which it begins.

    `line` counts from 1. It is None for JSON, whose values do not know their lines. `keys` lead to it where it is a
    part of another document, such as an object of a list. `begin` is where a document of JSON begins, in characters.
    """

    name: str
    hint: str | None = None
    line: int | None = None
    keys: tuple[str | int, ...] = ()
    begin: int = 0


@define(eq=False)  # frozen, it takes a fifth more time to read a plan; a large one is half a million of these
class Value:
    """A value that is not checked yet, and its path in the document.

    `content` is None where a key is missing or JSON says null. In YAML every scalar is text, and null is the empty
    text; lists and mappings know the lines of their items (`transload.documents.yamltree`). Each method that gives an
    answer raises `DocumentInvalid` for a value of another kind.
    """

    content: Any
    document: Document
    parent: Value | None = None
    key: str | int = ""

    @classmethod
    def from_json(cls, raw: bytes, name: str, *, limit: int, values: int, hint: str, is_file: bool = False) -> Value:
        """The root of a JSON object of at most `limit` bytes and `values` values, called `name` in paths.

        `name` says what it is, such as `plan`, or with `is_file` how the file is called. `hint` says what to do about a
        wrong one. Raises `DocumentInvalid`.
        """
        whole = name if is_file else f"the {name}"
        try:
            content = read_json(raw, limit=limit, values=values)
        except NotJson as error:
            way = _SMALLER if isinstance(error, OverLimit) else None if isinstance(error, OtherEncoding) else hint
            raise DocumentInvalid(f"{whole} {error.verdict}", subject=name, hint=way) from error
        if not isinstance(content, dict):
            raise DocumentInvalid(f"{whole} is not a JSON object", subject=name, hint=hint)
        return cls(content, Document(name, hint))

    @classmethod
    def from_yaml(cls, content: bytes | str, file: str) -> Value:
        """The root of a YAML document. Raises `DocumentInvalid`."""
        from transload.documents.yamltree import parse  # only files that people write are YAML

        tree, line = parse(content, file)
        return cls(tree, Document(file, line=line))

    @classmethod
    def all_from_yaml(cls, content: bytes | str, file: str) -> tuple[Value, ...]:
        """The roots of all documents of a YAML file that are not empty. Raises `DocumentInvalid`."""
        from transload.documents.yamltree import parse_all

        return tuple(cls(tree, Document(file, line=line)) for tree, line in parse_all(content, file))

    # --- where it is

    @property
    def path(self) -> str:
        """The path from the root, such as `images[2].tag`; empty for the root."""
        if self.parent is None:
            return ""
        before = self.parent.path
        if isinstance(self.key, int):
            return f"{before}[{self.key}]"
        key = self.key if self.key.isprintable() else repr(self.key)
        return f"{before}.{key[:80]}" if before else key[:80]

    @property
    def keys(self) -> tuple[str | int, ...]:
        """The keys and numbers that lead to it, also from the document that its own one is a part of."""
        return self.document.keys if self.parent is None else (*self.parent.keys, self.key)

    @property
    def line(self) -> int | None:
        """The line on which it begins, if the document knows lines; that of the mapping where the key is missing."""
        if self.parent is None:
            return self.document.line
        lines = getattr(self.parent.content, "lines", None)
        return self.parent.line if lines is None or self.content is None else lines[self.key]

    @property
    def where(self) -> str:
        """How errors begin: `plan.steps[3]`, or with a line `catalog.yaml:7: images[2].tag`."""
        return _where(self.document.name, self.line, self.path)

    def fail(self, message: str, *, hint: str | None = None) -> DocumentInvalid:
        """An error about this value, to be raised. The document's hint goes before this one."""
        return DocumentInvalid(f"{self.where}: {message}", subject=self._subject, hint=self.document.hint or hint)

    def wrong(self, expected: str) -> DocumentInvalid:
        """The error for a value that is missing, or not what was `expected`."""
        if self.content is None and self.parent is not None and isinstance(self.key, str):
            return self.parent.missing(self.key)
        if self.content is None or self._is_blank:
            return self.fail(f"has no value; expected {expected}")
        return self.fail(f"expected {expected}, found {_shown(self.content)}")

    def missing(self, key: str, *, hint: str | None = None) -> DocumentInvalid:
        """The error for a mapping that has no such key."""
        return self.fail(f"key {key[:80]!r} is missing", hint=hint)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Errors about values inside the block become errors about this value (`documents.text.error_at`)."""
        try:
            yield
        except TransloadError as error:
            begins = f"{self.document.name}:" if self._is_yaml else (f"{self.document.name}:", f"{self.document.name}.")
            if isinstance(error, DocumentInvalid) and error.message.startswith(begins):
                raise  # the message says where already
            raise self._about(error) from error

    # --- what is in it

    def only(self, *keys: str) -> Value:
        """This mapping, which may have these keys and no others."""
        mapping = self._mapping()
        if not mapping.keys() <= set(keys):
            raise self._unknown(next(key for key in mapping if key not in keys), keys)
        return self

    def needs(self, *keys: str) -> None:
        """This mapping, which must have these keys."""
        for key in keys:
            if not self.has(key):
                raise self.missing(key)

    def has(self, key: str) -> bool:
        """Whether this mapping has such a key."""
        return key in self._mapping()

    def get(self, key: str) -> Value:
        """The value of a key of this mapping; its content is None if the key is missing."""
        content = self.content
        if not isinstance(content, dict):
            raise self.wrong("a mapping")
        return Value(content.get(key), self.document, self, key)

    def entries(self) -> Iterator[tuple[str, Value]]:
        """The keys and values of this mapping, whatever the keys are."""
        document = self.document
        return ((key, Value(content, document, self, key)) for key, content in self._mapping().items())

    def items(self) -> Iterator[Value]:
        """The items of this list."""
        document = self.document
        return (Value(content, document, self, number) for number, content in enumerate(self._list()))

    def text(self) -> str:
        """This text; in YAML, where null is an empty text, one that is not blank, and has no NUL, as no path has."""
        content = self.content
        if not isinstance(content, str) or (
            self.document.line is not None and (not content.strip() or "\0" in content)
        ):
            raise self.wrong("text")
        return content

    def texts(self) -> tuple[str, ...]:
        """The texts of this list, none of them twice."""
        first: dict[str, Value] = {}
        for item in self.items():
            text = item.text()
            if text in first:
                raise item.listed_twice(text, first[text])
            first[text] = item
        return tuple(first)

    def listed_twice(self, text: str, first: Value) -> DocumentInvalid:
        """The error for a `text` that is here, and that `first` has already."""
        line = f", first on line {first.line}" if first.line else ""
        return self.fail(f"{text!r} is listed twice{line}")

    def number(self, limit: int = 1 << 63) -> int:
        """This whole number, a count or an id below `limit`. JSON only: YAML's scalars are text."""
        number = self.content
        if type(number) is not int or not 0 <= number < limit:
            raise self.wrong(f"a whole number from 0 to {limit - 1}" if limit else "the number of one before it")
        return number

    def numbers(self, limit: int = 1 << 63) -> tuple[int, ...]:
        """The whole numbers of this list, each below `limit`."""
        numbers = self._list()
        for position, number in enumerate(numbers):
            if type(number) is not int or not 0 <= number < limit:
                Value(number, self.document, self, position).number(limit)
        return tuple(numbers)

    def truth(self) -> bool:
        """True or false; in YAML the text `true` or `false`."""
        if isinstance(self.content, bool):
            return self.content
        if not (self._is_yaml and isinstance(self.content, str) and self.content in _YES | _NO):
            raise self.wrong("true or false")
        return self.content in _YES

    def one_of(self, words: Sequence[Word]) -> Word:
        """This word, one of a few."""
        for word in words:
            if self.content == word:
                return word
        raise self.wrong(" or ".join(words))

    def read(self, parse: Callable[[str], Result]) -> Result:
        """What `parse` makes of the text; an error that it raises becomes one about this value."""
        self.text()
        return self.made(parse)

    def made(self, make: Callable[[Any], Result]) -> Result:
        """What `make` makes of the content, of any kind; an error that it raises becomes one about this value."""
        try:
            return make(self.content)
        except TransloadError as error:
            raise self._about(error) from error

    @overload
    def maybe(self, read: Callable[[Value], Result]) -> Result | None: ...
    @overload
    def maybe(self, read: Callable[[Value], Result], default: Default) -> Result | Default: ...
    def maybe(self, read: Callable[[Value], Any], default: Any = None) -> Any:
        """What `read` makes of the value, `default` if there is none."""
        return default if self.content is None else read(self)

    # --- inside

    @property
    def _is_yaml(self) -> bool:
        return self.document.line is not None

    @property
    def _is_blank(self) -> bool:
        return self.document.line is not None and isinstance(self.content, str) and not self.content.strip()

    @property
    def _subject(self) -> str:
        return self.document.name if self._is_yaml else self.where

    def _mapping(self) -> dict[str, Any]:
        if not isinstance(self.content, dict):
            raise self.wrong("a mapping")
        return self.content

    def _list(self) -> list[Any]:
        if not isinstance(self.content, list):
            raise self.wrong("a list")
        return self.content

    def _about(self, error: TransloadError) -> TransloadError:
        return error_at(self.where, self._subject, self.document.hint, error)

    def _unknown(self, key: str, known: Sequence[str]) -> DocumentInvalid:
        """The error for a key that is not `known`, with the line of the key: its value may begin on a later one."""
        lines = getattr(self.content, "key_lines", None)
        where = _where(self.document.name, lines and lines[key], self.get(key).path)
        way = self.document.hint or guess(key, known, what="the keys here are")
        return DocumentInvalid(f"{where}: unknown key", subject=self.document.name if lines else where, hint=way)


def _where(name: str, line: int | None, path: str) -> str:
    if line is None:
        return f"{name}.{path}" if path else name
    return f"{name}:{line}: {path}" if path else f"{name}:{line}"


def _shown(content: Any) -> str:
    """What was found, for the end of an error: a few letters of a scalar, no more."""
    if isinstance(content, (dict, list)):
        return "a mapping" if isinstance(content, dict) else "a list"
    return repr(content[:_SHOWN]) if isinstance(content, str) else json.dumps(content)[:_SHOWN]


def readable(raw: bytes, name: str, *, limit: int, values: int, hint: str) -> bytes:
    """The same bytes, which `Value.from_json` will read again. Raises `LimitExceeded`."""
    try:
        check_size(raw, limit, values)
    except NotJson as error:
        raise LimitExceeded(f"the {name} is too large for a file: {error}", hint=hint) from error
    return raw
