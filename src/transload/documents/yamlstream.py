"""Streams of YAML documents: each is parsed alone, so a bad one costs only itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from transload.documents.text import decoded
from transload.documents.value import Document, Value
from transload.documents.yamlmerge import MERGE, merge_keys
from transload.documents.yamltree import parse
from transload.errors import DocumentInvalid
from transload.limits import STREAM_BYTES, STREAM_DOCUMENT_DEPTH, STREAM_YAML_VALUES

# YAML 1.2.2, section 9.1: markers stand at the beginning of a line, where no scalar's text can stand.
_MARKER = re.compile(r"^(?:---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)
_NO_CONTENT = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)|%[^\n]*(?:\n|\Z))*")


def split_documents(text: str) -> Iterator[tuple[int, str]]:
    """The documents of a stream, each with the line on which its text begins.

    Directives and comments before a `---` belong to the document that it begins.
    """
    return ((line, part) for _, line, part in placed_documents(text))


def placed_documents(text: str) -> Iterator[tuple[int, int, str]]:
    """The same, each with the number of characters before it. What ended the document before is blanked."""
    begin, line = 0, 1
    for end in chain((match.start() for match in _MARKER.finditer(text)), (len(text),)):
        part = text[begin:end]
        if text.startswith("---", end) and _NO_CONTENT.fullmatch(part):
            continue
        if part.removeprefix("...").strip():
            yield begin, line, "   " + part[3:] if part.startswith("...") else part
        line += part.count("\n")
        begin = end


def documents_in(content: bytes | str, file: str) -> Iterator[Value | DocumentInvalid]:
    """The documents of a stream; for a bad one, the error that says where and why. Empty ones are left out.

    Raises `DocumentInvalid` over `STREAM_BYTES` bytes, or unless the text is UTF-8.
    """
    for line, text in split_documents(decoded(content, file, STREAM_BYTES)):
        document = document_in(text, file, line)
        if document is not None:
            yield document


def document_in(text: str, file: str, line: int = 1, begin: int | None = None) -> Value | DocumentInvalid | None:
    """The one document in a text that begins on this line of the file; None if it is empty, the error if it is bad.

    Its merge keys are carried out. With `begin`, the characters before it, its scalars have spans.
    """
    try:
        tree, begins = parse(
            text,
            file,
            empty=True,
            first_line=line,
            limit=STREAM_BYTES,
            values=STREAM_YAML_VALUES,
            depth=STREAM_DOCUMENT_DEPTH,
            tags=True,  # other programs have tags of their own, such as `!override` in Compose files
            first_index=begin,
        )
    except DocumentInvalid as error:
        return error
    if MERGE in text:
        merge_keys(tree)
    return None if tree == "" else Value(tree, Document(file, line=begins))
