"""Reads the rules of an image set: `tags` of an image or a prefix, and `repositories` (docs/formats/image-set.md)."""

from __future__ import annotations

import re
from datetime import date

from transload.catalog.definition import checked_repository
from transload.catalog.ruled import RuledPrefix
from transload.catalog.selected import join
from transload.catalog.tagpattern import check_pattern
from transload.catalog.tagrule import EVERY_TAG, SORTS, TagRule, denial
from transload.catalog.versionrange import VersionRange
from transload.documents.value import Value
from transload.errors import DocumentInvalid
from transload.oci import Platform
from transload.oci.reference import check_registry, check_repository, check_tag
from transload.wording import whole_number

ALL = "all"
RULE = ("exact", "pattern", "versions", "prerelease", "semver", "newest", "sort", "newer_than", "deny")
REPOSITORIES = ("prefix", "tags", "deny", "target", "platforms", "optional")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def tag_rule(value: Value) -> TagRule:
    """The rule in a value of `tags`: `all`, a list of exact tags, or a mapping. Raises `DocumentInvalid`."""
    if value.content == ALL:
        return EVERY_TAG
    if isinstance(value.content, list):
        return TagRule(exact=_tags(value))
    if isinstance(value.content, str):
        raise value.wrong("all, a list of tags, or a rule")
    value.only(*RULE)
    with value.explained():
        return TagRule(
            exact=value.get("exact").maybe(_tags, ()),
            pattern=value.get("pattern").maybe(lambda pattern: pattern.read(check_pattern)),
            versions=_versions(value),
            newest=value.get("newest").maybe(_number),
            sort=value.get("sort").maybe(lambda sort: sort.one_of(SORTS), "version"),
            newer_than=value.get("newer_than").maybe(_day),
            deny=value.get("deny").maybe(_denials, ()),
        )


def _versions(rule: Value) -> VersionRange | None:
    kinds = [rule.get(key) for key in ("prerelease", "semver") if rule.has(key)]
    if not rule.has("versions"):
        for kind in kinds:
            raise kind.fail(f"{kind.key} belongs to versions, which the rule does not have")
        return None
    prerelease, semver = (rule.get(key).maybe(Value.truth, False) for key in ("prerelease", "semver"))
    return rule.get("versions").read(lambda text: VersionRange.parse(text, prerelease=prerelease, semver=semver))


def ruled_prefix(value: Value, registry: str | None, repository: str, platforms: tuple[Platform, ...]) -> RuledPrefix:
    """An entry of `repositories`; the defaults complete a prefix that names no registry. Raises `DocumentInvalid`."""
    value.only(*REPOSITORIES).needs("prefix")
    host, prefix = value.get("prefix").read(lambda text: _prefix(text.strip(), registry, repository))
    deny = value.get("deny")
    return RuledPrefix(
        registry=host,
        prefix=prefix,
        rule=value.get("tags").maybe(tag_rule, EVERY_TAG),
        deny=tuple(checked_repository(item) for item in deny.items()) if deny.maybe(Value.texts) else (),
        target=value.get("target").maybe(checked_repository, ""),
        platforms=value.get("platforms").maybe(platforms_in, platforms),
        optional=value.get("optional").maybe(Value.truth, False),
        where=value.where,
    )


def _prefix(text: str, registry: str | None, repository: str) -> tuple[str, str]:
    """The registry and the path in it; a whole registry has an empty path."""
    if text.endswith("*"):
        raise DocumentInvalid(f"{text[:140]!r} is not a prefix", hint="it means all below it already: leave the * out")
    first, _, rest = text.partition("/")
    if set(".:[") & set(first) or first == "localhost":
        return check_registry(first), check_repository(rest) if rest else ""
    if registry is None:
        raise DocumentInvalid(f"the prefix {text[:140]!r} names no registry", hint="write registry.example/path")
    return registry, check_repository(join(repository, text))


def platforms_in(value: Value) -> tuple[Platform, ...]:
    """A list of platforms, at least one. Raises `DocumentInvalid`."""
    platforms = tuple(item.read(Platform.parse) for item in value.items())
    if not platforms:
        raise value.fail("the list is empty", hint="leave platforms out to mean those of the run")
    return platforms


def _tags(value: Value) -> tuple[str, ...]:
    tags = value.texts()
    for item in value.items():
        item.read(check_tag)
    if not tags:
        raise value.fail("the list is empty", hint="write tags: all to take every tag")
    return tags


def _number(value: Value) -> int:
    number = whole_number(value.text())
    if not number:
        raise value.wrong("a whole number from 1 on")
    return number


def _day(value: Value) -> date:
    text = value.text()
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise value.wrong("a day such as 2026-01-31")


def _denials(value: Value) -> tuple[str | re.Pattern[str], ...]:
    value.texts()
    return tuple(item.read(denial) for item in value.items())
