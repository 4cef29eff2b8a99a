"""Rules that choose tags: by name, pattern, version, date and number; each tag gets a verdict with its reason. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Literal

from transload.catalog.tagpattern import check_pattern
from transload.catalog.versionrange import Key, VersionRange, order_key
from transload.errors import DocumentInvalid, ReferenceInvalid
from transload.oci.cosign import subject_of
from transload.oci.reference import check_tag
from transload.oci.referrers import is_fallback
from transload.values import frozen

Sort = Literal["version", "name", "date"]
SORTS: tuple[Sort, ...] = ("version", "name", "date")


@frozen(kw_only=True)
class TagRule:
    """Which tags of a repository are wanted. Raises `DocumentInvalid` for a rule that says nothing.

    A tag of `exact` is taken whatever the rest says, one of `deny` never. Any other tag is taken if the whole of it
    matches `pattern`, if it is in `versions`, and if its image was made on `newer_than` or later; of those that are
    left, only the `newest` by `sort`. A named group `version` of the pattern is what `versions` and `sort` look at;
    without one, that is the whole tag.
    """

    exact: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    versions: VersionRange | None = None
    newest: int | None = None
    sort: Sort = "version"
    newer_than: date | None = None
    deny: tuple[str | re.Pattern[str], ...] = ()

    def __attrs_post_init__(self) -> None:
        if not (self.exact or self.asks_source):
            raise DocumentInvalid(
                "the rule for tags says nothing",
                hint='write versions: ">=1.40", newest: 3, pattern: "v.*" or exact: [latest]',
            )
        if self.newest is not None and self.newest < 1:
            raise DocumentInvalid(f"newest is {self.newest}, and a rule takes one tag or more", hint="write newest: 1")

    @property
    def asks_source(self) -> bool:
        """Whether the rule needs to know which tags there are; exact tags alone are known."""
        return any((self.pattern, self.versions, self.newest is not None, self.newer_than, self.deny))

    @property
    def needs_dates(self) -> bool:
        """Whether the rule needs to know when images were made."""
        return self.newer_than is not None or self.sort == "date"

    def __str__(self) -> str:
        """The rule in a few words, as reports show it: `>=1.40 <2, newest 3`."""
        return ", ".join(_described(self))


EVERY_TAG = TagRule(pattern=check_pattern(".*"))
"""The rule that takes every tag of an image."""

NEWEST_VERSION = TagRule(versions=VersionRange.parse("*"), newest=1)
"""The rule that takes the newest version that is no pre-release."""


@frozen
class TagVerdict:
    """What a rule says about one tag, and why, in a few words."""

    tag: str
    taken: bool
    why: str


def judge_tags(
    rule: TagRule, tags: Iterable[str], dates: Mapping[str, datetime] | None = None
) -> tuple[TagVerdict, ...]:
    """A verdict on every tag, each tag once, newest first as the rule sorts.

    `dates` says when the image of a tag was made, with a time zone; it has to know the tags of `undated`. A tag
    without a date is left if the rule needs one.
    """
    dates = dates or {}
    refusals = {tag: _refusal(rule, tag) or _too_old(rule, tag, dates) for tag in dict.fromkeys(tags)}
    newest_first = sorted(refusals, key=lambda tag: _key(rule, tag, dates), reverse=True)
    chosen = [tag for tag in newest_first if refusals[tag] is None and tag not in rule.exact]
    kept = frozenset(chosen if rule.newest is None else chosen[: rule.newest])
    return tuple(_verdict(rule, tag, refusals[tag], kept, dates.get(tag)) for tag in newest_first)


def undated(rule: TagRule, tags: Iterable[str]) -> tuple[str, ...]:
    """The tags whose date decides: those that the rest of the rule would take. Empty if the rule needs no dates."""
    if not rule.needs_dates:
        return ()
    return tuple(tag for tag in dict.fromkeys(tags) if tag not in rule.exact and _refusal(rule, tag) is None)


def _verdict(rule: TagRule, tag: str, refusal: str | None, kept: Collection[str], made: datetime | None) -> TagVerdict:
    if refusal is not None:
        return TagVerdict(tag, False, refusal)
    if tag in rule.exact:
        return TagVerdict(tag, True, "the rule names it")
    dated = f"it was made on {_day(made)}" if made is not None and rule.needs_dates else ""
    if tag not in kept:
        late = f"it is not among the newest {rule.newest}"
        return TagVerdict(tag, False, f"{late}: {dated}" if dated else late)
    return TagVerdict(tag, True, dated or str(rule))


def _refusal(rule: TagRule, tag: str) -> str | None:
    """Why the rule leaves a tag, whatever its date; None if it does not."""
    denied = next((denial for denial in rule.deny if _denies(denial, tag)), None)
    if denied is not None:
        return f"{_shown(denied)} is denied"
    if tag in rule.exact:
        return None
    if rule.exact and not (rule.pattern or rule.versions or rule.newest or rule.newer_than):
        return "the rule does not name it"
    if subject_of(tag) is not None:
        return "it is a signature or attestation of another image"
    if is_fallback(tag):
        return "it is a list of what refers to another image"
    match = rule.pattern.fullmatch(tag) if rule.pattern else None
    if rule.pattern and match is None:
        return f"it does not match {_shown(rule.pattern)}"
    return rule.versions.refusal(_compared(rule, tag)) if rule.versions else None


def _denies(denial: str | re.Pattern[str], tag: str) -> bool:
    return denial == tag if isinstance(denial, str) else denial.fullmatch(tag) is not None


def _too_old(rule: TagRule, tag: str, dates: Mapping[str, datetime]) -> str | None:
    if not rule.needs_dates or tag in rule.exact:
        return None
    made = dates.get(tag)
    if made is None:
        return "its image does not say when it was made"
    if rule.newer_than is not None and _day(made) < rule.newer_than:
        return f"it was made on {_day(made)}"
    return None


def _day(made: datetime) -> date:
    """The day in UTC."""
    return made.astimezone(UTC).date()


def _key(rule: TagRule, tag: str, dates: Mapping[str, datetime]) -> Key:
    semver = rule.versions is not None and rule.versions.semver
    version = (*order_key(_compared(rule, tag), semver=semver), tag)
    if rule.sort == "name":
        return (tag,)
    if rule.sort == "date":
        made = dates.get(tag)
        return (made is not None, made.timestamp() if made else 0.0, *version)
    return version


def _compared(rule: TagRule, tag: str) -> str:
    """The part of the tag that is its version."""
    if rule.pattern is None or "version" not in rule.pattern.groupindex:
        return tag
    match = rule.pattern.fullmatch(tag)
    return (match["version"] if match else None) or tag


def _described(rule: TagRule) -> Iterator[str]:
    if rule.exact:
        yield ", ".join(rule.exact)
    if rule.pattern:
        yield "every tag" if rule.pattern.pattern == ".*" else f"matches {_shown(rule.pattern)}"
    if rule.versions:
        yield str(rule.versions)
    if rule.newer_than:
        yield f"made on {rule.newer_than} or later"
    if rule.newest:
        yield f"newest {rule.newest}" + ("" if rule.sort == "version" else f" by {rule.sort}")
    if rule.deny:
        yield f"not {' or '.join(map(_shown, rule.deny))}"


def _shown(denial: str | re.Pattern[str]) -> str:
    return denial if isinstance(denial, str) else f"/{denial.pattern}/"


def denial(text: str) -> str | re.Pattern[str]:
    """An entry of `deny`: an exact tag, or a pattern between two slashes. Raises `DocumentInvalid`."""
    if len(text) > 2 and text.startswith("/") and text.endswith("/"):
        return check_pattern(text[1:-1])
    try:
        return check_tag(text)
    except ReferenceInvalid as error:
        raise DocumentInvalid(error.message, hint="a pattern stands between two slashes: /.*-debug/") from error
