"""Patterns for tags: regular expressions that never take long, whatever the tag."""

from __future__ import annotations

import re
from string import ascii_letters, digits

from transload.errors import DocumentInvalid
from transload.limits import PATTERN_LENGTH, PATTERN_WORK
from transload.patterns import Texts

_TAGS = Texts(
    "the tag pattern", "tag", letters=frozenset(ascii_letters + digits + "_.-"), length=128, work=PATTERN_WORK
)


def check_pattern(text: str) -> re.Pattern[str]:
    """`text` as a regular expression for tags. Raises `DocumentInvalid`."""
    if len(text) > PATTERN_LENGTH:
        raise DocumentInvalid(f"a tag pattern of {len(text)} characters is over the limit of {PATTERN_LENGTH}")
    return _TAGS.check(text)
