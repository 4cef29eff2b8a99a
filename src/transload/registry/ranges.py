"""Ranges as registries write them: of bodies (RFC 9110) and of uploads (distribution specification). No I/O."""

from __future__ import annotations

import re

from attrs import frozen

_CONTENT_RANGE = re.compile(r"bytes\s+([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)")
_UNSATISFIED = re.compile(r"bytes\s+\*/([0-9]{1,19})")
_UPLOAD_RANGE = re.compile(r"(?:bytes[= ])?([0-9]{1,19})-([0-9]{1,19})(?:/.*)?")


@frozen
class ContentRange:
    """Which bytes a 206 carries: from `start` up to but without `end`, of `total` (None when not told)."""

    start: int
    end: int
    total: int | None


def parse_content_range(header: str | None) -> ContentRange | None:
    """Read `bytes 0-99/200`; None for anything else."""
    form = _CONTENT_RANGE.fullmatch((header or "").strip())
    if not form or int(form[1]) > int(form[2]):
        return None
    return ContentRange(int(form[1]), int(form[2]) + 1, None if form[3] == "*" else int(form[3]))


def unsatisfied_total(header: str | None) -> int | None:
    """The size that a 416 states, as in `bytes */200`."""
    form = _UNSATISFIED.fullmatch((header or "").strip())
    return int(form[1]) if form else None


def closed_range(start: int, end: int) -> str:
    """The `Range` header for bytes from `start` up to but without `end`: closed, since some refuse open ones."""
    return f"bytes={start}-{end - 1}"


def upload_offset(header: str | None) -> int | None:
    """How many bytes an upload has by its `Range: 0-<last>`; None when it does not say.

    `0-0` means nothing or one byte (distribution writes it for both), so it counts as nothing.
    """
    form = _UPLOAD_RANGE.fullmatch((header or "").strip())
    if not form or int(form[1]) != 0:
        return None
    last = int(form[2])
    return last + 1 if last else 0


def upload_range(start: int, size: int) -> str:
    """The `Content-Range` of a piece of an upload: no unit and no total (ACR refuses the form of RFC 9110)."""
    return f"{start}-{start + size - 1}"
