"""Replaces a reference inside a scalar as it is written, and keeps everything else of it: quotes, anchor, indentation.

Rules: the styles of scalars in YAML 1.2.2, chapters 7 and 8; strings of JSON in RFC 8259, section 7.
"""

from __future__ import annotations

import re
from functools import lru_cache

from transload.discovery.judging import names_registry
from transload.values import frozen

# An anchor and a tag, YAML 1.2.2, section 6.9, with blanks and comments between them and the scalar.
_PROPERTIES = re.compile(r"(?:[&!][^\s]*(?:\s+(?:#[^\n]*\n\s*)*|\Z))*")
# What does not stand right before a reference inside a longer text, or after it: there it is a part of another word.
_BEFORE, _AFTER = r"[\w./:@+%-]", r"(?![\w/:@+%-]|\.[\w])"


@frozen
class Respelled:
    """A scalar with another reference: as it is written, and what it means."""

    source: str
    content: str


def respelled(source: str, style: str, content: str, old: str, new: str) -> Respelled | str:
    """The scalar `source`, which means `content`, with `new` for `old`; a text says why that cannot be done."""
    alone = content.strip() == old
    if not (alone or content.endswith(f"={old}") or names_registry(old)):
        return "it stands in a longer text, and without a registry"
    word = _word(old)
    begin = _PROPERTIES.match(source).end()  # type: ignore[union-attr]  # it matches nothing, too
    written, meant = word.subn(new, source[begin:]), word.subn(new, content)
    if meant[1] and written[1] == meant[1]:
        return Respelled(source[:begin] + written[0], meant[0])
    if alone and style == '"':
        return Respelled(f'{source[:begin]}"{content.replace(old, new)}"', content.replace(old, new))
    return "it is written with escapes, or in several lines"


@lru_cache(maxsize=4096)
def _word(text: str) -> re.Pattern[str]:
    word = re.escape(text)  # first, since what begins with letters is searched for faster
    return re.compile(f"{word}(?<!{_BEFORE}{word}){_AFTER}")


def is_read_as_text(word: str) -> bool:
    """Whether YAML reads this word as a text where it has no quotes: `1.10` is a number there."""
    import yaml

    tag = yaml.SafeLoader("").resolve(yaml.ScalarNode, word, (True, False))  # type: ignore[no-untyped-call]  # its stub has no type here
    return str(tag) == "tag:yaml.org,2002:str"
