"""What a text from outside must be: given exactly, or as a regular expression that must match all of it."""

from __future__ import annotations

import re

from transload.documents.value import Value
from transload.limits import IDENTITY_LENGTH, IDENTITY_WORK
from transload.patterns import ANY_LETTERS, Texts
from transload.values import Factory, field, frozen

_TEXTS = Texts("it", "text", letters=ANY_LETTERS, length=IDENTITY_LENGTH, work=IDENTITY_WORK)


@frozen
class Wanted:
    """What a text must be: `text` itself, or what the regular expression in `text` matches as a whole.

    The expression must match the whole text. cosign looks for it anywhere in an identity, so that
    `https://good.example/` would also accept `https://bad.example/?https://good.example/`.
    """

    text: str
    is_regexp: bool = False
    _matches: re.Pattern[str] | None = field(
        init=False, repr=False, eq=False, default=Factory(lambda self: _compiled(self), True)
    )

    def accepts(self, text: str) -> bool:
        """Whether `text` is what is wanted. Longer ones than `IDENTITY_LENGTH` are not."""
        if len(text) > IDENTITY_LENGTH:
            return False
        return bool(self._matches.fullmatch(text)) if self._matches else text == self.text


def _compiled(wanted: Wanted) -> re.Pattern[str] | None:
    return _TEXTS.check(wanted.text) if wanted.is_regexp else None


def read_wanted(value: Value, *, is_regexp: bool = False) -> Wanted:
    """What a policy says that a text must be. Raises `DocumentInvalid`."""
    text = value.text()
    if len(text) > IDENTITY_LENGTH:
        raise value.fail(f"it has {len(text)} characters, {IDENTITY_LENGTH} are allowed")
    if not text.isprintable():
        raise value.fail("it has line breaks, or other characters that cannot be printed")
    with value.explained():
        return Wanted(text, is_regexp)
