"""Ways through documents of foreign formats, where anything may be missing."""

from __future__ import annotations

from collections.abc import Iterator

from transload.documents.value import Document, Value


def is_absent(value: Value) -> bool:
    """Whether it is missing or null; in YAML, null and the empty text are the same."""
    return value.content is None or value.content == ""


def inside(value: Value, *keys: str) -> Value | None:
    """The value at the end of this way; None if one on the way is no mapping or has no such key."""
    for key in keys:
        if not isinstance(value.content, dict) or key not in value.content:
            return None
        value = value.get(key)
    return value


def items_at(value: Value, *keys: str) -> Iterator[Value]:
    """The items of the list at the end of this way; none if it is missing. Raises `DocumentInvalid` for no list."""
    listed = inside(value, *keys)
    if listed is not None and not is_absent(listed):
        yield from listed.items()


def text_at(value: Value, *keys: str) -> str | None:
    """The text at the end of this way; None if there is none, or something else."""
    found = inside(value, *keys)
    return found.content if found is not None and isinstance(found.content, str) and found.content else None


def rooted(value: Value) -> Value:
    """The same value as a document of its own, so that paths in it begin there."""
    document = value.document
    return Value(value.content, Document(document.name, document.hint, value.line))
