"""Looks into documents of which little is known: a value of another kind than was looked for counts as one missing."""

from __future__ import annotations

from collections.abc import Iterator

from transload.documents.value import Document, Value


def entries(value: Value) -> Iterator[tuple[str, Value]]:
    """The keys and values of a mapping; none if it is no mapping."""
    return value.entries() if isinstance(value.content, dict) else iter(())


def items(value: Value) -> Iterator[Value]:
    """The items of a list; none if it is no list."""
    return value.items() if isinstance(value.content, list) else iter(())


def at(value: Value, *keys: str) -> Value:
    """The value behind these keys; one without content where a key or a mapping is missing."""
    for key in keys:
        content = value.content
        value = Value(content.get(key) if isinstance(content, dict) else None, value.document, value, key)
    return value


def text(value: Value, *keys: str) -> str:
    """The text behind these keys; the empty one if there is none."""
    content = at(value, *keys).content
    return content.strip() if isinstance(content, str) else ""


def is_absent(value: Value) -> bool:
    """Whether it is missing or null; in YAML, null and the empty text are the same."""
    return value.content is None or value.content == ""


def listed(value: Value, *keys: str) -> Iterator[Value]:
    """The items of the list behind these keys; none if it is missing. Raises `DocumentInvalid` for no list."""
    found = at(value, *keys)
    return iter(()) if is_absent(found) else found.items()


def rooted(value: Value) -> Value:
    """The same value as a document of its own, so that paths in it begin there."""
    document = value.document
    return Value(value.content, Document(document.name, document.hint, value.line, value.keys, begin=document.begin))
