"""Regular expressions that never take long, whatever the text.

A backtracking matcher is slow where it can go on in more than one way: at a repeat whose next character could also
belong to what follows, and at alternatives with the same beginning. Each such choice multiplies the work, once for
every character that a repeat can end at, and a choice inside a repeat multiplies it without end. So the choices are
counted, over the characters that the texts consist of, and an expression with too many is refused (`v?[0-9]+[.][0-9]+`
has none).
"""

from __future__ import annotations

import re
import warnings
from re import _constants, _parser  # type: ignore[attr-defined]  # private, but this is how re itself parses a pattern
from string import ascii_letters, digits, whitespace
from typing import Any

from transload.errors import DocumentInvalid
from transload.values import define, frozen

_OTHER = "\x80"  # stands for all characters that are not ASCII
_CLASSES = {
    _constants.CATEGORY_DIGIT: frozenset(digits),
    _constants.CATEGORY_WORD: frozenset(ascii_letters + digits + "_"),
    _constants.CATEGORY_SPACE: frozenset(whitespace),
}
_NOT = {
    _constants.CATEGORY_NOT_DIGIT: _constants.CATEGORY_DIGIT,
    _constants.CATEGORY_NOT_WORD: _constants.CATEGORY_WORD,
    _constants.CATEGORY_NOT_SPACE: _constants.CATEGORY_SPACE,
}
_REPEATS = {_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT}
_GROUPS = {_constants.SUBPATTERN, _constants.ATOMIC_GROUP}
_ITEMS = {_constants.LITERAL, _constants.NOT_LITERAL, _constants.ANY, _constants.IN}
Letters = frozenset[str]

ANY_LETTERS: Letters = frozenset({*map(chr, range(128)), _OTHER})
"""The characters of texts that can have any."""


@frozen
class Texts:
    """The texts that an expression is for: their characters, their length, and in how many ways it may match one.

    `name` is what errors call the expression, and `text` the text: `the tag pattern`, `tag`.
    """

    name: str
    text: str
    letters: Letters
    length: int
    work: int

    def check(self, expression: str) -> re.Pattern[str]:
        """The expression, ready for use; its classes such as `\\w` are those of ASCII. Raises `DocumentInvalid`."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # what Python warns of may mean something else in a later version
                pattern = re.compile(expression, re.ASCII)
                choices = _Choices(self)
                choices.of(_parser.parse(expression, re.ASCII), frozenset(), repeated=False)
        except (re.error, OverflowError, RecursionError, Warning) as error:
            raise DocumentInvalid(f"{self.name} is not a regular expression: {error}") from error
        if choices.work > self.work:
            raise DocumentInvalid(
                f"{self.name} could take for ever: it can match one {self.text} in too many ways",
                hint="put no repeat inside another one, or right after one that matches the same letters: "
                "[0-9]+[.][0-9]+",
            )
        return pattern


@define
class _Choices:
    """How far choices multiply the work: `work` counts the ways in which a sequence can be matched."""

    texts: Texts
    work: int = 1

    def of(self, sequence: Any, after: Letters, *, repeated: bool) -> None:
        """Count a sequence. `after` are the characters that can follow it; `repeated` means that it is in a repeat."""
        for kind, value in reversed(list(sequence)):
            if kind in _REPEATS:
                self._repeat(*value, after=after, repeated=repeated)
            elif kind is _constants.BRANCH:
                self._branch(value[1], after, repeated)
            elif kind in _GROUPS:
                self.of(_inside(kind, value), after, repeated=repeated)
            begins, empty = self._first_of_one(kind, value)
            after = begins | after if empty else begins

    def _repeat(self, least: int, most: Any, body: Any, *, after: Letters, repeated: bool) -> None:
        several = most is _constants.MAXREPEAT or most > 1
        begins, empty = self._first(body)
        self.of(body, after | begins if several else after, repeated=repeated or several)
        length = self.texts.length
        most = length if most is _constants.MAXREPEAT else min(most, length)
        if least < most and (begins & after or (empty and several)):
            self._choose(most - least + 1, repeated)

    def _branch(self, branches: Any, after: Letters, repeated: bool) -> None:
        taken: Letters = frozenset()
        alike = False
        for branch in branches:
            self.of(branch, after, repeated=repeated)
            begins, empty = self._first(branch)
            begins |= after if empty else frozenset()
            alike, taken = alike or bool(begins & taken), taken | begins
        if alike:
            self._choose(len(branches), repeated)

    def _choose(self, ways: int, repeated: bool) -> None:
        self.work = min(self.work * ways ** (self.texts.length if repeated else 1), self.texts.work + 1)

    # --- what can come first

    def _first(self, sequence: Any) -> tuple[Letters, bool]:
        """The characters that a sequence can begin with, and whether it can be empty."""
        first: Letters = frozenset()
        for kind, value in sequence:
            begins, empty = self._first_of_one(kind, value)
            first |= begins
            if not empty:
                return first, False
        return first, True

    def _first_of_one(self, kind: Any, value: Any) -> tuple[Letters, bool]:
        if kind in _REPEATS:
            begins, empty = self._first(value[2])
            return begins, empty or value[0] == 0
        if kind is _constants.BRANCH:
            branches = [self._first(branch) for branch in value[1]]
            return frozenset().union(*(begins for begins, _ in branches)), any(empty for _, empty in branches)
        if kind in _GROUPS:
            return self._first(_inside(kind, value))
        if kind is _constants.AT:
            return frozenset(), True
        if kind in _ITEMS:
            return self._letters(kind, value), False
        raise DocumentInvalid(f"{self.texts.name} must not look ahead, look behind, or refer to what it matched")

    def _letters(self, kind: Any, value: Any) -> Letters:
        """The characters that one item matches, in both cases, since the expression may ignore case."""
        every = self.texts.letters
        if kind in {_constants.ANY, _constants.NOT_LITERAL}:
            return every
        if kind is _constants.LITERAL:
            return every & _either_case({_known(value)})
        negated = bool(value) and value[0][0] is _constants.NEGATE
        letters: set[str] = set()
        for part, argument in value:
            if part is _constants.LITERAL:
                letters.add(_known(argument))
            elif part is _constants.RANGE:
                letters |= {letter for letter in every if argument[0] <= ord(letter) <= argument[1]}
                letters |= {_OTHER} if argument[1] >= ord(_OTHER) else set()
            elif part is _constants.CATEGORY:
                letters |= _CLASSES[argument] if argument in _CLASSES else every - _CLASSES[_NOT[argument]]
        return every & ((every - letters) | {_OTHER} if negated else _either_case(letters))


def _inside(kind: Any, value: Any) -> Any:
    return value[3] if kind is _constants.SUBPATTERN else value


def _known(code: int) -> str:
    return chr(code) if code < ord(_OTHER) else _OTHER


def _either_case(letters: set[str]) -> Letters:
    return frozenset(variant for letter in letters for variant in (letter.lower(), letter.upper()))
