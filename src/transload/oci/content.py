"""Reads the JSON that belongs to an image, with one sentence for all that cannot be read."""

from __future__ import annotations

from typing import Any

from transload.errors import ManifestInvalid
from transload.strictjson import NotJson, read_json


def read_content(raw: bytes, what: str, *, limit: int, values: int, subject: str | None = None) -> Any:
    """The value in the JSON of a manifest, a config or a list of images; `what` is its name in the error.

    Raises `ManifestInvalid`, also for more than `limit` bytes or `values` values.
    """
    try:
        return read_json(raw, limit=limit, values=values)
    except NotJson as error:
        raise ManifestInvalid(f"{what} {error.verdict}", subject=subject) from error
