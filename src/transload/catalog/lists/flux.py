"""The configuration of Flux Mirror: artifacts with selectors, and charts.

Shape: https://fluxcd.io/flux/cli-plugins/flux-mirror/config.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from transload.catalog.lists.naming import chart, ruled, targets_note
from transload.catalog.lists.tagpatterns import found_anywhere
from transload.catalog.lists.taken import Format, Note, Taken, is_of, items_of, rest, text_of
from transload.catalog.selected import join
from transload.catalog.tagpattern import check_pattern
from transload.catalog.tagrule import EVERY_TAG, Sort, TagRule
from transload.catalog.versionrange import VersionRange
from transload.documents.value import Value

_GROUPS = ("mirror.plugin.fluxcd.io", "mirror.fluxcd.io")
_LOGINS = "logins and certificates come from files and options, not from a list"
_SENTENCES = {
    "overwrite": "a tag that points elsewhere is always replaced",
    "includeReferrers": "signatures and attestations come along, unless --no-referrers leaves them",
    "verify": "signatures are not verified",
}
_SORTS: dict[str, Sort] = {"": "version", "semver": "version", "numerical": "version", "alphabetical": "name"}
_TAGS = {"": None, "semver": None, "numerical": check_pattern(r"[0-9]+(\.[0-9]+)?"), "alphabetical": EVERY_TAG.pattern}
_GROUP = re.compile(r"\$\{?(\w+)\}?", re.ASCII)
_MOST = 1 << 20
_ANY = VersionRange.parse("*", prerelease=True, semver=True)


def _recognises(root: Value) -> bool:
    return any(is_of(root, group, "Config") for group in _GROUPS)


def _read(root: Value) -> Iterator[Taken]:
    yield from rest(root, ("apiVersion", "kind", "artifacts", "charts"), {"hosts": _LOGINS, "auth": _LOGINS})
    artifacts, charts = items_of(root.get("artifacts")), items_of(root.get("charts"))
    yield from targets_note(entry.get("destination") for entry in (*artifacts, *charts))
    for entry in artifacts:
        selector = entry.get("selector")
        yield ruled(entry.get("source"), partial(_rule, selector), target=entry.get("destination"))
        yield from rest(entry, ("source", "destination", "selector"), _SENTENCES)
    for entry in charts:
        yield from _chart(entry)


def _rule(selector: Value) -> TagRule:
    """The tags that match the pattern and are in the range; of these the newest `limit`, which is 1 if left out.

    Without a range, Flux takes pre-releases, too.
    """
    if not selector.content:
        return TagRule(versions=_ANY, newest=1)
    selector.only("regex", "semver", "sortBy", "limit")
    by, regex = text_of(selector.get("sortBy")), selector.get("regex")
    if by not in _SORTS:
        raise selector.get("sortBy").wrong("semver, alphabetical or numerical")
    versions = None if by == "alphabetical" else _ANY
    if text_of(selector.get("semver")):
        versions = selector.get("semver").read(partial(VersionRange.parse, semver=True))
    return TagRule(
        pattern=_pattern(regex) if regex.content else _TAGS[by],
        versions=versions,
        newest=_limit(selector.get("limit")),
        sort=_SORTS[by],
    )


def _limit(value: Value) -> int | None:
    """How many; 0 means all. Raises `DocumentInvalid`."""
    text = text_of(value) or "1"
    if not text.isascii() or not text.isdigit() or int(text[:9]) > _MOST:
        raise value.wrong("a whole number")
    return int(text) or None


def _pattern(regex: Value) -> re.Pattern[str]:
    """The pattern; the group that `extract` names is called `version`, since tags are compared by it."""
    pattern, extract = regex.get("pattern").text(), text_of(regex.get("extract"))
    if extract:
        group = _GROUP.fullmatch(extract)
        if group is None or f"<{group[1]}>" not in pattern:
            raise regex.get("extract").wrong("the name of a group of the pattern, such as $version")
        pattern = pattern.replace(f"<{group[1]}>", "<version>")
    return regex.get("pattern").made(lambda _: found_anywhere(pattern.replace("(?<", "(?P<")))


def _versions(entry: Value) -> TagRule:
    text = text_of(entry.get("version")) or "*"
    versions = entry.get("version").made(lambda _: VersionRange.parse(text))
    return TagRule(versions=versions, newest=_limit(entry.get("limit")))


def _chart(entry: Value) -> Iterator[Taken]:
    source, target, name = entry.get("source"), entry.get("destination"), entry.get("name").text()
    renamed, repository = join(target.text().rstrip("/"), name), source.text().rstrip("/")
    if repository.startswith("oci://"):
        path = join(repository.removeprefix("oci://"), name)
        yield ruled(source, partial(_versions, entry), path, target=target, renamed=renamed)
    else:
        version = text_of(entry.get("version"))
        yield chart(entry, join(repository, name), version, images=False, target=target, renamed=renamed)
        if text_of(entry.get("limit")) not in ("", "1"):
            yield Note(entry.get("limit").where, "of a chart repository, only the newest version is copied")
    yield from rest(entry, ("name", "source", "destination", "version", "limit"), _SENTENCES)


FORMAT = Format("Flux Mirror configuration", _recognises, _read)
