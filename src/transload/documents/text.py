"""Text from outside: decoded, and errors about it that say where."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from contextlib import contextmanager

from transload.errors import (
    CorruptError,
    DocumentInvalid,
    LimitExceeded,
    SchemaUnsupported,
    TargetConflict,
    TransloadError,
    UsageError,
)

_WRONG = (UsageError, CorruptError, LimitExceeded, SchemaUnsupported)


def decoded(content: bytes | str, file: str, limit: int) -> str:
    """`content` as text, a byte order mark dropped. Raises `DocumentInvalid` over `limit` bytes or unless UTF-8."""
    if len(content) > limit:
        raise DocumentInvalid(f"{file}: the file has more than {limit} bytes", subject=file, hint="split the file")
    try:
        encoded = content.encode() if isinstance(content, str) else content
        if encoded.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            raise DocumentInvalid(
                f"{file}: saved as UTF-16",
                subject=file,
                hint="save it as UTF-8; in PowerShell: Out-File -Encoding utf8",
            )
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
    """Give errors that pass through the form of `error_at`, unless their message names the file already."""
    try:
        yield
    except TransloadError as error:
        if isinstance(error, DocumentInvalid) and error.message.startswith(f"{file}:"):
            raise
        raise error_at(where, file, None, error) from error


def error_at(where: str, file: str, hint: str | None, error: TransloadError) -> TransloadError:
    """The same error with `where` before its message; with a `hint`, that and `file` replace its own hint and subject.

    What is wrong with the content becomes `DocumentInvalid`. What does not exist, cannot be read, or is wanted twice
    stays what it is.
    """
    wrong = isinstance(error, _WRONG) and not isinstance(error, TargetConflict)
    kind = DocumentInvalid if wrong else type(error)
    subject = file if hint else error.subject or file
    return kind(f"{where}: {error.message}", subject=subject, hint=hint or error.hint)
