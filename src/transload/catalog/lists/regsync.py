"""regsync's configuration, version 1: entries of the types image, repository and registry.

Shape: https://regclient.org/usage/regsync.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from transload.catalog.lists.naming import below_registry, image, question_of, ruled, targets_note
from transload.catalog.lists.tagpatterns import one_of
from transload.catalog.lists.taken import (
    Format,
    ListQuestion,
    Note,
    Taken,
    items_of,
    left_open,
    platform,
    rest,
    text_of,
)
from transload.catalog.ruled import RuledPrefix
from transload.catalog.selected import join
from transload.catalog.tagpattern import check_pattern
from transload.catalog.tagrule import EVERY_TAG, TagRule
from transload.catalog.versionrange import VersionRange
from transload.documents.value import Value
from transload.documents.yamltree import YamlMapping
from transload.errors import DocumentInvalid
from transload.oci import Platform
from transload.oci.reference import check_registry

_PATH = re.compile(r"[a-z0-9_/-]+")  # a path that is also a pattern for itself alone
_SHORT = re.compile(r"(?<![0-9A-Za-z.+-])(v?[0-9]+)(\.[0-9]+)?(?![0-9A-Za-z.])")  # a version of one or two numbers
_TYPES = ("image", "repository", "registry")
_RUN = "is left out; options of the run say when and how to copy"
_REFERRERS = "signatures and attestations come along, unless --no-referrers leaves them"
_SENTENCES = {
    "creds": "logins come from login files and options, not from a list",
    "defaults": _RUN,
    "interval": _RUN,
    "schedule": _RUN,
    "ratelimit": _RUN,
    "mediaTypes": "images of every media type are copied",
    "backup": "a tag that is replaced is not kept under another name",
    "hooks": "programs are not started",
    "referrers": _REFERRERS,
    "digestTags": _REFERRERS,
    "targetTag": "images keep their tags",
}
_ENTRY = ("source", "target", "type", "tags", "tagSets", "platform", "fastCopy", "forceRecursive", "<<")


def _recognises(root: Value) -> bool:
    sync = root.get("sync").content
    return isinstance(sync, list) and all(isinstance(entry, dict) for entry in sync) and not root.has("kind")


def _read(root: Value) -> Iterator[Taken]:
    if text_of(root.get("version")) not in ("", "1"):
        raise root.get("version").wrong("version 1 of regsync's configuration")
    extensions = (key for key, _ in root.entries() if key.startswith("x-"))
    yield from rest(root, ("version", "sync", *extensions), _SENTENCES)
    entries = [_merged(entry) for entry in root.get("sync").items()]
    yield from targets_note(entry.get("target") for entry in entries)
    for entry in entries:
        yield from _entry(entry)


def _merged(entry: Value) -> Value:
    """The entry with the keys of what `<<` names, as YAML 1.1 merges mappings: the first that has a key wins."""
    shared = entry.get("<<").content
    sources = [part for part in (shared if isinstance(shared, list) else [shared]) if isinstance(part, YamlMapping)]
    if not sources or not isinstance(entry.content, YamlMapping):
        return entry
    merged = YamlMapping()
    for mapping in (*reversed(sources), entry.content):
        merged.update(mapping)
        merged.lines.update(mapping.lines)
        merged.key_lines.update(mapping.key_lines)
    return Value(merged, entry.document, entry.parent, entry.key)


def _entry(entry: Value) -> Iterator[Taken]:
    kind, source, target = entry.get("type").one_of(_TYPES), entry.get("source"), entry.get("target")
    chosen = entry.get("platform")
    platforms = () if chosen.content == "local" else platform(chosen)
    if chosen.content == "local":
        yield Note(chosen.where, "the platform of this machine is not looked up; name it with --platform")
    if any(name.text().startswith("ocidir:") for name in (source, target)):
        yield left_open(entry, source.text(), "a folder is named with --from oci:DIR or --to oci:DIR")
    elif kind == "image":
        yield image(source, target=target, platforms=platforms)
    else:
        for tags in items_of(entry.get("tagSets")) or (entry.get("tags"),):
            rule = partial(_rule, tags)
            if kind == "repository":
                yield ruled(source, rule, target=target, platforms=platforms)
            else:
                yield from _registry(entry, rule, platforms)
    yield from rest(entry, _ENTRY if kind != "registry" else (*_ENTRY, "repos"), _SENTENCES)


def _registry(entry: Value, rule: Callable[[], TagRule], platforms: tuple[Platform, ...]) -> Iterator[Taken]:
    """A whole registry, or the repositories of it that `repos` names."""
    source, repos = entry.get("source"), entry.get("repos")
    allow, deny = (items_of(repos.get(key)) if repos.content else () for key in ("allow", "deny"))
    if question := question_of(source, source.text()):
        yield question
    elif pattern := next((item for item in (*allow, *deny) if not _PATH.fullmatch(item.text())), None):
        yield left_open(pattern, pattern.text(), "repositories are not chosen by patterns; name their paths")
    elif allow:
        denied = {item.text() for item in deny}
        for item in allow:
            if item.text() not in denied:
                path, target = item.text(), entry.get("target").text()
                yield ruled(item, rule, join(source.text(), path), renamed=join(target, path), platforms=platforms)
    else:
        yield _prefix(entry, rule, tuple(item.text() for item in deny), platforms)


def _prefix(
    entry: Value, rule: Callable[[], TagRule], deny: tuple[str, ...], platforms: tuple[Platform, ...]
) -> RuledPrefix | ListQuestion:
    source = entry.get("source")
    try:
        return RuledPrefix(
            registry=source.read(check_registry),
            rule=rule(),
            deny=deny,
            target=below_registry(f"{entry.get('target').text()}/"),
            platforms=platforms,
            where=source.where,
        )
    except DocumentInvalid as error:
        return left_open(source, source.text(), error.message)


def _rule(tags: Value) -> TagRule:
    """Every criterion must hold: one of the patterns of `allow`, none of those of `deny`, one of the ranges."""
    if not tags.content:
        return EVERY_TAG
    tags.only("allow", "deny", "semverRange")
    allow, deny, ranges = (items_of(tags.get(key)) for key in ("allow", "deny", "semverRange"))
    pattern = tags.get("allow").made(lambda _: one_of(item.text() for item in allow)) if allow else None
    versions = " || ".join(_SHORT.sub(_with_three, item.text()) for item in ranges)
    return TagRule(
        pattern=pattern or (None if ranges else EVERY_TAG.pattern),
        versions=tags.get("semverRange").made(lambda _: _range(versions)) if ranges else None,
        deny=tuple(item.read(check_pattern) for item in deny),
    )


def _range(text: str) -> VersionRange:
    """The versions in a range; those of regsync are by Semantic Versioning, and pre-releases count like others."""
    return VersionRange.parse(text, prerelease=True, semver=True)


def _with_three(short: re.Match[str]) -> str:
    """For regsync, 1.2 in a range is 1.2.0, and so >1.2 takes 1.2.1."""
    return f"{short[1]}{short[2] or '.0'}.0"


FORMAT = Format("regsync configuration", _recognises, _read)
