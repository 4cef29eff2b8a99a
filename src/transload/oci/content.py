"""The JSON that an image consists of: one reading of it, and one sentence where it cannot be read."""

from __future__ import annotations

from typing import Any

from transload.errors import ManifestInvalid
from transload.strictjson import NotJson, read_json


def read_content(raw: bytes, what: str, *, limit: int, values: int, subject: str | None = None) -> Any:
    """The value in the JSON of a manifest, a config or a list of images, called `what` in the error.

    It has at most `limit` bytes and `values` values. Raises `ManifestInvalid`.
    """
    try:
        return read_json(raw, limit=limit, values=values)
    except NotJson as error:
        raise ManifestInvalid(f"{what} {error.verdict}", subject=subject) from error
