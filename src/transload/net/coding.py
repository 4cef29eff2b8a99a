"""Answers that come compressed although we did not ask for it (RFC 9110, section 8.4). Pure.

urllib3 is not used for this: it reads until there is content, and a stream of empty blocks never has any.
"""

from __future__ import annotations

import zlib

_KNOWN = frozenset({"gzip", "x-gzip", "deflate"})
_EITHER = 32 + zlib.MAX_WBITS  # gzip's header or zlib's


def unpacked(body: bytes, coding: str, limit: int) -> bytes:
    """The content of a body, cut after `limit` + 1 bytes. A body in an unknown coding is returned as it is.

    Raises `zlib.error` if the body is damaged or ends too early.
    """
    if coding.strip().lower() not in _KNOWN or not body:
        return body
    inflater = zlib.decompressobj(_EITHER)
    content = inflater.decompress(body, limit + 1)
    if not inflater.eof and len(content) <= limit:
        raise zlib.error("it ends too early")
    return content
