"""Text from outside: decoded, and errors about it that say where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from transload.errors import DocumentInvalid, TargetConflict, TransloadError, UsageError


def decoded(content: bytes | str, file: str, limit: int) -> str:
    """`content` as text, a byte order mark dropped. Raises `DocumentInvalid` over `limit` bytes or unless UTF-8."""
    if len(content) > limit:
        raise DocumentInvalid(f"{file}: the file has more than {limit} bytes", subject=file, hint="split the file")
    try:
        encoded = content.encode() if isinstance(content, str) else content
        return encoded.decode("utf-8-sig")
    except UnicodeEncodeError as error:
        raise DocumentInvalid(f"{file}: not text that UTF-8 can hold", subject=file) from error
    except UnicodeDecodeError as error:
        line = encoded[: error.start].count(b"\n") + 1
        raise DocumentInvalid(
            f"{file}:{line}: not UTF-8", subject=file, hint="save the file in the UTF-8 encoding"
        ) from error


@contextmanager
def located(where: str, file: str) -> Iterator[None]:
    """Put `where` before the message of errors that pass through.

    What is wrong with the text becomes `DocumentInvalid`; what does not exist, or is wanted twice, stays what it is.
    """
    try:
        yield
    except TransloadError as error:
        if isinstance(error, DocumentInvalid) and error.message.startswith(f"{file}:"):
            raise  # a closer caller said where
        wrong = isinstance(error, UsageError) and not isinstance(error, TargetConflict)
        kind = DocumentInvalid if wrong else type(error)
        raise kind(f"{where}: {error.message}", subject=error.subject or file, hint=error.hint) from error
