"""Looks into documents of which little is known: a value of another kind than was looked for counts as one missing."""

from __future__ import annotations

from collections.abc import Iterator

from transload.documents.value import Value


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
