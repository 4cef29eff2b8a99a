"""Patterns for tags: regular expressions that never take long, whatever the tag.

A backtracking matcher is slow where it can go on in more than one way: at a repeat whose next character could also
belong to what follows, and at alternatives with the same beginning. Each such choice multiplies the work, once for
every character that a repeat can end at, and a choice inside a repeat multiplies it without end. So the choices are
counted, over the characters that tags consist of, and a pattern with too many is refused (`v?[0-9]+[.][0-9]+` has
none).
"""

from __future__ import annotations

import re
import warnings
from re import _constants, _parser  # type: ignore[attr-defined]  # private, but this is how re itself parses a pattern
from string import ascii_letters, digits
from typing import Any

from transload.errors import DocumentInvalid
from transload.limits import PATTERN_LENGTH, PATTERN_WORK

_TAG_LENGTH = 128
_ALPHABET = frozenset(ascii_letters + digits + "_.-")
_CLASSES = {
    _constants.CATEGORY_DIGIT: frozenset(digits),
    _constants.CATEGORY_WORD: frozenset(ascii_letters + digits + "_"),
    _constants.CATEGORY_SPACE: frozenset(),
    _constants.CATEGORY_NOT_DIGIT: _ALPHABET - frozenset(digits),
    _constants.CATEGORY_NOT_WORD: frozenset(".-"),
    _constants.CATEGORY_NOT_SPACE: _ALPHABET,
}
_REPEATS = {_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT}
_GROUPS = {_constants.SUBPATTERN, _constants.ATOMIC_GROUP}
_ITEMS = {_constants.LITERAL, _constants.NOT_LITERAL, _constants.ANY, _constants.IN}
Letters = frozenset[str]


def check_pattern(text: str) -> re.Pattern[str]:
    """`text` as a regular expression for tags. Raises `DocumentInvalid`."""
    if len(text) > PATTERN_LENGTH:
        raise DocumentInvalid(f"a tag pattern of {len(text)} characters is over the limit of {PATTERN_LENGTH}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a pattern that Python warns of may mean something else in a later version
            pattern = re.compile(text, re.ASCII)
            choices = _Choices()
            choices.of(_parser.parse(text, re.ASCII), frozenset(), repeated=False)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise DocumentInvalid(f"the tag pattern is not a regular expression: {error}") from error
    if choices.work > PATTERN_WORK:
        raise DocumentInvalid(
            "the tag pattern could take for ever: it can match one tag in too many ways",
            hint="put no repeat inside another one, or right after one that matches the same letters: [0-9]+[.][0-9]+",
        )
    return pattern


class _Choices:
    """How far choices multiply the work: `work` counts the ways in which a sequence can be matched."""

    def __init__(self) -> None:
        self.work = 1

    def of(self, sequence: Any, after: Letters, *, repeated: bool) -> None:
        """Count a sequence. `after` are the characters that can follow it; `repeated` means that it is in a repeat."""
        for kind, value in reversed(list(sequence)):
            if kind in _REPEATS:
                self._repeat(*value, after=after, repeated=repeated)
            elif kind is _constants.BRANCH:
                self._branch(value[1], after, repeated)
            elif kind in _GROUPS:
                self.of(_inside(kind, value), after, repeated=repeated)
            begins, empty = _first_of_one(kind, value)
            after = begins | after if empty else begins

    def _repeat(self, least: int, most: Any, body: Any, *, after: Letters, repeated: bool) -> None:
        several = most is _constants.MAXREPEAT or most > 1
        begins, empty = _first(body)
        self.of(body, after | begins if several else after, repeated=repeated or several)
        most = _TAG_LENGTH if most is _constants.MAXREPEAT else min(most, _TAG_LENGTH)
        if least < most and (begins & after or (empty and several)):
            self._choose(most - least + 1, repeated)

    def _branch(self, branches: Any, after: Letters, repeated: bool) -> None:
        taken: Letters = frozenset()
        alike = False
        for branch in branches:
            self.of(branch, after, repeated=repeated)
            begins, empty = _first(branch)
            begins |= after if empty else frozenset()
            alike, taken = alike or bool(begins & taken), taken | begins
        if alike:
            self._choose(len(branches), repeated)

    def _choose(self, ways: int, repeated: bool) -> None:
        self.work = min(self.work * ways ** (_TAG_LENGTH if repeated else 1), PATTERN_WORK + 1)


def _first(sequence: Any) -> tuple[Letters, bool]:
    """The characters that a sequence can begin with, and whether it can be empty."""
    first: Letters = frozenset()
    for kind, value in sequence:
        begins, empty = _first_of_one(kind, value)
        first |= begins
        if not empty:
            return first, False
    return first, True


def _first_of_one(kind: Any, value: Any) -> tuple[Letters, bool]:
    if kind in _REPEATS:
        begins, empty = _first(value[2])
        return begins, empty or value[0] == 0
    if kind is _constants.BRANCH:
        branches = [_first(branch) for branch in value[1]]
        return frozenset().union(*(begins for begins, _ in branches)), any(empty for _, empty in branches)
    if kind in _GROUPS:
        return _first(_inside(kind, value))
    if kind is _constants.AT:
        return frozenset(), True
    if kind in _ITEMS:
        return _letters(kind, value), False
    raise DocumentInvalid("a tag pattern must not look ahead, look behind, or refer to what it matched")


def _inside(kind: Any, value: Any) -> Any:
    return value[3] if kind is _constants.SUBPATTERN else value


def _letters(kind: Any, value: Any) -> Letters:
    """The characters that one item matches, in both cases, since the pattern may ignore case."""
    if kind is _constants.ANY:
        return _ALPHABET
    if kind is _constants.LITERAL:
        return _either_case({chr(value)})
    if kind is _constants.NOT_LITERAL:
        return _ALPHABET
    negated = bool(value) and value[0][0] is _constants.NEGATE
    letters: set[str] = set()
    for part, argument in value:
        if part is _constants.LITERAL:
            letters.add(chr(argument))
        elif part is _constants.RANGE:
            letters |= {letter for letter in _ALPHABET if argument[0] <= ord(letter) <= argument[1]}
        elif part is _constants.CATEGORY:
            letters |= _CLASSES[argument]
    return _ALPHABET - letters if negated else _either_case(letters)


def _either_case(letters: set[str]) -> Letters:
    return frozenset(variant for letter in letters for variant in (letter.lower(), letter.upper())) & _ALPHABET
