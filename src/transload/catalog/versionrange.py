"""Version ranges for tags: `>=1.40 <2`, `^1.2`, `~1.2.3`, `1.x`, and which of two tags is the newer version.

The operators are those that people know from Helm charts and npm. Tags are wider than semantic versions: `3.11-slim`
is no pre-release, and `v1.46.0_2026-05-12` has a label. docs/formats/image-set.md says what holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from transload.errors import DocumentInvalid
from transload.limits import PATTERN_LENGTH
from transload.values import frozen

_VERSION = re.compile(r"[vV]?([0-9]{1,20}(?:\.[0-9]{1,20})*)(.*)", re.DOTALL)
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?![0-9])")
_IDENTIFIER = re.compile(r"([-.]?)([0-9A-Za-z]+)")
_EARLY_WORDS = "alpha|beta|rc|cr|pre|preview|dev|snapshot|nightly|canary|milestone|ea"
_EARLY = re.compile(rf"(?:{_EARLY_WORDS})[0-9]*|m[0-9]+", re.IGNORECASE)
_EARLY_JOINED = re.compile(r"[abc][0-9]+")  # Python's 3.13.0b2
_SEPARATOR = re.compile(r"[.-]")
_DIGITS = frozenset("0123456789")
_PIECES = re.compile(r"([0-9]+)")
_BOUND = re.compile(r"(>=|<=|!=|~>|[=<>^~])?\s*([0-9A-Za-z*][0-9A-Za-z_.+*-]*)(?:\s*,\s*|\s+|$)")
_HYPHEN = re.compile(r"(?<!\S)([0-9vV]\S*)\s+-\s+([0-9vV]\S*)(?!\S)")
_OPEN = re.compile(r"((?:[vV]?[0-9.]*[0-9])?)(?:\.|^)[xX*](?:\.[xX*])*((?:-.+)?)")
_SOUND = re.compile(r"[vV]?[0-9]+(?:[_.+-]?[0-9A-Za-z]+)*")
_SEMANTIC = re.compile(r"(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?")

Key = tuple[Any, ...]
"""Compares with every other key; the greater one is the newer version."""


@frozen
class _Version:
    """The parts of a tag that is a version: `v3.13.0rc1-slim` has the pre-release `rc1` and the suffix `slim`.

    `label` is what follows `_` or `+` after the number: the date in `v1.46.0_2026-05-12`, build metadata of a chart.
    """

    numbers: tuple[int, ...]
    prerelease: str = ""
    label: str = ""
    suffix: str = ""

    @classmethod
    def parse(cls, text: str) -> _Version | None:
        """The version in `text`; None if it does not begin like one."""
        match = _VERSION.fullmatch(_DATE.sub(r"\1.\2.\3", text, count=1) if _DATE.match(text) else text)
        if match is None:
            return None
        numbers, rest = tuple(map(int, match[1].split("."))), match[2]
        prerelease = _leading_prerelease(rest, dotted=len(numbers) > 1)
        rest = rest[len(prerelease) :]
        if rest[:1] in {"_", "+"}:
            return cls(numbers, prerelease.lstrip("-."), label=rest[1:])
        if rest and not prerelease and rest[0] not in "-.":
            return None  # 7dba4f2 is the name of a commit
        return cls(numbers, prerelease.lstrip("-."), suffix=rest.lstrip("-."))

    @classmethod
    def semantic(cls, text: str) -> _Version | None:
        """The same by Semantic Versioning 2.0, where all that follows a hyphen is a pre-release: also `1.27-slim`."""
        match = _VERSION.fullmatch(text)
        rest = _SEMANTIC.fullmatch(match[2]) if match else None
        if match is None or rest is None:
            return None
        return cls(tuple(map(int, match[1].split("."))), rest[1] or "", rest[2] or "")

    @property
    def key(self) -> Key:
        """A pre-release is older than its release; among equals, a suffix or label makes it newer."""
        return (
            _without_zeros(self.numbers),
            (0, _natural(self.prerelease)) if self.prerelease else (1, ()),
            _natural(self.label),
            _natural(self.suffix),
        )


def order_key(tag: str, *, semver: bool = False) -> Key:
    """The key to sort tags by, oldest first. A tag that is no version is older than all versions.

    With `semver`, what follows a hyphen is a pre-release, and so older: 1.27-slim comes before 1.27.

    >>> sorted(["v1.10.0", "1.9", "1.10.0-rc.1", "latest"], key=order_key)
    ['latest', '1.9', '1.10.0-rc.1', 'v1.10.0']
    """
    version = _read(tag, semver)
    return (0, _natural(tag), tag) if version is None else (1, version.key, tag)


def _read(text: str, semver: bool) -> _Version | None:
    return _Version.semantic(text) if semver else _Version.parse(text)


def _without_zeros(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """1.2 and 1.2.0 are the same version."""
    end = len(numbers)
    while end and not numbers[end - 1]:
        end -= 1
    return numbers[:end]


def _natural(text: str) -> Key:
    """Digits compare as numbers, and before words (Semantic Versioning 2.0, section 11); dots and hyphens separate."""
    return tuple(
        _number(piece) if piece[0] in _DIGITS else (1, 0, piece)
        for identifier in _SEPARATOR.split(text)
        for piece in _PIECES.split(identifier)
        if piece
    )


def _number(digits: str) -> Key:
    """Compares as the number does, however long it is: `int` takes no more than 4300 digits."""
    digits = digits.lstrip("0")
    return (0, len(digits), digits)


def _leading_prerelease(rest: str, *, dotted: bool) -> str:
    """The beginning of `rest` that says that this is no release yet: `-rc.1` of `-rc.1-alpine`, `b2` of `b2-slim`.

    It begins with a word that is known for this, or with 0, as in `-0.20260512`. Without a hyphen or dot before it, the
    number needs a dot: `4b12` may be the name of a commit.
    """
    end = 0
    for match in _IDENTIFIER.finditer(rest):
        separator, word = match.groups()
        early = _EARLY.fullmatch(word) or (end and word.isdigit()) or (separator == "-" and word == "0")
        joined = not separator and not end
        if match.start() != end or not (early or (joined and _EARLY_JOINED.fullmatch(word))) or (joined and not dotted):
            break
        end = match.end()
    return rest[:end]


@frozen
class _Bound:
    """One comparison. It compares as many numbers as it has: 1.40.7 is not greater than 1.40."""

    operator: str
    version: _Version

    def holds(self, version: _Version) -> bool:
        order = self._compare(version)
        if self.operator in {"=", "!="}:
            return (order == 0) == (self.operator == "=")
        return (order == 0 and "=" in self.operator) or (order > 0 if self.operator[0] == ">" else order < 0)

    def _compare(self, version: _Version) -> int:
        mine = self.version
        length = max(len(version.numbers), len(mine.numbers))
        padded = version.numbers + (0,) * (length - len(version.numbers))
        if (beginning := padded[: len(mine.numbers)]) != mine.numbers:
            return 1 if beginning > mine.numbers else -1
        more = any(padded[len(mine.numbers) :])
        if mine.prerelease or mine.label:
            other, own = version.key[1:3], mine.key[1:3]
            return 1 if more else (other > own) - (other < own)
        # 2.0-rc.1 is older than 2.0, but who writes <2 does not mean it
        return -1 if version.prerelease and not more and self.operator[0] != "<" else 0


@frozen
class VersionRange:
    """A range of versions. `text` is as it was written; `prerelease` admits pre-releases although it names none.

    With `semver`, all that follows a hyphen is a pre-release, as for Semantic Versioning: `1.27-slim`, too.
    Blanks and commas mean "and", `||` means "or". docs/formats/image-set.md says what each operator means.
    """

    text: str
    prerelease: bool
    semver: bool
    _alternatives: tuple[tuple[_Bound, ...], ...]

    @classmethod
    def parse(cls, text: str, *, prerelease: bool = False, semver: bool = False) -> VersionRange:
        """Read a range. Raises `DocumentInvalid`."""
        if len(text) > PATTERN_LENGTH:
            raise DocumentInvalid(f"a version range of {len(text)} characters is over the limit of {PATTERN_LENGTH}")
        alternatives = tuple(_bounds(part, text, semver) for part in text.split("||"))
        return cls(text.strip(), prerelease, semver, alternatives)

    def admits(self, tag: str) -> bool:
        """Whether the version `tag` is in the range."""
        return self.refusal(tag) is None

    def refusal(self, tag: str) -> str | None:
        """Why `tag` is not in the range, in a few words; None if it is."""
        version = _read(tag, self.semver)
        if version is None:
            return "it is not a version"
        reasons = [self._refusal(bounds, version) for bounds in self._alternatives]
        return None if None in reasons else reasons[0]

    def _refusal(self, bounds: tuple[_Bound, ...], version: _Version) -> str | None:
        if not all(bound.holds(version) for bound in bounds):
            return f"it is not in {self.text}"
        if version.prerelease and not (self.prerelease or any(bound.version.prerelease for bound in bounds)):
            return "it is a pre-release"
        suffix = next((bound.version.suffix for bound in bounds if bound.version.suffix), None)
        return None if suffix in {None, version.suffix} else f"it does not end in -{suffix}"

    def __str__(self) -> str:
        return self.text


def _bounds(part: str, text: str, semver: bool) -> tuple[_Bound, ...]:
    """The comparisons of one alternative, all of which must hold."""
    part = _HYPHEN.sub(r">=\1 <=\2", part.strip())
    bounds: list[_Bound] = []
    end = 0
    while end < len(part):
        match = _BOUND.match(part, end)
        if match is None:
            raise _not_a_range(text)
        bounds += _bounds_of(match[1] or "", match[2], text, semver)
        end = match.end()
    if not part:
        raise _not_a_range(text)
    if len({bound.version.suffix for bound in bounds} - {""}) > 1:
        raise DocumentInvalid(f"the range {text!r} names two suffixes, and no tag has both", hint="join them with ||")
    return tuple(bounds)


def _bounds_of(operator: str, operand: str, text: str, semver: bool) -> Iterator[_Bound]:
    """The plain comparisons that one written comparison stands for."""
    version = _operand(operand, text, semver)
    if version is None:
        if operator not in {"", "=", ">="}:
            raise _not_a_range(text)
    elif operator in {"^", "~", "~>"}:
        yield _Bound(">=", version)
        yield _Bound("<", _Version(_next(version.numbers, operator)))
    else:
        yield _Bound(operator or "=", version)


def _operand(operand: str, text: str, semver: bool) -> _Version | None:
    """The version of a comparison, without its `.x` or `.*`; None for `*` alone, which stands for all versions."""
    if match := _OPEN.fullmatch(operand):
        if not match[1] and not match[2]:
            return None
        operand = match[1] + match[2]
    sound = _SOUND.fullmatch(operand) and not {"x", "X"} & set(operand.split("."))
    version = _read(operand, semver) if sound else None
    if version is None:
        raise _not_a_range(text)
    return version


def _next(numbers: tuple[int, ...], operator: str) -> tuple[int, ...]:
    """The first version that `^` or `~` leaves out: ^1.2 ends before 2, ^0.2.3 before 0.3, ~1.2.3 before 1.3."""
    if operator == "^":
        place = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
    else:
        place = min(1, len(numbers) - 1)
    return (*numbers[:place], numbers[place] + 1)


def _not_a_range(text: str) -> DocumentInvalid:
    return DocumentInvalid(
        f"{text[:140]!r} is not a range of versions", hint='write ">=1.40 <2", "^1.2", "~1.2.3" or "1.x"'
    )
