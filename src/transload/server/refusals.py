"""Refusals in the specification's own form, and the one table that turns transload's errors into them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from aiohttp import web

from transload import errors
from transload.errors import TransloadError

USUAL_HEADERS = {"Docker-Distribution-API-Version": "registry/2.0", "Server": "transload"}


class Refusal(Exception):
    """An error answer: an HTTP status, a code of the specification, a sentence."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        subject: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.subject = subject
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        """The document of distribution specification, "Error Codes"."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.subject:
            error["detail"] = {"subject": self.subject}
        body = json.dumps({"errors": [error]}).encode()  # ASCII: parts of the request may not be valid text
        return web.Response(
            status=self.status, body=body, headers=USUAL_HEADERS | self.headers, content_type="application/json"
        )


# From special to general: the first class that fits decides.
_TABLE: tuple[tuple[type[TransloadError], int, str], ...] = (
    (errors.ManifestUnknown, 404, "MANIFEST_UNKNOWN"),
    (errors.BlobUnknown, 404, "BLOB_UNKNOWN"),
    (errors.RepositoryUnknown, 404, "NAME_UNKNOWN"),
    (errors.NotFound, 404, "MANIFEST_UNKNOWN"),
    (errors.ReferenceInvalid, 400, "NAME_INVALID"),
    (errors.DigestInvalid, 400, "DIGEST_INVALID"),
    (errors.UsageError, 400, "UNSUPPORTED"),
    (errors.DigestMismatch, 400, "DIGEST_INVALID"),
    (errors.SizeMismatch, 400, "SIZE_INVALID"),
    (errors.CorruptError, 400, "MANIFEST_INVALID"),
    (errors.SchemaUnsupported, 400, "MANIFEST_INVALID"),
    (errors.LimitExceeded, 413, "MANIFEST_INVALID"),
    (errors.TooLarge, 413, "SIZE_INVALID"),
    (errors.FolderUnsafe, 500, "UNKNOWN"),
    (errors.Refused, 405, "UNSUPPORTED"),
    (errors.AccessError, 403, "DENIED"),
    (errors.TooManyRequests, 429, "TOOMANYREQUESTS"),
    (errors.Unreachable, 502, "UNKNOWN"),
    (errors.DiskFull, 507, "UNKNOWN"),
    (errors.Busy, 503, "UNKNOWN"),
    (errors.Interrupted, 503, "UNKNOWN"),
    (errors.TransloadError, 500, "UNKNOWN"),
)


_KINDS = frozenset({"oci", "bundle", "archive"})  # their locators end in a path

# What a client reads about errors that it did not cause: no path of this machine, no host behind it.
_TROUBLE: tuple[tuple[type[TransloadError], str], ...] = (
    (errors.DiskFull, "the disk of this registry is full"),
    (errors.Busy, "another client is changing the same thing; try again"),
    (errors.LocalError, "this registry cannot read or write its store; see its log"),
    (errors.FolderUnsafe, "the folder of this registry is not safe to use; see its log"),
    (errors.Unreachable, "the registry behind this one does not answer; see the log"),
    (errors.CorruptError, "the store of this registry is damaged at this place; see its log"),
    (errors.Interrupted, "this registry is being stopped"),
    (TransloadError, "this registry cannot answer; see its log"),
)


def refusal(error: TransloadError, *, writing: bool, locator: str = "") -> Refusal:
    """The answer to a client of the store at `locator` for `error`.

    Wrong content is the client's fault only if the client sent it. The location of the store is not shown.
    """
    status, code = next((status, code) for kind, status, code in _TABLE if isinstance(error, kind))
    status, code = (_writing if writing else _reading)(error, status, code)
    headers = {} if error.retry_after_s is None else {"Retry-After": str(max(1, round(error.retry_after_s)))}
    if status >= 500 or isinstance(error, errors.AccessError):
        message = next(sentence for kind, sentence in _TROUBLE if isinstance(error, kind))
        return Refusal(status, code, message, headers=headers)
    subject = None if error.subject == locator else error.subject
    return Refusal(status, code, _without(locator, error.message), subject=subject, headers=headers)


def _without(locator: str, message: str) -> str:
    """The message without the location of the store, written with its kind (`oci:DIR`) or as a path alone."""
    kind, _, path = locator.partition(":")
    names = [re.escape(name) for name in (locator, path if kind in _KINDS else "") if name]
    return re.sub(rf"(?<![\w/.:@-])({'|'.join(names)})(?![\w/.@-])", "this registry", message) if names else message


def printable(text: str) -> str:
    """Text from outside, made safe for a log."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _writing(error: TransloadError, status: int, code: str) -> tuple[int, str]:
    if isinstance(error, errors.Stalled):
        return 408, code
    if isinstance(error, errors.ManifestUnknown | errors.BlobUnknown):
        return 400, "MANIFEST_BLOB_UNKNOWN"  # as distribution answers
    return status, code


def _reading(error: TransloadError, status: int, code: str) -> tuple[int, str]:
    if isinstance(error, errors.CorruptError | errors.LimitExceeded | errors.SchemaUnsupported):
        return 500, "UNKNOWN"
    if isinstance(error, errors.Refused) and not isinstance(error, errors.FolderUnsafe):
        return 403, code
    return status, code
