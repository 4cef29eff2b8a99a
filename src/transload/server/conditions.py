"""Conditional requests: whether a client already has what it asks for (RFC 9110, 13.1.2). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

# An entity tag in quotes, weak or not; or without quotes, as some clients send it.
_TAG = re.compile(r'(?:W/)?(?:"([^"]*)"|([^\s",]+))')


def is_known(headers: Sequence[str], tag: str) -> bool:
    """Whether the values of If-None-Match name `tag`. Weak tags count, because a digest fixes the bytes.

    >>> is_known(['"a", W/"b"'], "b"), is_known(["*"], "b"), is_known(['"a"'], "b"), is_known([], "b")
    (True, True, False, False)
    """
    return any(
        header.strip() == "*" or any(tag in match.groups() for match in _TAG.finditer(header)) for header in headers
    )
