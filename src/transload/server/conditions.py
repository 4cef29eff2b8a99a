"""Conditional requests: whether a client has already what it asks for (RFC 9110, 13.1.2). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

# An entity tag in its quotes, weak or not; without quotes as some clients send it.
_TAG = re.compile(r'(?:W/)?(?:"([^"]*)"|([^\s",]+))')


def is_known(headers: Sequence[str], tag: str) -> bool:
    """Whether the values of If-None-Match name `tag`; weak tags count, since the bytes are what the digest says.

    >>> is_known(['"a", W/"b"'], "b"), is_known(["*"], "b"), is_known(['"a"'], "b"), is_known([], "b")
    (True, True, False, False)
    """
    return any(
        header.strip() == "*" or any(tag in found.groups() for found in _TAG.finditer(header)) for header in headers
    )
