"""Streams of JSON documents, one after the other, as `opm render` and a second `kubectl get` write them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from transload.documents.value import Document, Value
from transload.errors import DocumentInvalid
from transload.limits import STREAM_BYTES, STREAM_DOCUMENT_VALUES

# A line break cannot stand in a text of JSON, and between two values inside a document there is a comma: a closing
# brace, a line break and an opening one are the border of two documents.
_BORDER = re.compile(rb"(?<=\})[ \t\r]*\n\s*(?=\{)")


def json_documents_in(content: bytes, file: str) -> Iterator[Value | DocumentInvalid]:
    """The documents of a stream, each a JSON object; for a bad one, the error that says where and why.

    Raises `DocumentInvalid` over `STREAM_BYTES` bytes.
    """
    if len(content) > STREAM_BYTES:
        raise DocumentInvalid(f"{file}: the file has more than {STREAM_BYTES} bytes", subject=file, hint="split it")
    begin = 0
    for end, after in (*((match.start(), match.end()) for match in _BORDER.finditer(content)), (len(content), 0)):
        try:
            document = Value.from_json(
                content[begin:end], file, limit=STREAM_BYTES, values=STREAM_DOCUMENT_VALUES, hint="write it again"
            )
            yield Value(document.content, Document(file))
        except DocumentInvalid as error:
            line = content.count(b"\n", 0, begin) + 1
            yield (
                error
                if begin == 0 and not after
                else DocumentInvalid(
                    f"{file}: the document on line {line}: {error.message}", subject=file, hint=error.hint
                )
            )
        begin = after
